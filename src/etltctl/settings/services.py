"""Settings of the services: Airbyte, AWS, Glue, Athena, Airflow, Tableau, the embedded server, and what they charge."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from etltctl.settings.project_names import LAYERS, JobNames
from etltctl.settings.section import (
    MAX_MINUTES,
    Folder,
    IdSecret,
    IdText,
    Secret,
    Section,
    Size,
    TableName,
    Text,
    Texts,
    bytes_of,
)  # fmt: skip

Usd = Annotated[float, Field(ge=0)]
Minutes = Annotated[int, Field(ge=1, le=MAX_MINUTES)]  # of a wait


class Destination(Section):
    """How Airbyte writes Parquet into bronze: as the role, with the access key, or with the rights of its machine.

    `etltctl connections apply` gives this to the destination that it makes.
    """

    region: str = Field(default="", description="the bucket's region; that of `aws` unless set")
    role_arn: str = Field(default="", description="the role that Airbyte assumes")
    access_key_id: Secret = Field(default="", description="secret: the access key that Airbyte uses")
    secret_access_key: Secret = Field(default="", description="secret: the secret of that key")
    codec: Literal["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD"] = Field(
        default="SNAPPY", description="how the Parquet files are compressed"
    )


class Airbyte(Section):
    """Airbyte's public API, the application that calls it, and how long a sync may take."""

    url: Text = Field(
        default="https://api.airbyte.com/v1",
        description="the API's address; self-hosted `https://HOST/api/public/v1`",
    )
    client_id: IdSecret = Field(
        default="env:AIRBYTE_CLIENT_ID", description="secret: the client id of an application in Airbyte"
    )
    client_secret: IdSecret = Field(
        default="env:AIRBYTE_CLIENT_SECRET", description="secret: the secret of the same application"
    )
    timeout_minutes: Minutes = Field(
        default=180, description="how long etltctl waits for a sync; the sync goes on after that"
    )
    workspace_id: IdText = Field(
        default="",
        description=(
            "the workspace for new connections; may be unset if the application sees one workspace only"
        ),
    )
    destination: Destination = Destination()


class Aws(Section):
    """The account. If profile or region is not set, botocore's own rules apply."""

    profile: str | None = Field(default=None, description="a profile of AWS's own configuration")
    region: str | None = Field(default=None, description="the region of everything")
    preflight: bool = Field(
        default=True,
        description=(
            "whether a run asks IAM, before it starts anything, if the caller's policies allow its "
            "steps. Set `false` if a resource's own policy alone gives access, such as a bucket policy: "
            "IAM's simulation does not see it"
        ),
    )


class GlueJob(Section):
    """One Glue job: its script, its size, the tables that it reads and writes, its config."""

    script: Text = Field(
        description="the script: a path relative to the settings file, or one that etltctl ships"
    )
    role: str = Field(default="", description="the role of the job; `PROJECT-glue` unless set")
    glue_version: str = Field(
        default="5.1", description="the version of Glue; 5.1 has Spark 3.5.6 and Java 17"
    )
    # The same as `worker_sizes.WorkerType`: strict settings take text for a Literal, and no text for an enumeration.
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X", "R.1X", "R.2X", "R.4X", "R.8X"] = Field(
        default="G.1X", description="the type of each worker; R types have twice the memory of G types"
    )
    workers: int = Field(default=2, ge=2, description="the number of workers")
    timeout_minutes: int = Field(default=45, ge=1, lt=10080, description="Glue stops a run after this time")
    max_usd: float | None = Field(
        default=None, gt=0, description="a run that would cost more is not started (exit 9)"
    )
    reads: list[TableName] = Field(
        default=[],
        description="the tables it reads, as `layer.table`; it gets their current versions as arguments",
    )
    writes: list[TableName] = Field(default=[], description="the tables it writes, each as a new version")
    config: dict[str, Any] = Field(default={}, description="values on top of the job's own config file")
    incremental: bool = Field(
        default=False,
        description=(
            "whether the job gets the names of what its tables' current versions have not seen yet; the shipped "
            "jobs then make only what has changed"
        ),
    )


def _job_prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{0,100}", text):
        raise ValueError(f"must be letters, digits, - and _, at most 100, got {text!r}")
    return text


class Glue(Section):
    """The Glue jobs by name, and the prefix of their names at Glue."""

    job_prefix: Annotated[str, AfterValidator(_job_prefix)] = Field(
        default="",
        description=(
            "goes before a job's name at Glue, so that two projects can share an account; commands keep "
            "the short names"
        ),
    )
    jobs: dict[str, GlueJob] = {}

    @property
    def names(self) -> JobNames:
        """The names of the jobs, here and at Glue."""
        return JobNames(self.job_prefix)


class Athena(Section):
    """The workgroup, the database of each layer, the place of results, and the most a query may scan."""

    workgroup: str = Field(default="", description="the workgroup of every query; `PROJECT` unless set")
    databases: dict[str, str] = Field(
        default={},
        description=(
            "the catalog's database of each layer; `PROJECT_LAYER` unless set, with `_` in place of `-`"
        ),
    )
    output_location: Folder = Field(
        default="", description="the place of query results; `s3://PROJECT-athena-results/` unless set"
    )
    max_scan: Size = Field(
        default="20GB",
        description=(
            "the most a query may read, such as `20GB`; the workgroup's own limit should not be higher"
        ),
    )

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
        return bytes_of(self.max_scan)


class Airflow(Section):
    """How tasks of a DAG wait, and what happens to remote work when Airflow ends such a task."""

    deferrable: bool | Literal["auto"] = Field(
        default="auto",
        description=(
            "whether a task hands the wait to a triggerer, which holds no worker slot; `auto` if a "
            "triggerer serves"
        ),
    )
    on_kill: Literal["stop", "detach"] = Field(
        default="stop", description="what happens to remote work when Airflow ends the task that waits for it"
    )


class Datasource(Section):
    """A data source that the step `tableau:NAME` renews."""

    name: str = Field(default="", description="its name in Tableau; the key unless set")
    project: str = Field(default="", description="used in place of `tableau.project`")
    table: TableName | None = Field(
        default=None,
        description="the table to publish as an extract; without one, the server refreshes its own extract",
    )
    where: str = Field(default="", description="only these rows, as a condition in Athena's SQL")
    columns: Texts = Field(default=[], description="only these columns")


class Tableau(Section):
    """A site of Tableau Server or Cloud, and the token that signs in there."""

    server: str = Field(default="", description="the address, such as `https://10ax.online.tableau.com`")
    site: str = Field(default="", description="the site's content URL; the default site if empty")
    token_name: Secret = Field(
        default="env:TABLEAU_TOKEN_NAME", description="secret: the name of a personal access token"
    )
    token_secret: Secret = Field(
        default="env:TABLEAU_TOKEN_SECRET", description="secret: the secret of the same token"
    )
    project: str = Field(
        default="default", description="the project in which data sources are published and searched"
    )
    timeout_minutes: Minutes = Field(
        default=60, description="how long etltctl waits for a refresh; the refresh goes on after that"
    )
    datasources: dict[str, Datasource] = {}


class Local(Section):
    """The embedded server."""

    port: int = Field(default=0, ge=0, le=65535, description="the port; 0 takes any free one")
    linger_minutes: float = Field(
        default=5,
        ge=0,
        le=24 * 60,
        description="how long the server stays up after the last command; 0 ends it with the command",
    )
    class_archive: bool = Field(
        default=True,
        description=(
            "whether Spark's classes are cached, 155 MB in the user's cache folder, for a faster start"
        ),
    )
    witness: bool = Field(
        default=False,
        description=(
            "for development: whether every call and its answer is checked against the service's own model"
        ),
    )


class RegionPrices(Section):
    """The prices of one region, if they are not the usual ones."""

    glue_dpu_hour_usd: Usd | None = Field(
        default=None, description="the price of one DPU for an hour in that region"
    )
    athena_tb_usd: Usd | None = Field(
        default=None, description="the price of one TB that queries read in that region"
    )


class Prices(Section):
    """The prices of the services, for estimates, budgets and sums, in US dollars.

    The defaults are the list prices of us-east-1. `[prices.regions.NAME]` has those of another region.
    """

    glue_dpu_hour_usd: Usd = Field(default=0.44, description="the price of one DPU for an hour")
    athena_tb_usd: Usd = Field(default=5.0, description="the price of one TB that queries read")
    regions: dict[str, RegionPrices] = {}

    def of(self, region: str | None) -> Prices:
        """Return the prices of a region."""
        # Only the prices that the region names replace the general ones.
        own = self.regions.get(region or "", RegionPrices())
        return Prices(**{**self.model_dump(), **own.model_dump(exclude_none=True)})
