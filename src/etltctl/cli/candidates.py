"""What may stand at the cursor of a command line: a command, an option, or a value of the option at the cursor.

Names come from the settings file and the state folder. They are read and not checked: a Tab press must cost nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from etltctl.settings.environments import PREFIX, chosen_env, known_envs
from etltctl.settings.files import FILE, find_file, project_file, read_text, state_place

Candidate = tuple[str, str]  # the value, and what it means
Node = Mapping[str, Any]
Layers = list[Mapping[str, Any]]

FILES: list[Candidate] = [("", "files")]  # the shell completes files by itself
CAUSES = Path(__file__).parents[1] / "causes"
CODE_HEAD = re.compile(r"\[[A-Z]\d{3}\]")
MOST_RUNS = 100  # the newest ones; a shell shows no more at once


class Context:
    """The part of the command line before the cursor that decides which names there are."""

    def __init__(self, environ: Mapping[str, str], directory: Path) -> None:
        """Begin with nothing chosen; `directory` is the working folder of the shell."""
        self.environ = environ
        self.directory = directory
        self.arguments: list[str] = []
        self.config = ""
        self.file: Path | None = None  # the settings file, once it was read
        self.env = ""

    def note(self, option: list[str], value: str) -> None:
        """Keep the value of an option that chooses the settings file or the environment."""
        if "--config" in option:
            self.config = value
        elif "--env" in option:
            self.env = value
        elif "--local" in option or "--aws" in option:
            self.env = option[0].lstrip("-")

    def layers(self) -> Layers:
        """Return the settings of the environment, the strongest first; a file that cannot be read adds none."""
        chosen = Path(self.config) if self.config else None
        try:
            self.file = find_file(chosen, self.environ, self.directory)
            data = tomllib.loads(read_text(self.file or project_file(FILE)))
        except (OSError, ValueError):
            return []
        return [_table(data, "env", chosen_env(data, self.env, self.environ)), data]


def candidates(
    tree: Node, words: Sequence[str], incomplete: str, environ: Mapping[str, str], directory: Path
) -> list[Candidate]:
    """Return what may stand at the cursor, or `FILES` where that is the name of a file.

    Args:
        tree: The commands, as in `command_tree.json`.
        words: The words between the program's name and the cursor.
        incomplete: The word that the cursor stands at.
        environ: The variables of the process.
        directory: The working folder of the shell.
    """
    context = Context(environ, directory)
    place = _walked(tree, words, context)
    if place is None:
        return []
    node, awaited, takes_options = place
    if awaited is not None:
        return _matching(_values(awaited, context), incomplete)
    # A word that begins with a dash is an option, unless `--` came before it.
    if takes_options and incomplete.startswith("-"):
        return _option_candidates(_options(tree, node), incomplete, context)
    if "commands" in node:
        return _matching([(name, below["help"]) for name, below in node["commands"].items()], incomplete)
    # The last argument of a command may take several words.
    arguments, number = node["arguments"], len(context.arguments)
    if number >= len(arguments) and not (arguments and arguments[-1]["several"]):
        return []
    return _matching(_values(arguments[min(number, len(arguments) - 1)], context), incomplete)


def _walked(tree: Node, words: Sequence[str], context: Context) -> tuple[Node, Node | None, bool] | None:
    """Return the command that the words lead to, the option that awaits its value, and whether options may still come.

    None if there is no such command.
    """
    node, awaited, takes_options = tree, None, True
    for word in words:
        if awaited is not None:
            context.note(awaited["names"], word)
            awaited = None
        elif takes_options and word == "--":
            takes_options = False
        # A single dash is a value: standard input.
        elif takes_options and word.startswith("-") and word != "-":
            awaited = _met(_options(tree, node), word, context)
        elif "commands" not in node:
            context.arguments.append(word)
        elif word in node["commands"]:
            node = node["commands"][word]
        else:
            return None
    return node, awaited, takes_options


def _options(tree: Node, node: Node) -> list[Node]:
    """Return the command's options, and those that may stand anywhere."""
    return [*node["options"], *(tree["options"] if node is not tree else [])]


def _met(options: Sequence[Node], word: str, context: Context) -> Node | None:
    """Return the option whose value comes next, if it takes a value that does not stand in the same word."""
    name, is_joined, value = word.partition("=")
    # An option that is unknown takes no value here; the command will refuse it by name.
    option = next((each for each in options if name in each["names"]), None)
    if option is None:
        return None
    if is_joined or not option["takes"]:
        context.note(option["names"], value)
        return None
    return option


def _option_candidates(options: Sequence[Node], incomplete: str, context: Context) -> list[Candidate]:
    name, is_joined, value = incomplete.partition("=")
    if is_joined:
        option = next((each for each in options if name in each["names"] and each["takes"]), None)
        values = _matching(_values(option, context), value) if option else []
        return [(f"{name}={each}", text) for each, text in values] if values != FILES else FILES
    every = [(name, each["help"]) for each in options for name in each["names"]]
    return [(name, text) for name, text in every if name.startswith(incomplete)]


def _values(param: Node, context: Context) -> list[Candidate]:
    if param["choices"]:
        return [(choice, "") for choice in param["choices"]]
    return FILES if param["takes"] == "file" else [(name, "") for name in names(param["takes"], context)]


def _matching(every: list[Candidate], incomplete: str) -> list[Candidate]:
    """Return the candidates that begin with the incomplete word."""
    return every if every == FILES else [each for each in every if each[0].startswith(incomplete)]


def names(kind: str, context: Context) -> list[str]:
    """Return the names of one kind; none where the settings cannot be read.

    Args:
        kind: A key of `READERS`, such as `pipelines`.
        context: What stands on the line before the cursor.
    """
    reader = READERS.get(kind)
    layers = context.layers() if reader else []
    return list(dict.fromkeys(reader(layers, context))) if reader and layers else []


def _table(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    table: Any = data
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _keys(*path: str) -> Callable[[Layers, Context], Iterable[str]]:
    return lambda layers, context: [key for layer in layers for key in _table(layer, *path)]  # noqa: ARG005


def _texts(values: object) -> list[str]:
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []


def _steps(layers: Layers, context: Context) -> Iterable[str]:
    """Return the steps of the pipeline that the line names, or of every pipeline if it names none."""
    every = [name for layer in layers for name in _table(layer, "pipelines")]
    # `run api --from` should offer the steps of api alone.
    named = [name for name in context.arguments if name in every] or every
    for name in dict.fromkeys(named):
        yield from next(
            filter(None, (_texts(_table(layer, "pipelines", name).get("steps")) for layer in layers)), []
        )


def _tables(layers: Layers, context: Context) -> Iterable[str]:  # noqa: ARG001
    tables: list[str] = []
    for layer in layers:
        jobs, sources = _table(layer, "glue", "jobs"), _table(layer, "sources")
        tables += [
            table
            for job in jobs
            for key in ("writes", "reads")
            for table in _texts(_table(jobs, job).get(key))
        ]
        queries = _table(layer, "sql")
        for query in (_table(queries, name) for name in queries):
            tables += [*_texts([query.get("writes")]), *_texts(query.get("reads"))]
        tables += [
            f"bronze.{source}_{name}"
            for source in sources
            for key in ("collections", "streams")
            for name in _texts(_table(sources, source).get(key))
        ]
    return sorted(tables)


def _environments(layers: Layers, context: Context) -> Iterable[str]:  # noqa: ARG001
    return known_envs(layers[-1])


def _runs(layers: Layers, context: Context) -> Iterable[str]:
    """Return the newest runs that have a file in the state folder. Runs in S3 would need a call to AWS."""
    environ = context.environ
    variables = [environ.get(f"{PREFIX}STATE"), environ.get("ETLTCTL_STATE_DIR")]
    typed = next(filter(None, variables), "")
    state = typed or next(filter(None, (layer.get("state") for layer in layers)), ".etltctl")
    if not isinstance(state, str) or "://" in state:
        return []
    state = typed or state_place(state, context.file)
    try:
        files = [
            (file.stat().st_mtime_ns, file) for file in (context.directory / state / "runs").glob("*.ndjson")
        ]
    except OSError:
        return []
    ids = [file.stem for _, file in sorted(files, reverse=True)[:MOST_RUNS]]
    # The last part of an id is what people type; commands accept it.
    return [*ids, *(run_id.rpartition("-")[2] for run_id in ids)]


def _codes(layers: Layers, context: Context) -> Iterable[str]:  # noqa: ARG001
    """Return the codes of the causes: the heads of the tables in the catalogue's files."""
    for file in sorted(CAUSES.glob("*.toml")):
        yield from (line[1:-1] for line in file.read_text("utf-8").splitlines() if CODE_HEAD.fullmatch(line))


READERS: Mapping[str, Callable[[Layers, Context], Iterable[str]]] = {
    "pipelines": _keys("pipelines"),
    "sources": _keys("sources"),
    "jobs": _keys("glue", "jobs"),
    "data sources": _keys("tableau", "datasources"),
    "receivers": _keys("notify"),
    "steps": _steps,
    "tables": _tables,
    "environments": _environments,
    "runs": _runs,
    "codes": _codes,
}
