"""A new source in a project: its settings, the job that cleans its tables, a test of the job, and its DAG."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.atomic_files import atomic_file
from etltctl.errors import ConfigurationError, NextStep, UsageError, command
from etltctl.scaffold.new_files import write_together
from etltctl.settings import load_settings
from etltctl.settings.files import FILE
from etltctl.settings.stream_names import table_of_collection, table_of_stream

TEMPLATES = Path(__file__).parent / "files" / "source"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MONGODB = "mongodb"
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


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
        table_of = table_of_collection if self.values.get("kind") == MONGODB else table_of_stream
        names = [f"{self.name}_{table_of(each)}" for each in self.streams]
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
    before = settings_file.read_text("utf-8")
    _require_new(settings_file, source)
    text = f"{before.rstrip()}\n\n{settings_of(source)}"
    _require_valid(text, source.name)
    written = write_together(settings_file.parent, _files(source))
    try:
        with atomic_file(settings_file) as stream:
            stream.write(text.encode())
    except OSError as error:
        for file in written:
            file.unlink()
        raise ConfigurationError(
            f"cannot write {settings_file}: {error.strerror}; nothing was added"
        ) from error
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
            sections[f'[tables."{table}"]'] = {"keys": list(source.keys)}
    return "\n".join(
        f"{header}\n" + "".join(f"{_key(name)} = {_toml(value)}\n" for name, value in values.items())
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


def _require_valid(text: str, name: str) -> None:
    """Check the whole file before the project sees it, in another folder and under its own name, which errors show."""
    from etltctl.settings.doubts import literal_secrets

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        file.write_text(text, "utf-8")
        try:
            settings = load_settings(config=file)
        except ConfigurationError as error:
            raise _invalid(error.problems or (error.message,)) from error
        own = [doubt.text for doubt in literal_secrets(settings) if f" sources.{name}." in doubt.text]
    if own:
        raise _invalid(tuple(own))


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
    return (
        "{\n"
        + "".join(f"    {json.dumps(key)}: {json.dumps(entry)},\n" for key, entry in value.items())
        + "}"
    )


def _toml(value: Any) -> str:
    """Return a value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # JSON's texts, numbers and truth values are also TOML's.
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
