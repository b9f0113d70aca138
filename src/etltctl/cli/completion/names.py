"""Names that the settings and the state folder hold, read without checking them: a Tab press must cost nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from etltctl.settings.files import FILE, find_file, project_file, read_text

MOST_RUNS = 100  # newest first; a shell shows no more at once
Layers = list[Mapping[str, Any]]


class Context:
    """The part of the command line before the cursor that decides which names there are."""

    def __init__(self, environ: Mapping[str, str], directory: Path) -> None:
        self.environ = environ
        self.directory = directory
        self.arguments: list[str] = []
        self.config = ""
        self.env = ""

    def note(self, option: list[str], value: str) -> None:
        """Keep the value of the options that choose the settings file and the environment."""
        if "--config" in option:
            self.config = value
        elif "--env" in option:
            self.env = value
        elif "--local" in option or "--aws" in option:
            self.env = option[0].lstrip("-")

    def layers(self) -> Layers:
        """Return the settings of the environment, the strongest first; a file that cannot be read adds none."""
        found: Layers = []
        named = Path(self.config) if self.config else None
        try:
            own = find_file(named, self.environ, self.directory)
            files = [tomllib.loads(read_text(file)) for file in (own, project_file(FILE)) if file]
        except (OSError, ValueError):
            return []
        default = next((str(data["default_env"]) for data in files if "default_env" in data), "local")
        env = self.env or self.environ.get("ETLTCTL_ENV", "") or default
        for data in files:
            found += [_table(data, "env", env), data]
        return found


def names(kind: str, context: Context) -> list[str]:
    """Return the names of one kind, such as `pipelines`; none where the settings cannot be read."""
    reader = READERS.get(kind)
    layers = context.layers() if reader else []
    return list(dict.fromkeys(reader(layers, context))) if reader and layers else []


def _table(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _keys(*path: str) -> Callable[[Layers, Context], Iterable[str]]:
    return lambda layers, context: [key for layer in layers for key in _table(layer, *path)]  # noqa: ARG005


def _texts(found: object) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _steps(layers: Layers, context: Context) -> Iterable[str]:
    """Return the steps of the pipeline that the line names, or of every pipeline if it names none."""
    every = [name for layer in layers for name in _table(layer, "pipelines")]
    named = [name for name in context.arguments if name in every] or every
    for name in dict.fromkeys(named):
        yield from next(
            filter(None, (_texts(_table(layer, "pipelines", name).get("steps")) for layer in layers)), []
        )


def _tables(layers: Layers, context: Context) -> Iterable[str]:  # noqa: ARG001
    found: list[str] = []
    for layer in layers:
        jobs, sources = _table(layer, "glue", "jobs"), _table(layer, "sources")
        found += [
            table
            for job in jobs
            for key in ("writes", "reads")
            for table in _texts(_table(jobs, job).get(key))
        ]
        found += [
            f"bronze.{source}_{name}"
            for source in sources
            for key in ("collections", "streams")
            for name in _texts(_table(sources, source).get(key))
        ]
    return sorted(found)


def _environments(layers: Layers, context: Context) -> Iterable[str]:  # noqa: ARG001
    return ["local", *(name for layer in layers for name in _table(layer, "env"))]


def _runs(layers: Layers, context: Context) -> Iterable[str]:
    """Return the newest runs that have a file in the state folder. Runs in S3 would need a call to AWS."""
    environ = context.environ
    named = [environ.get("ETLTCTL__STATE"), environ.get("ETLTCTL_STATE_DIR")]
    state = next(filter(None, (*named, *(layer.get("state") for layer in layers))), ".etltctl")
    if not isinstance(state, str) or "://" in state:
        return []
    try:
        files = [
            (file.stat().st_mtime_ns, file) for file in (context.directory / state / "runs").glob("*.ndjson")
        ]
    except OSError:
        return []
    ids = [file.stem for _, file in sorted(files, reverse=True)[:MOST_RUNS]]
    return [*ids, *(run_id.rpartition("-")[2] for run_id in ids)]


READERS: Mapping[str, Callable[[Layers, Context], Iterable[str]]] = {
    "pipelines": _keys("pipelines"),
    "sources": _keys("sources"),
    "jobs": _keys("glue", "jobs"),
    "data sources": _keys("tableau", "datasources"),
    "steps": _steps,
    "tables": _tables,
    "environments": _environments,
    "runs": _runs,
}
