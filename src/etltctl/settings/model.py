"""The settings as types: what each key means, what it may be, and what it is when nobody says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator

from etltctl.errors import ConfigurationError
from etltctl.settings.airflow import Airflow
from etltctl.settings.checks import MOST_VERSIONS, Contracts, TableRules
from etltctl.settings.connections import Destination
from etltctl.settings.governance import Governance
from etltctl.settings.infra import Infra
from etltctl.settings.prices import Prices
from etltctl.settings.section import (
    LAYERS,
    SIZE_UNITS,
    Bucket,
    Folder,
    IdSecret,
    IdText,
    Section,
    Size,
    StatePlace,
    TableName,
)
from etltctl.settings.shipped import project_file
from etltctl.settings.sources import HttpSource, MongodbSource
from etltctl.settings.tableau import Tableau


class Lake(Section):
    """Where the layers lie, and how long versions of a table are kept.

    A version that is not current is deleted when `keep_versions` newer ones exist and it has been out of use for
    `grace_minutes`, which must be longer than the longest query; one that was never published after
    `keep_unpublished_days`.
    """

    bronze: Bucket
    silver: Bucket
    gold: Bucket
    scripts: Bucket
    keep_versions: int = Field(3, ge=1, le=MOST_VERSIONS)
    grace_minutes: int = Field(300, ge=0)
    keep_unpublished_days: int = Field(14, ge=1)

    def root(self, layer: str) -> str:
        """Where the layer's tables lie; rows that silver refused have a folder of their own beside its tables."""
        return f"{self.silver}/rejects" if layer == "silver_rejects" else str(getattr(self, layer))


class Airbyte(Section):
    """Airbyte's public API, how long a sync may take, the workspace and the destination of connections as code.

    `workspace_id` may be left unset where the application sees one workspace only.
    """

    url: str
    client_id: IdSecret
    client_secret: IdSecret
    timeout_minutes: int = Field(180, ge=1)
    workspace_id: IdText = ""
    destination: Destination = Destination()


class Aws(Section):
    """Profile and region; botocore's own rules apply where they are not set.

    Before a run starts anything, `preflight` asks IAM whether the caller's policies allow what its steps need. Switch
    it off if a resource's own policy alone gives access, such as a bucket policy: IAM's simulation does not see it.
    """

    profile: str | None = None
    region: str | None = None
    preflight: bool = True


class GlueJob(Section):
    """One Glue job: its script, its size, the tables it reads and writes (`layer.table`), its own config."""

    script: str
    role: str = "GlueJobRole"
    glue_version: str = "5.1"
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = "G.1X"
    workers: int = Field(2, ge=2)
    timeout_minutes: int = Field(45, ge=1, lt=10080)
    max_usd: float | None = Field(None, gt=0)
    reads: list[TableName] = []
    writes: list[TableName] = []
    config: dict[str, Any] = {}


class Glue(Section):
    """The Glue jobs by name."""

    jobs: dict[str, GlueJob] = {}


class Athena(Section):
    """The workgroup, the database of each layer, where results go, and the most a query may scan."""

    workgroup: str
    databases: dict[str, str]
    output_location: Folder
    max_scan: Size = "20GB"

    @field_validator("databases")
    @classmethod
    def _one_for_each_layer(cls, databases: dict[str, str]) -> dict[str, str]:
        if set(databases) != set(LAYERS):
            raise ValueError(f"must name a database for each of {', '.join(LAYERS)}")
        return databases

    @property
    def max_scan_bytes(self) -> int:
        """`max_scan` in bytes."""
        number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", self.max_scan).groups()  # type: ignore[union-attr]
        return int(float(number) * SIZE_UNITS[unit])


class Pipeline(Section):
    """The steps of a pipeline, in order, each `kind:name`."""

    steps: list[str] = Field(min_length=1)


class Local(Section):
    """The embedded server; port 0 takes any free one. It stays up for `linger_minutes` after the last command."""

    port: int = Field(default=0, ge=0, le=65535)
    linger_minutes: float = Field(default=5, ge=0, le=24 * 60)
    class_archive: bool = True
    witness: bool = False


@dataclass(frozen=True)
class SettingValue:
    """One setting as it may be shown, and where it comes from."""

    key: str
    value: Any
    origin: str


class Settings(Section):
    """Everything one environment's commands need to know."""

    version: Literal[1] = 1
    project: str
    default_env: str = "local"
    env: str
    protected: bool = False
    state: StatePlace = ".etltctl"
    lake: Lake
    sources: dict[str, Annotated[MongodbSource | HttpSource, Field(discriminator="kind")]] = {}
    airbyte: Airbyte
    aws: Aws = Aws()
    glue: Glue = Glue()
    athena: Athena
    prices: Prices = Prices()
    tables: dict[TableName, TableRules] = {}
    contracts: Contracts = Contracts()
    pipelines: dict[str, Pipeline] = {}
    tableau: Tableau = Tableau()
    local: Local = Local()
    governance: Governance = Governance()
    airflow: Airflow = Airflow()
    infra: Infra = Infra()

    _folder: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)
    _shown: Callable[[], tuple[SettingValue, ...]] = PrivateAttr(default=tuple)
    _place: Callable[[tuple[str, ...]], str] = PrivateAttr(default=".".join)

    def values(self) -> tuple[SettingValue, ...]:
        """Every setting with its origin, secrets masked."""
        return self._shown()

    def place_of(self, *path: str) -> str:
        """Where the setting stands, as `file:line:column`; a list's items are numbered from 0."""
        return self._place(path)

    @property
    def stack_name(self) -> str:
        """The name of the CloudFormation stack."""
        return self.infra.stack or self.project

    @property
    def log_group_prefix(self) -> str:
        """The prefix of the log groups to which the stack's Glue jobs write.

        It begins with `/aws-glue/`, which AWS's managed policy for Glue's roles lets jobs write to.
        """
        return f"/aws-glue/{self.stack_name}"

    @property
    def folder(self) -> Path:
        """Where the settings file lies, or the working folder."""
        return self._folder

    @property
    def file(self) -> Path | None:
        """The settings file; None where there is none and the shipped defaults are in force."""
        return self._file

    def stream_locations(self, source: str) -> dict[str, str]:
        """Where the source's streams lie in bronze, by table name."""
        found = self.sources[source]
        root = f"{self.lake.bronze}/{found.prefix or source}"
        if isinstance(found, MongodbSource):
            return {f"{source}_{name}": f"{root}/{found.database}/{name}/" for name in found.collections}
        return {f"{source}_{name}": f"{root}/{name}/" for name in found.streams}

    def rules(self, table: str) -> TableRules:
        """What is promised of `layer.table`; nothing where nobody says."""
        return self.tables.get(table) or TableRules.model_validate({})

    @property
    def contracts_folder(self) -> Path:
        """Where the contracts of the tables are kept."""
        if self.contracts.folder is not None:
            return self._folder / self.contracts.folder
        is_remote = self.state.startswith("s3://")
        return self._folder / "contracts" if is_remote else Path(self.state) / "contracts"

    def script_path(self, job: str) -> Path:
        """The job's script: beside the settings file, or the one the package ships."""
        script = self.glue.jobs[job].script
        return self._own_or_shipped(script)

    def require_script(self, job: str) -> Path:
        """The job's script; raises ConfigurationError if there is none."""
        script = self.script_path(job)
        if not script.is_file():
            raise ConfigurationError(
                f"the script of Glue job {job} is missing: {script}", hint=f"check glue.jobs.{job}.script"
            )
        return script

    def require_scripts(self) -> None:
        """Raises ConfigurationError with every script that is missing."""
        missing = tuple(
            f"{self.place_of('glue', 'jobs', job, 'script')}: Glue job {job} has no such script: {script}"
            for job in self.glue.jobs
            if not (script := self.script_path(job)).is_file()
        )
        if missing:
            raise ConfigurationError(
                f"{len(missing)} script{'s' * (len(missing) > 1)} missing", problems=missing
            )

    def manifest_path(self, source: str) -> Path:
        """The manifest of the source's low-code connector: beside the settings file, or the one the package ships."""
        manifest = self.sources[source].manifest  # type: ignore[union-attr]
        return self._own_or_shipped(manifest)

    def _own_or_shipped(self, relative: str) -> Path:
        own, shipped = self._folder / relative, project_file(relative)
        return shipped if shipped.is_file() and not own.is_file() else own

    def extra_files(self, job: str) -> list[Path]:
        """List the modules and data files next to the job's script.

        A file of the project comes before the shipped file of the same name, as it does for scripts. The script of a
        job is never in the list, so no shipped script can take the place of the project's.

        Args:
            job: A name in `glue.jobs`.

        Returns:
            The files, one a name, sorted by name.
        """
        script = Path(os.path.normpath(self.glue.jobs[job].script))
        folder = script.parent
        scripts = {Path(os.path.normpath(each.script)) for each in self.glue.jobs.values()}
        places = [self._folder / folder]
        if (
            shipped := project_file(str(script))
        ).is_file():  # the project's own version may import shipped modules
            places.insert(0, shipped.parent)
        files = {
            file.name: file for place in places for kind in ("*.py", "*.json") for file in place.glob(kind)
        }
        return [
            files[name]
            for name in sorted(files)
            if folder / name not in scripts and name != "__init__.py" and files[name].is_file()
        ]

    def keep(
        self,
        folder: Path,
        file: Path | None,
        shown: Callable[[], tuple[SettingValue, ...]],
        place: Callable[[tuple[str, ...]], str],
    ) -> None:
        """Note where the settings came from. Called once, by the loader."""
        self._folder, self._file, self._shown, self._place = folder, file, shown, place


def every_key() -> set[str]:
    """The name of every setting there is, for guessing what an unknown one means."""
    sections = [Section]
    for section in sections:
        sections += section.__subclasses__()
    return {name for section in sections for name in section.model_fields}
