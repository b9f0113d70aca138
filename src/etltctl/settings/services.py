"""Settings of the services: Airbyte, AWS, Glue, Athena, Airflow, Tableau, the embedded server, and what they charge."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from etltctl.settings.project_names import LAYERS, JobNames
from etltctl.settings.section import SIZE_UNITS, Folder, IdSecret, IdText, Secret, Section, Size, TableName

Usd = Annotated[float, Field(ge=0)]


class Destination(Section):
    """How Airbyte writes Parquet into bronze: as the role, with the key, or with the rights of its machine."""

    region: str = ""  # that of `aws`, unless named
    role_arn: str = ""
    access_key_id: Secret = ""
    secret_access_key: Secret = ""
    codec: Literal["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"] = "SNAPPY"


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
    """Profile and region; botocore's rules apply where they are not set.

    Before a run starts anything, `preflight` asks IAM whether the caller's policies allow what its steps need. Switch
    it off if a resource's own policy alone gives access, such as a bucket policy: IAM's simulation does not see it.
    """

    profile: str | None = None
    region: str | None = None
    preflight: bool = True


class GlueJob(Section):
    """One Glue job: its script, its size, the tables it reads and writes (`layer.table`), its config.

    Without a `role` the job runs as the project's, `PROJECT-glue`.
    """

    script: str
    role: str = ""
    glue_version: str = "5.1"
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = "G.1X"
    workers: int = Field(2, ge=2)
    timeout_minutes: int = Field(45, ge=1, lt=10080)
    max_usd: float | None = Field(None, gt=0)
    reads: list[TableName] = []
    writes: list[TableName] = []
    config: dict[str, Any] = {}


def _job_prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text):
        raise ValueError(f"must be letters, digits, - and _, at most 100, got {text!r}")
    return text


class Glue(Section):
    """The Glue jobs by name, and the prefix of their names at Glue.

    With a `job_prefix` two projects can share an account: every command keeps the short names of the jobs.
    """

    job_prefix: Annotated[str, AfterValidator(_job_prefix)] = ""
    jobs: dict[str, GlueJob] = {}

    @property
    def names(self) -> JobNames:
        """The names of the jobs, here and at Glue."""
        return JobNames(self.job_prefix)


class Athena(Section):
    """The workgroup, the database of each layer, where results go, and the most a query may scan.

    Names that are left out follow from the project: the workgroup `PROJECT`, and a database `PROJECT_LAYER` for each
    layer, with `_` in place of `-`.
    """

    workgroup: str = ""
    databases: dict[str, str] = {}
    output_location: Folder
    max_scan: Size = "20GB"

    @field_validator("databases")
    @classmethod
    def _of_layers(cls, databases: dict[str, str]) -> dict[str, str]:
        if not set(databases) <= set(LAYERS):
            raise ValueError(f"must name databases of {', '.join(LAYERS)} only")
        for layer, name in databases.items():
            if not re.fullmatch(r"[a-z0-9_]{1,255}", name):
                raise ValueError(
                    f"{layer} must be small letters, digits and _, as Athena takes them, got {name!r}"
                )
        return databases

    @property
    def max_scan_bytes(self) -> int:
        """`max_scan` in bytes."""
        number, unit = re.fullmatch(r"([\d.]+)\s*(\w+)", self.max_scan).groups()  # type: ignore[union-attr]
        return int(float(number) * SIZE_UNITS[unit])


class Airflow(Section):
    """How tasks wait, and what becomes of remote work when Airflow ends a task that waits.

    `deferrable`: hand the wait to a triggerer, which holds no worker slot; `auto` if one serves.
    """

    deferrable: bool | Literal["auto"] = "auto"
    on_kill: Literal["stop", "detach"] = "stop"


class Datasource(Section):
    """One data source: an extract of `table` is published; without one its extract is refreshed on the server."""

    name: str = ""  # in Tableau; the key, unless named
    project: str = ""  # that of `tableau`, unless named
    table: TableName | None = None
    where: str = ""
    columns: list[str] = []


class Tableau(Section):
    """A site of Tableau Server or Cloud; `site` is its content URL, empty for the default site."""

    server: str = ""
    site: str = ""
    token_name: Secret = "env:TABLEAU_TOKEN_NAME"
    token_secret: Secret = "env:TABLEAU_TOKEN_SECRET"
    project: str = "default"
    timeout_minutes: int = Field(default=60, ge=1)
    datasources: dict[str, Datasource] = {}


class Local(Section):
    """The embedded server; port 0 takes any free one. It stays up for `linger_minutes` after the last command."""

    port: int = Field(default=0, ge=0, le=65535)
    linger_minutes: float = Field(default=5, ge=0, le=24 * 60)
    class_archive: bool = True
    witness: bool = False


class RegionPrices(Section):
    """What is charged in one region, where it is not the usual price."""

    glue_dpu_hour_usd: Usd | None = None
    athena_tb_usd: Usd | None = None


class Prices(Section):
    """What the services charge, for estimates, budgets and sums, in US dollars.

    The defaults are the list prices of us-east-1; `[prices.regions.NAME]` names what a region charges otherwise.
    """

    glue_dpu_hour_usd: Usd = 0.44
    athena_tb_usd: Usd = 5.0
    regions: dict[str, RegionPrices] = {}

    def of(self, region: str | None) -> Prices:
        """Return the prices of a region."""
        own = self.regions.get(region or "", RegionPrices())
        return Prices(**{**self.model_dump(), **own.model_dump(exclude_none=True)})
