"""The definitions in an AWS account, as the doctor and a deployment read them: buckets, roles, jobs; never runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from etltctl.aws import Aws, Identity, translated
from etltctl.errors import EtltctlError, ServiceError, UnreachableError

# How each service says that it has nothing of a name. Athena has no special code for it.
NOT_THERE = frozenset(
    {
        "404", "EntityNotFoundException", "InvalidRequestException", "NoSuchBucket", "NoSuchEntity", "NoSuchKey",
        "NotFound", "NotFoundException", "ResourceNotFoundException", "ServerSideEncryptionConfigurationNotFoundError",
    }
)  # fmt: skip
# The largest page, so that nearly every simulation is one call.
MOST_RESULTS = 1000  # of one answer of IAM
CONDITIONAL = "conditional"
ALLOWED, DENIED = "allowed", frozenset({"explicitDeny", "implicitDeny"})
# One cheap request for each service, to see whether it answers at all.
GREETINGS: dict[str, Callable[[Any], Any]] = {
    "sts": lambda client: client.get_caller_identity(),
    "s3": lambda client: client.list_buckets(),
    "glue": lambda client: client.get_databases(MaxResults=1),
    "athena": lambda client: client.list_work_groups(MaxResults=1),
    "logs": lambda client: client.describe_log_groups(limit=1),
}


@dataclass(frozen=True)
class Inspection:
    """Reads of one account and region. A missing thing is None; a refused read raises AccessError."""

    aws: Aws

    def url(self, service: str) -> str:
        """Return the URL that calls of the service go to."""
        return str(self.aws.client(service).meta.endpoint_url)

    def greet(self, service: str) -> None:
        """Send one cheap request to the service.

        Raises:
            UnreachableError: The service does not answer, or another program answers in its place.
            EtltctlError: The service answers and refuses.
        """
        from botocore.exceptions import ClientError

        try:
            with translated(service):
                GREETINGS[service](self.aws.client(service))
        except ServiceError as error:
            # A refusal is an answer of the service; anything else came from a proxy, or from nothing at all.
            if isinstance(error.__cause__, ClientError):
                raise
            raise UnreachableError(error.message, code=error.code, hint=error.next_step) from error

    def caller(self) -> Identity:
        """Return the caller's identity, as AWS sees it."""
        return self.aws.identity()

    def their_time(self) -> datetime | None:
        """Return the time by AWS's clock, from the Date header of an answer, even of a refusal."""
        try:
            with translated("sts"):
                answer = self.aws.client("sts").get_caller_identity()
        except EtltctlError as error:
            # A clock that is wrong makes AWS refuse the signature, and the refusal still has the right time.
            answer = getattr(error.__cause__, "response", {})
        text = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        return parsedate_to_datetime(text) if text else None

    def bucket_region(self, bucket: str) -> str | None:
        """Return the region of the bucket; an empty text if S3 does not say."""
        answer = self.read("s3", "head_bucket", {"Bucket": bucket}, bucket=bucket)
        return (
            None
            if answer is None
            else str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))
        )

    def object_bytes(self, bucket: str, key: str) -> bytes | None:
        """Return the object's bytes."""
        answer = self.read("s3", "get_object", {"Bucket": bucket, "Key": key}, bucket=bucket)
        return None if answer is None else bytes(answer["Body"].read())

    def role(self, name: str) -> dict[str, Any] | None:
        """Return the role with its trust policy (`AssumeRolePolicyDocument`)."""
        answer = self.read("iam", "get_role", {"RoleName": name}, role=name)
        return None if answer is None else dict(answer["Role"])

    def denied(self, principal: str, actions: Sequence[str], resources: Sequence[str]) -> list[str]:
        """Return the actions that the principal's IAM policies do not allow on every one of the resources.

        Args:
            principal: The ARN of a role or user.
            actions: The actions to check, such as `s3:GetObject`.
            resources: The ARNs that each action is checked on.
        """
        with translated("iam", principal=principal):
            results = _simulated(self.aws.client("iam"), principal, actions, resources)
        return sorted({each["EvalActionName"] for each in results if each["EvalDecision"] != ALLOWED})

    def decisions(
        self, principal: str, actions: Sequence[str], resources: Sequence[str]
    ) -> Mapping[tuple[str, str], str]:
        """Return IAM's decision on each action and resource, in one call that is sent once.

        A pair is left out if IAM did not answer it.

        Args:
            principal: The ARN of a role or a user.
            actions: IAM actions, such as `glue:StartJobRun`.
            resources: ARNs.

        Returns:
            `allowed`, `explicitDeny` or `implicitDeny`, by action and resource; `CONDITIONAL` if the decision rests on
            a condition whose value IAM was not given, as the real call gives it.
        """
        with translated("iam", principal=principal):
            return dict(_decided(_simulated(self.aws.start_client("iam"), principal, actions, resources)))

    def job(self, name: str) -> dict[str, Any] | None:
        """Return the Glue job's definition."""
        answer = self.read("glue", "get_job", {"JobName": name}, job=name)
        return None if answer is None else dict(answer["Job"])

    def has_database(self, name: str) -> bool:
        """Return whether the catalog has the database."""
        return self.read("glue", "get_database", {"Name": name}, database=name) is not None

    def has_tables(self, database: str) -> bool:
        """Return whether the catalog's database has a table."""
        answer = self.read(
            "glue", "get_tables", {"DatabaseName": database, "MaxResults": 1}, database=database
        )
        return bool(answer and answer.get("TableList"))

    def has_objects(self, bucket: str, prefix: str) -> bool:
        """Return whether an object lies below the prefix."""
        answer = self.read(
            "s3", "list_objects_v2", {"Bucket": bucket, "Prefix": prefix, "MaxKeys": 1}, bucket=bucket
        )
        return bool(answer and answer.get("KeyCount"))

    def workgroup(self, name: str) -> dict[str, Any] | None:
        """Return Athena's workgroup with its configuration."""
        answer = self.read("athena", "get_work_group", {"WorkGroup": name}, workgroup=name)
        return dict(answer["WorkGroup"]) if answer and answer.get("WorkGroup") else None

    def read(self, service: str, operation: str, arguments: Mapping[str, Any], **facts: str) -> Any:
        """Return the answer to a call that reads one thing by its name; None if the service has nothing of that name.

        Args:
            service: The service, such as `glue`.
            operation: The method of boto3's client, such as `get_job`.
            arguments: Its arguments.
            facts: What an error names, such as `job`.

        Raises:
            AccessError: The service refuses the caller.
            ServiceError: The service answers with any other error.
        """
        try:
            with translated(service, **facts):
                return getattr(self.aws.client(service), operation)(**arguments)
        except ServiceError as error:
            # Each service has another code for what is not there, and HEAD requests have only the number.
            if error.code in NOT_THERE:
                return None
            raise


def _simulated(
    iam: Any, principal: str, actions: Sequence[str], resources: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Return IAM's evaluation of every action, page by page; up to 1,000 of them come in one answer."""
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=principal,
        ActionNames=list(actions),
        ResourceArns=list(resources),
        PaginationConfig={"PageSize": MOST_RESULTS},
    )
    return [result for page in pages for result in page["EvaluationResults"]]


def _decided(results: Iterable[Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the decisions of a simulation.

    IAM gives one result an action, whose own decision is the strictest of all resources; those of each resource stand
    below it. Earlier it gave one result for each action and resource, with nothing below.
    """
    for result in results:
        action = result["EvalActionName"]
        specific = result.get("ResourceSpecificResults") or ()
        for each in specific:
            decision = CONDITIONAL if each.get("MissingContextValues") else each["EvalResourceDecision"]
            yield (action, each["EvalResourceName"]), decision
        if not specific:
            decision = CONDITIONAL if result.get("MissingContextValues") else result["EvalDecision"]
            yield (action, result.get("EvalResourceName", "")), decision
