"""The settings as types: the meaning of each key, its possible values, and its default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from etltctl.errors import ConfigurationError
from etltctl.settings.checks import Contracts, TableRules
from etltctl.settings.environment import EMBEDDED, ON_AWS, AwsRoute, Environment
from etltctl.settings.governance import Governance
from etltctl.settings.infra import Infra
from etltctl.settings.job_files import files_next_to, own_or_shipped
from etltctl.settings.job_modules import needed_files
from etltctl.settings.lake import Lake
from etltctl.settings.layers import SettingValue
from etltctl.settings.lineage import Lineage
from etltctl.settings.notify import ReceiverSetting
from etltctl.settings.plots import Plot
from etltctl.settings.project_names import DEFAULT_PROJECT, with_project_names
from etltctl.settings.section import Section, StatePlace, TableName, Text, Whole
from etltctl.settings.services import Airbyte, Airflow, Athena, Aws, Glue, Local, Prices, Tableau
from etltctl.settings.sources import AnySource
from etltctl.settings.sql_tables import SqlTable
from etltctl.values import LOCAL, S3Location


class Pipeline(Section):
    """The steps of a pipeline, in their order, each as `kind:name`."""

    steps: list[str] = Field(
        min_length=1,
        description="`sync:SOURCE`, `glue:JOB`, `sql:NAME`, `athena:refresh`, `tableau:DATASOURCE`",
    )


class Settings(Section):
    """Everything that the commands need to know of one environment."""

    version: Annotated[Literal[1], Whole] = Field(default=1, description="the version of the file's format")
    project: Text = Field(
        default=DEFAULT_PROJECT,
        description=(
            "names the buckets, the databases and the stack with its roles, alarms, log groups and secret; another "
            "name makes another stack. An environment on AWS needs it set"
        ),
    )
    default_env: Text = Field(
        default="local", description="the environment if neither the caller nor ETLTCTL_ENV names one"
    )
    env: str
    protected: bool = Field(
        default=False,
        description=(
            "whether these commands ask first: `run`, `sync`, `run-glue`, `retry`, `runs cancel`, `rollback`, "
            "`athena refresh`, `tableau publish`, `tableau refresh`, `govern apply` and `connections apply`, as well "
            "as `runs watch` before it starts a step, and `athena query` if the statement is not a read. Without a "
            "terminal they need `--yes`. `contract accept` and `runs rebuild` only write contracts and events, and "
            "do not ask"
        ),
    )
    state: StatePlace = Field(
        default=".etltctl",
        description=(
            "where the events of runs are kept: a folder, or `s3://…`; the embedded lake is there too. A relative "
            "folder counts from the settings file, and in `ETLTCTL_STATE_DIR` from the working folder"
        ),
    )
    lake: Lake = Lake()
    sources: dict[str, AnySource] = {}
    airbyte: Airbyte = Airbyte()
    aws: Aws = Aws()
    glue: Glue = Glue()
    sql: dict[str, SqlTable] = {}
    athena: Athena = Athena()
    prices: Prices = Prices()
    tables: dict[TableName, TableRules] = {}
    contracts: Contracts = Contracts()
    plots: dict[str, Plot] = {}
    notify: dict[str, ReceiverSetting] = {}
    pipelines: dict[str, Pipeline] = {}
    tableau: Tableau = Tableau()
    local: Local = Local()
    governance: Governance = Governance()
    airflow: Airflow = Airflow()
    infra: Infra = Infra()
    lineage: Lineage = Lineage()

    @model_validator(mode="before")
    @classmethod
    def _name_after_the_project(cls, data: Any) -> Any:
        return with_project_names(data)

    # Private, so that they are not settings: they take no part in the schema or a dump.
    _folder: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)
    _shown: Callable[[], tuple[SettingValue, ...]] = PrivateAttr(default=tuple)
    _place: Callable[[tuple[str, ...]], str] = PrivateAttr(default=".".join)
    _overlay: Callable[[Mapping[str, Any]], Settings] | None = PrivateAttr(default=None)
    _route: AwsRoute | None = PrivateAttr(default=None)
    _plot_problems: tuple[str, ...] = PrivateAttr(default=())

    def values(self) -> tuple[SettingValue, ...]:
        """Return every setting with its origin, secrets masked."""
        return self._shown()

    @property
    def plot_problems(self) -> tuple[str, ...]:
        """What is wrong in `[plots]`, each with its place. It fails no run: `config validate` refuses it."""
        return self._plot_problems

    def place_of(self, *path: str) -> str:
        """Return where a setting stands, as `file:line:column`. The items of a list are numbered from 0."""
        return self._place(path)

    def has_setting(self, key: str) -> bool:
        """Return whether there can be a setting of this dotted key: that of a source depends on its kind."""
        section, *names = key.split(".")
        source = self.sources.get(names[0]) if section == "sources" and len(names) > 1 else None
        return source is None or names[1] in type(source).model_fields

    def overlaid(self, values: Mapping[str, Any], route: AwsRoute | None = None) -> Settings:
        """Return these settings with values that come next after the flags. Nothing is read again.

        Args:
            values: The values, as tables within tables.
            route: Where AWS clients go, or their credentials; None for where the process's variables lead.

        Raises:
            ConfigurationError: The values are invalid.
            ValueError: The settings do not come from `load_settings`.
        """
        if self._overlay is None:
            raise ValueError("only settings that were loaded can be overlaid")
        settings = self._overlay(values)
        settings._route = route
        return settings

    @property
    def route(self) -> AwsRoute | None:
        """Where AWS clients go, or their credentials; None for where the process's variables lead."""
        return self._route

    @property
    def environment(self) -> Environment:
        """What differs between an environment on AWS and one that the embedded server serves."""
        return EMBEDDED if self.is_embedded else ON_AWS

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded server serves this environment: it reads the sources and runs the jobs."""
        return self.env == LOCAL

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
        """The settings file; None where there is none and the sample lake applies."""
        return self._file

    def stream_locations(self, source: str) -> dict[str, str]:
        """Return where a source's streams lie in bronze, by table name."""
        settings = self.sources[source]
        root = f"{self.lake.bronze}/{settings.prefix or source}"
        return {f"{source}_{name}": f"{root}/{folder}/" for name, folder in settings.folders().items()}

    def stream_tables(self) -> dict[str, str]:
        """Return where the streams of all sources lie in bronze, by table as `layer.table`."""
        return {
            f"bronze.{name}": location
            for source in self.sources
            for name, location in self.stream_locations(source).items()
        }

    def versioned_tables(self) -> list[str]:
        """Return the tables that jobs and queries write as versions, as `layer.table`, each once."""
        of_jobs = (table for job in self.glue.jobs.values() for table in job.writes)
        return list(dict.fromkeys([*of_jobs, *(each.writes for each in self.sql.values())]))

    def rules(self, table: str) -> TableRules:
        """Return the checks of `layer.table`; none if the settings name none."""
        return self.tables.get(table) or TableRules.model_validate({})

    @property
    def contracts_folder(self) -> Path:
        """Where the contracts of the tables are kept."""
        if self.contracts.folder is not None:
            return self._folder / self.contracts.folder
        is_remote = S3Location.is_one(self.state)
        return self._folder / "contracts" if is_remote else Path(self.state) / "contracts"

    def sql_path(self, name: str) -> Path:
        """Return the file of a query in `sql`. It lies next to the settings file or below."""
        return self._folder / self.sql[name].file

    def script_path(self, job: str) -> Path:
        """Return a job's script: next to the settings file, or the shipped one."""
        return own_or_shipped(self._folder, self.glue.jobs[job].script)

    def require_script(self, job: str) -> Path:
        """Return a job's script.

        Raises:
            ConfigurationError: The script is missing.
        """
        script = self.script_path(job)
        if not script.is_file():
            raise ConfigurationError(
                f"the script of Glue job {job} is missing: {script}", hint=f"check glue.jobs.{job}.script"
            )
        return script

    def require_scripts(self) -> None:
        """Check that every job has its script.

        Raises:
            ConfigurationError: Scripts are missing; each is named with its setting.
        """
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
        """Return the manifest of a source's low-code connector: next to the settings file, or the shipped one."""
        return own_or_shipped(self._folder, self.sources[source].connector or "")

    def extra_files(self, job: str) -> list[Path]:
        """List the modules next to the job's script that it imports, directly or not, and the data files next to it."""
        jobs = self.glue.jobs
        neighbours = files_next_to(self._folder, jobs[job].script, [each.script for each in jobs.values()])
        return needed_files(self.script_path(job), neighbours)

    def keep(
        self,
        folder: Path,
        file: Path | None,
        shown: Callable[[], tuple[SettingValue, ...]],
        place: Callable[[tuple[str, ...]], str],
        overlay: Callable[[Mapping[str, Any]], Settings],
    ) -> None:
        """Note where the settings came from. The loader calls this once."""
        self._folder, self._file, self._shown, self._place = folder, file, shown, place
        self._overlay = overlay

    def keep_plot_problems(self, problems: list[str]) -> None:
        """Add problems of `[plots]`."""
        self._plot_problems += tuple(problems)
