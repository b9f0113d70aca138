"""The parts of the sample lake that a sample project takes over, all of which follow from its pipelines."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from etltctl.scaffold.sections import TomlSection, in_order, sections
from etltctl.settings.column_lineage import FILE as LINEAGE
from etltctl.settings.files import FILE, project_file
from etltctl.settings.job_modules import imported_modules


class SampleName(StrEnum):
    """The samples by name."""

    ALL = "all"
    WEATHER = "weather"
    F1 = "f1"
    NONE = "none"


PIPELINES: Mapping[SampleName, tuple[str, ...]] = {
    SampleName.ALL: ("mongodb", "api"),
    SampleName.WEATHER: ("mongodb",),
    SampleName.F1: ("api",),
    SampleName.NONE: (),
}
# How the name of the configuration begins that belongs to one pipeline alone.
PREFIXES = {"mongodb": "weather_", "api": "f1_"}


@dataclass(frozen=True)
class SamplePipeline:
    """A pipeline of the sample lake, and all that belongs to it."""

    name: str

    @cached_property
    def _shipped(self) -> Mapping[str, Any]:
        return tomllib.loads(project_file(FILE).read_text("utf-8"))

    def _named(self, kind: str) -> list[str]:
        steps = self._shipped["pipelines"][self.name]["steps"]
        return [step.partition(":")[2] for step in steps if step.startswith(f"{kind}:")]

    @property
    def source(self) -> str:
        """The source that the pipeline syncs."""
        return self._named("sync")[0]

    @property
    def jobs(self) -> list[str]:
        """The Glue jobs of the pipeline, in their order."""
        return self._named("glue")

    @cached_property
    def tables(self) -> set[str]:
        """The tables that the jobs read and write."""
        jobs = [self._shipped["glue"]["jobs"][name] for name in self.jobs]
        return {table for job in jobs for table in (*job["reads"], *job["writes"])}

    def has(self, section: TomlSection) -> bool:
        """Return whether a section of the sample lake is about the pipeline, or a heading of such sections."""
        match section.path:
            case ("sources", name) | ("env", "local", "sources", name):
                return name == self.source
            case ("glue", "jobs", name):
                return name in self.jobs
            case ("tables", table, *_):
                return table in self.tables
            case ("plots", name):
                return self._shipped["plots"][name]["table"] in self.tables
            case ("pipelines", name):
                return name == self.name
            case _:
                return section.path in (("tables",), ("plots",))

    def scripts(self) -> dict[str, str]:
        """Return the text of the jobs' scripts and of what they need next to them, by their place in the project."""
        folder = project_file("glue_jobs")
        files = [folder / Path(self._shipped["glue"]["jobs"][job]["script"]).name for job in self.jobs]
        for file in files:  # grows while it is walked
            names = sorted(imported_modules(file.read_bytes()))
            modules = [path for name in names if (path := folder / f"{name}.py").is_file()]
            files += [path for path in modules if path not in files]
        files.append(folder / f"{PREFIXES[self.name]}config.json")
        return {f"glue_jobs/{file.name}": file.read_text("utf-8") for file in files}


def settings_of(pipelines: list[SamplePipeline]) -> Iterator[TomlSection]:
    """Yield the sections of the sample lake that are about these pipelines, with their comments."""
    tables = {table for pipeline in pipelines for table in pipeline.tables}
    for section in sections(project_file(FILE).read_text("utf-8")):
        if any(pipeline.has(section) for pipeline in pipelines):
            yield section.with_keys(tables) if section.path == ("tables",) else section


def lineage_of(pipelines: list[SamplePipeline]) -> str:
    """Return the text of the file that declares the columns of the tables of these pipelines."""
    tables = {table for pipeline in pipelines for table in pipeline.tables}
    every = sections(project_file(f"glue_jobs/{LINEAGE}").read_text("utf-8"))
    return in_order([section for section in every if section.path == () or section.path[0] in tables])
