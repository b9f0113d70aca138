"""The calls that a run makes, and the IAM permissions that each of its steps needs, by action and resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.denials import PERMISSION
from etltctl.places import Places
from etltctl.values import S3Location, layer_of

if TYPE_CHECKING:
    from etltctl.settings import Settings

Calls = Mapping[str, tuple[str, ...]]

# What running, watching and asking need: `etltctl run`, `runs …`, `athena …`, `retry`, `rollback`, the DAGs.
OPERATOR: Calls = {
    "jobs": ("glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"),
    "catalog": (
        "glue:CreateDatabase", "glue:CreateTable", "glue:GetTable", "glue:GetTables", "glue:UpdateTable",
        "glue:DeleteTable", "glue:GetPartitions", "glue:BatchCreatePartition", "glue:BatchUpdatePartition",
        "glue:BatchDeletePartition",
    ),
    "workgroup": (
        "athena:StartQueryExecution", "athena:GetQueryExecution",
        "athena:GetQueryResults", "athena:StopQueryExecution",
        "athena:GetWorkGroup", "athena:ListQueryExecutions",
    ),
    "logs": ("logs:FilterLogEvents", "logs:GetLogEvents"),
    "lake": (
        "s3:ListObjectsV2", "s3:GetObject", "s3:PutObject", "s3:CopyObject", "s3:DeleteObject", "s3:DeleteObjects",
        # Of a file of more than 5 GiB that is copied.
        "s3:HeadObject", "s3:CreateMultipartUpload", "s3:UploadPartCopy", "s3:CompleteMultipartUpload",
        "s3:AbortMultipartUpload",
    ),
    "state": ("s3:ListObjectsV2", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    "secrets": ("secretsmanager:GetSecretValue",),
    "parameters": ("ssm:GetParameter",),
    "preflight": ("iam:SimulatePrincipalPolicy",),
    "notifications": ("sns:Publish",),
    # Of incremental jobs alone: whether their code has changed.
    "definitions": ("glue:GetJob",),
    "scripts": ("s3:ListObjectsV2",),
}  # fmt: skip

# A run succeeds without these. A version that an audit leaves behind is removed by a later one, an old lock lapses,
# Athena gets the output location of the settings, and a deployment has made the databases. Executions are listed only
# to cancel a run whose query start was never answered.
SPARED = frozenset(
    {
        "athena:GetWorkGroup",
        "athena:ListQueryExecutions",
        "glue:CreateDatabase",
        "glue:DeleteTable",
        "glue:GetTables",
        "s3:DeleteObject",
    }
)
# A run may succeed without these, so that one that is missing is a warning: etltctl stops what it started only after a
# failure or an interrupt, and changes partitions only of tables whose partitions are registered one by one. It aborts
# only a copy of a large file that failed.
OCCASIONAL = frozenset(
    {
        "glue:BatchStopJobRun", "athena:StopQueryExecution", "glue:GetPartitions", "glue:BatchCreatePartition",
        "glue:BatchUpdatePartition", "glue:BatchDeletePartition", "s3:AbortMultipartUpload",
    }
)  # fmt: skip
EXAMPLE_FILE = "v=preflight/part-0.parquet"  # stands for every file of a version


@dataclass(frozen=True)
class Permission:
    """An IAM action on a resource, which is an ARN."""

    action: str
    resource: str

    @property
    def is_certain(self) -> bool:
        """Whether every run of a step that needs it calls the action."""
        return self.action not in OCCASIONAL


@dataclass(frozen=True)
class Requirements:
    """The IAM permissions for each sort of work that etltctl's own calls do in a run.

    A kind of step says which of them its steps need. State and secrets are left out: a run writes its state, and
    etltctl reads the secrets of Airbyte, before the first step starts anything.

    Args:
        settings: The settings.
        partition: The AWS partition, such as `aws` or `aws-cn`.
        region: The region of Glue and Athena.
        account: The caller's account.
    """

    settings: Settings
    partition: str
    region: str
    account: str

    def running(self, job: str) -> Iterator[Permission]:
        """Yield what it takes to run a Glue job and to stop it."""
        yield from _on(OPERATOR["jobs"], [self.arn("glue", f"job/{self.settings.glue.names.at_glue(job)}")])

    def finding_what_is_new(self, job: str) -> Iterator[Permission]:
        """Yield what it takes to find out what an incremental job has not read yet, and to carry over the rest."""
        places, declared = Places(self.settings), self.settings.glue.jobs[job]
        definition = self.arn("glue", f"job/{self.settings.glue.names.at_glue(job)}")
        yield from _on(OPERATOR["definitions"], [definition])
        scripts = S3Location.parse(f"{self.settings.lake.scripts}/")
        yield from _on(OPERATOR["scripts"], [self.bucket_arn(scripts)])
        for stream in filter(None, map(places.fixed, declared.reads)):
            yield from _on(["s3:ListObjectsV2"], [self.bucket_arn(S3Location.parse(stream))])
        for table in declared.writes:
            file = self.object_arn(places.root(table).object(EXAMPLE_FILE))
            yield from _on(["s3:PutObject", "s3:AbortMultipartUpload"], [file])

    def publishing(self, tables: Sequence[str]) -> Iterator[Permission]:
        """Yield what it takes to check and to publish new versions of tables."""
        places = Places(self.settings)
        for table in tables:
            yield from _on(OPERATOR["catalog"], self._catalog_arns(table))
            yield from self.reading([places.root(table)])
            kept = [places.lock(table), places.records(table).object(EXAMPLE_FILE)]
            yield from _on(["s3:GetObject", "s3:PutObject"], [self.object_arn(place) for place in kept])
        if any(self.settings.rules(table).needs_query for table in tables):
            yield from _on(OPERATOR["workgroup"], [self.workgroup_arn])

    def refreshing(self, tables: Iterable[str]) -> Iterator[Permission]:
        """Yield what it takes to bring tables of the catalog in line with their files."""
        places = Places(self.settings)
        for table in tables:
            yield from _on(OPERATOR["catalog"], self._catalog_arns(table))
            yield from self.reading([places.of(table)])

    def reading(self, folders: Iterable[str | S3Location]) -> Iterator[Permission]:
        """Yield what it takes to list folders and to read their files."""
        for folder in map(S3Location.parse, folders):
            yield from _on(["s3:ListObjectsV2"], [self.bucket_arn(folder)])
            yield from _on(["s3:GetObject"], [self.object_arn(folder.object(EXAMPLE_FILE))])

    def querying(self, table: str) -> Iterator[Permission]:
        """Yield what it takes to query a table through Athena."""
        yield from _on(["glue:GetTable"], self._catalog_arns(table))
        yield from _on(OPERATOR["workgroup"], [self.workgroup_arn])

    def unloading(self, reads: Sequence[str], table: str) -> Iterator[Permission]:
        """Yield what it takes to query tables through Athena and to write the rows as a version of another table."""
        places = Places(self.settings)
        for read in reads:
            yield from self.querying(read)
            # Lake Formation reads the files of a governed table for the caller.
            if layer_of(read) not in self.settings.governance.layers:
                yield from self.reading([places.of(read)])
        yield from _on(OPERATOR["workgroup"], [self.workgroup_arn])
        yield from _on(["s3:PutObject"], [self.object_arn(places.root(table).object(EXAMPLE_FILE))])

    @property
    def workgroup_arn(self) -> str:
        """The ARN of Athena's workgroup."""
        return self.arn("athena", f"workgroup/{self.settings.athena.workgroup}")

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def bucket_arn(self, location: S3Location) -> str:
        """Return the ARN of the bucket of an S3 location."""
        return f"arn:{self.partition}:s3:::{location.bucket}"

    def object_arn(self, location: S3Location) -> str:
        """Return the ARN of an object."""
        return f"arn:{self.partition}:s3:::{location.bucket}/{location.key}"

    def _catalog_arns(self, table: str) -> list[str]:
        """Return the ARNs that Glue checks for a call about a table: the catalog, the database and the table."""
        database, name = Places(self.settings).in_catalog(table)
        kinds = ("catalog", f"database/{database}", f"table/{database}/{name}")
        return [self.arn("glue", kind) for kind in kinds]


def _on(calls: Iterable[str], resources: Sequence[str]) -> Iterator[Permission]:
    """Yield the permissions that API calls need on each resource: an action of IAM may have another name."""
    actions = dict.fromkeys(PERMISSION.get(call, call) for call in calls)
    for action in actions:
        if action not in SPARED:
            yield from (Permission(action, resource) for resource in resources)
