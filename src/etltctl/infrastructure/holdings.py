"""What an account holds under given names: one read for each kind of thing, or for each name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from etltctl.aws import Aws, translated
from etltctl.errors import AccessError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.secret import TYPE as SECRET
from etltctl.inspection import Inspection

BUCKET, DATABASE = "AWS::S3::Bucket", "AWS::Glue::Database"
JOB, ROLE, WORKGROUP = "AWS::Glue::Job", "AWS::IAM::Role", "AWS::Athena::WorkGroup"
LOGS, TOPIC, ALIAS = "AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::KMS::Alias"
ADOPTABLE = frozenset({BUCKET, DATABASE, LOGS, SECRET})
# The call that reads one thing by its name.
READS = {
    JOB: ("glue", "get_job", "JobName"),
    DATABASE: ("glue", "get_database", "Name"),
    ROLE: ("iam", "get_role", "RoleName"),
    "AWS::IAM::InstanceProfile": ("iam", "get_instance_profile", "InstanceProfileName"),
    WORKGROUP: ("athena", "get_work_group", "WorkGroup"),
    "AWS::Events::Rule": ("events", "describe_rule", "Name"),
    BUCKET: ("s3", "head_bucket", "Bucket"),
}


@dataclass(frozen=True)
class Holding:
    """A thing of the account that has the name of a new resource, and the setting that names another.

    `is_foreign` marks a bucket that may not be read: another account has it, or the caller lacks s3:ListBucket.
    """

    type: str
    name: str
    setting: str
    is_foreign: bool = False

    @property
    def is_adoptable(self) -> bool:
        """Whether a stack can take it in."""
        return self.type in ADOPTABLE and not self.is_foreign

    @property
    def label(self) -> str:
        """The thing in words, such as `glue job bronze_to_silver`."""
        service, kind = self.type.split("::")[1:]
        return f"{service} {kind} {self.name}"

    @property
    def advice(self) -> str:
        """What the refusal says of it."""
        if self.is_foreign:
            other = f"name another in {self.setting}"
            return f"may not be read: {other}, or allow s3:ListBucket on it if it is this account's"
        return f"{'adopt it, or ' if self.is_adoptable else ''}name another in {self.setting}"


def holdings(aws: Aws, names: Names, resources: Iterable[tuple[str, str]]) -> list[Holding]:
    """Return what the account holds under the names of new resources.

    Args:
        aws: The account.
        names: The stack's names.
        resources: The type and the name of every new resource.
    """
    by_type: dict[str, list[str]] = {}
    for kind, name in resources:
        by_type.setdefault(kind, []).append(name)
    taken = [one for kind, every in by_type.items() for one in _of_kind(aws, names, kind, every)]
    return sorted(taken, key=lambda one: (one.type, one.name))


def _of_kind(aws: Aws, names: Names, kind: str, every: list[str]) -> list[Holding]:
    if listing := LISTINGS.get(kind):
        there = listing(aws, every)
        return [Holding(kind, name, _setting(names, kind, name)) for name in every if name in there]
    answers = [(name, _is_there(aws, kind, name)) for name in every if kind in READS]
    return [
        Holding(kind, name, _setting(names, kind, name), is_foreign=is_there is None)
        for name, is_there in answers
        if is_there is not False
    ]


def _is_there(aws: Aws, kind: str, name: str) -> bool | None:
    """Return whether the account has a thing of this name; None for a bucket that may not be read."""
    service, operation, argument = READS[kind]
    try:
        answer = Inspection(aws).read(service, operation, {argument: name}, name=name)
    except AccessError:
        if kind == BUCKET:
            return None
        raise
    if answer is None:
        return False
    # Some services answer without the thing instead of refusing.
    return kind == BUCKET or any(value for key, value in answer.items() if key != "ResponseMetadata")


def _log_groups(aws: Aws, every: Iterable[str]) -> set[str]:
    prefix = next(iter(every)).rpartition("/")[0]  # the groups of a stack differ in their last part
    with translated("logs"):
        pages = aws.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return {group["logGroupName"] for page in pages for group in page["logGroups"]}


def _alarms(aws: Aws, every: Iterable[str]) -> set[str]:
    with translated("cloudwatch"):
        answer = aws.client("cloudwatch").describe_alarms(AlarmNames=list(every))
    return {alarm["AlarmName"] for alarm in answer["MetricAlarms"]}


def _aliases(aws: Aws, _: Iterable[str]) -> set[str]:
    with translated("kms"):
        pages = aws.client("kms").get_paginator("list_aliases").paginate()
        return {alias["AliasName"] for page in pages for alias in page["Aliases"]}


def _topics(aws: Aws, every: Iterable[str]) -> set[str]:
    caller, client = aws.identity(), aws.client("sns")
    partition = caller.arn.split(":")[1]
    place = f"arn:{partition}:sns:{client.meta.region_name}:{caller.account}"
    return {name for name in every if _has_topic(aws, f"{place}:{name}")}


def _has_topic(aws: Aws, arn: str) -> bool:
    return Inspection(aws).read("sns", "get_topic_attributes", {"TopicArn": arn}, topic=arn) is not None


def _parameters(aws: Aws, every: Iterable[str]) -> set[str]:
    with translated("ssm"):
        answer = aws.client("ssm").get_parameters(Names=list(every))
    return {parameter["Name"] for parameter in answer["Parameters"]}


# The calls that answer for several names at once.
LISTINGS: Mapping[str, Callable[[Aws, list[str]], set[str]]] = {
    LOGS: _log_groups,
    "AWS::CloudWatch::Alarm": _alarms,
    ALIAS: _aliases,
    TOPIC: _topics,
    "AWS::SSM::Parameter": _parameters,
}
CHECKED = frozenset({*READS, *LISTINGS})


def _setting(names: Names, kind: str, name: str) -> str:
    """Return the setting that changes the name of a resource."""
    if kind == BUCKET:
        purposes = {bucket: purpose for purpose, bucket in names.buckets.items()}
        others = {"results": "athena.output_location", "state": "state"}
        return others.get(purposes[name], f"lake.{purposes[name]}")
    if kind == DATABASE:
        layers = {database: layer for layer, database in names.settings.athena.databases.items()}
        return f"athena.databases.{layers[name]}"
    if kind == ROLE and name in names.job_roles and name != f"{names.settings.project}-glue":
        return f"glue.jobs.{names.job_roles[name][0]}.role"
    settings = {
        JOB: "glue.job_prefix", WORKGROUP: "athena.workgroup", LOGS: "infra.stack", ALIAS: "infra.key_alias",
    }  # fmt: skip
    return settings.get(kind, "project")
