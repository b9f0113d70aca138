"""A new source in a project: its settings, the job that cleans its tables, a test of the job, and its DAG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.errors import Command, ConfigurationError, NextStep, UsageError, command
from etltctl.scaffold.new_files import append, write_together
from etltctl.scaffold.source_answers import Answers, Ask, NewSource, new_source, source_command
from etltctl.settings import load_settings
from etltctl.settings.toml_tables import toml_key, toml_text

if TYPE_CHECKING:
    from etltctl.settings import Settings

TEMPLATES = Path(__file__).parent / "files" / "source"


@dataclass(frozen=True)
class AddedSource:
    """A source that was added to a project.

    Attributes:
        changed: The settings file, which has the source's sections at its end.
        written: The new files.
        next_command: The command that runs the source's pipeline.
    """

    changed: Path
    written: Sequence[Path]
    next_command: Command

    def seen_from(self, folder: Path) -> AddedSource:
        """Return it with the paths below a folder as they are called there."""
        changed, *written = (
            path.relative_to(folder) if path.is_relative_to(folder) else path
            for path in (self.changed, *self.written)
        )
        return replace(self, changed=changed, written=written)


def add_source(settings: Settings, answers: Answers, ask: Ask) -> AddedSource:
    """Add a source to a project: sections of its settings, a Glue script, a test and a DAG.

    Args:
        settings: The project's settings. The sections are added at the end of their file; nothing else in it changes.
        answers: What is known of the source.
        ask: Asks for a value that is missing.

    Raises:
        UsageError: A value is missing or has another form, or the project has a source, a pipeline or a file of that
            name already. Nothing was written.
        ConfigurationError: There is no project, its settings would not be valid, or a file cannot be written. Nothing
            was written.
    """
    file = settings.file
    if file is None:
        raise ConfigurationError(
            "there is no etltctl.toml here or above to add a source to",
            hint=NextStep("begin a project: ", command("init", "DIR")),
        )
    source = new_source(answers, ask)
    another_name = NextStep(
        "choose another name for the source: ", source_command(replace(answers, name="NAME"))
    )
    _require_new(settings, file, source, another_name)
    before = file.read_bytes()
    added = ("\n" if before.endswith(b"\n") else "\n\n") + settings_of(source)
    _require_valid(settings, file, before.decode("utf-8-sig") + added, source.name)
    written = write_together(
        file.parent, _files(source), instead=another_name, finish=lambda: append(file, before, added.encode())
    )
    return AddedSource(file, written, command("run", source.name))


def settings_of(source: NewSource) -> str:
    """Return the sections of the settings file that describe a source, as TOML."""
    sections = {
        f"[sources.{source.name}]": source.values,
        f"[glue.jobs.{source.job}]": {
            "script": f"glue_jobs/{source.job}.py",
            "reads": list(source.tables),
            "writes": list(source.tables.values()),
        },
        f"[pipelines.{source.name}]": {
            "steps": [f"sync:{source.name}", f"glue:{source.job}", "athena:refresh"],
        },
    }
    if source.keys:
        for table in source.tables.values():
            sections[f"[tables.{toml_key(table)}]"] = {"keys": list(source.keys)}
    return "\n".join(
        f"{header}\n" + "".join(f"{toml_key(name)} = {toml_text(value)}\n" for name, value in values.items())
        for header, values in sections.items()
    )


def _require_new(settings: Settings, file: Path, source: NewSource, another_name: NextStep) -> None:
    taken = {
        f"a source {source.name}": source.name in settings.sources,
        f"a pipeline {source.name}": source.name in settings.pipelines,
        f"a Glue job {source.job}": source.job in settings.glue.jobs,
    }
    if existing := [name for name, is_taken in taken.items() if is_taken]:
        raise UsageError(
            f"{file} already has {' and '.join(existing)}; nothing was written", hint=another_name
        )


def _require_valid(before: Settings, file: Path, text: str, name: str) -> None:
    """Check the whole text before the file has it, in the same environment and the same folder."""
    from etltctl.settings.connector_problems import connector_problems
    from etltctl.settings.secret_problems import secret_problems

    try:
        settings = load_settings(config=file, env=before.env, text=text)
    except ConfigurationError as error:
        raise _invalid(error.problems or (error.message,)) from error
    problems = [*secret_problems(settings), *connector_problems(settings)]
    # Only those of this source: a fault that the project had before does not stop it.
    own = tuple(problem for problem in problems if f" sources.{name}." in problem)
    if own:
        raise _invalid(own)


def _invalid(problems: tuple[str, ...]) -> ConfigurationError:
    return ConfigurationError(
        "the settings would not be valid with this source; nothing was written",
        problems=problems,
        hint=NextStep("see what a source needs: ", command("source", "add", "--help")),
    )


def _files(source: NewSource) -> Mapping[str, str]:
    """Return the text of each new file by its place in the project."""
    tables = dict(source.tables)
    keys = {table: list(source.keys) for table in tables.values()}
    names = {"SOURCE": source.name, "bronze_to_silver.py": f"{source.job}.py"}
    job = _template("job.py", names)
    job = job.replace('TABLES = {"bronze.table": "silver.table"}', f"TABLES = {_python(tables)}")
    job = job.replace('= {"silver.table": []}', f"= {_python(keys)}")
    first = next(iter(tables.values()))
    return {
        f"glue_jobs/{source.job}.py": job.replace("silver.table", first),
        f"tests/test_{source.job}.py": _template("test_job.py", {**names, "silver.table": first}),
        f"dags/dag_{source.name}.py": _template("dag.py", names),
    }


def _template(name: str, replaced: Mapping[str, str]) -> str:
    text = (TEMPLATES / name).read_text("utf-8")
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


def _python(value: Mapping[str, Any]) -> str:
    """Return a dictionary as Python writes it, an entry a line."""
    return "{\n" + "".join(f"    {_quoted(key)}: {_quoted(entry)},\n" for key, entry in value.items()) + "}"


def _quoted(value: Any) -> str:
    # JSON's escapes are also Python's, but for the two by which JSON writes a character such as 😀.
    return json.dumps(value, ensure_ascii=False)
