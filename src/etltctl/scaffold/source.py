"""A new source in a project: its settings, the job that cleans its tables, a test of the job, and its DAG."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.atomic_files import write_atomically
from etltctl.errors import ConfigurationError, NextStep, UsageError, command
from etltctl.scaffold.new_files import write_together
from etltctl.settings import load_settings
from etltctl.settings.toml_tables import toml_key, toml_text

TEMPLATES = Path(__file__).parent / "files" / "source"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MONGODB = "mongodb"


@dataclass(frozen=True)
class NewSource:
    """A source that a project does not have yet.

    Attributes:
        name: The source's name, which begins the names of its bronze and silver tables.
        values: The source's settings, in the order in which they are written.
        streams: The streams or collections that it reads. Each becomes a bronze and a silver table.
        keys: The columns whose values name a record; none if the source has no such columns.
    """

    name: str
    values: Mapping[str, Any]
    streams: Sequence[str]
    keys: Sequence[str] = field(default_factory=tuple)

    @property
    def job(self) -> str:
        """The name of the Glue job."""
        return f"bronze_to_silver_{self.name}"

    @property
    def tables(self) -> Mapping[str, str]:
        """The silver table of each bronze table."""
        from etltctl.settings.sources import table_of_stream

        is_mongodb = self.values["kind"] == MONGODB  # whose collections are tables under their own names
        names = [f"{self.name}_{each if is_mongodb else table_of_stream(each)}" for each in self.streams]
        return {f"bronze.{name}": f"silver.{name}" for name in names}


def add_source(settings_file: Path, source: NewSource) -> list[Path]:
    """Add a source to a project: sections of its settings, a Glue script, a test and a DAG.

    Args:
        settings_file: The project's settings file. The sections are added at its end; nothing else in it changes.
        source: The source.

    Returns:
        The files that were written, the settings file first.

    Raises:
        UsageError: The project has a source, a pipeline or a file of that name already. Nothing was written.
        ConfigurationError: The settings would not be valid, or a file cannot be written. Nothing was written.
    """
    if not NAME.fullmatch(source.name):
        raise UsageError(
            f"a source cannot be called {source.name!r}: use small letters, digits and _, a letter first, at most 40"
        )
    # As bytes: what stands in the file keeps its line ends and its byte order mark.
    content = settings_file.read_bytes().rstrip() + f"\n\n{settings_of(source)}".encode()
    _require_new(settings_file, source)
    _require_valid(settings_file, content.decode("utf-8-sig"), source.name)
    written = write_together(
        settings_file.parent,
        _files(source),
        instead=NextStep("choose another name for the source"),
        finish=lambda: write_atomically(settings_file, content),
    )
    return [settings_file, *written]


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


def _require_new(settings_file: Path, source: NewSource) -> None:
    settings = load_settings(config=settings_file)
    taken = {
        f"a source {source.name}": source.name in settings.sources,
        f"a pipeline {source.name}": source.name in settings.pipelines,
        f"a Glue job {source.job}": source.job in settings.glue.jobs,
    }
    if existing := [name for name, is_taken in taken.items() if is_taken]:
        raise UsageError(
            f"{settings_file} already has {' and '.join(existing)}; nothing was written",
            hint="choose another name for the source",
        )


def _require_valid(settings_file: Path, text: str, name: str) -> None:
    """Check the whole text before the file has it. The connector's own files count from the project's folder."""
    from etltctl.settings.connector_problems import connector_problems
    from etltctl.settings.doubts import literal_secrets

    try:
        settings = load_settings(config=settings_file, text=text)
    except ConfigurationError as error:
        raise _invalid(error.problems or (error.message,)) from error
    problems = [*(doubt.text for doubt in literal_secrets(settings)), *connector_problems(settings)]
    # Only this source's: a fault that the project had before is no reason to refuse it.
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
