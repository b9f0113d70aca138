"""What an answer must hold to be used: a service that leaves it out is named, with the field that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from etltctl.errors import ServiceError

BAD_ANSWER = "bad-answer"
CHECK_SERVICE = (
    "something else may answer in the service's place: check its URL and the proxy, then run again"
)
_RUN = ("Id", "JobName", "JobRunState")
_EVENT = ("EventId", "Timestamp", "LogicalResourceId", "ResourceType", "ResourceStatus")
_OBJECT = ("Key", "Size", "ETag", "LastModified")
# By AWS operation. `a.b` is a member of a member, `a[].b` one of every item, and `a?[].b` lets the list be left out.
# Only what the code reads without a default: everything else may be missing from an answer.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "AssumeRole": tuple(f"Credentials.{name}" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")),
    "BatchGetQueryExecution": ("QueryExecutions[].QueryExecutionId", "QueryExecutions[].Status.State"),
    "DescribeStackEvents": tuple(f"StackEvents[].{name}" for name in _EVENT),
    "DescribeStacks": tuple(f"Stacks[].{name}" for name in ("StackId", "StackName", "StackStatus")),
    "FilterLogEvents": ("events[].message",),
    "GetCallerIdentity": ("Account", "Arn"),
    "GetDataLakeSettings": ("DataLakeSettings",),
    "GetDatabase": ("Database.Name",),
    "GetJob": ("Job",),
    "GetJobRun": tuple(f"JobRun.{name}" for name in _RUN),
    "GetJobRuns": tuple(f"JobRuns[].{name}" for name in _RUN),
    "GetLogEvents": ("events[].message",),
    "GetObject": ("ETag",),
    "GetParameter": ("Parameter.Value",),
    "GetPartitions": ("Partitions[].Values", "Partitions[].StorageDescriptor"),
    "GetQueryExecution": ("QueryExecution.QueryExecutionId", "QueryExecution.Status.State"),
    "GetQueryResults": ("ResultSet.ResultSetMetadata.ColumnInfo", "ResultSet.Rows"),
    "GetRole": ("Role",),
    "GetSecretValue": ("SecretString",),
    "GetTable": ("Table.Name",),
    "GetTables": ("TableList[].Name",),
    "GetTemplate": ("TemplateBody",),
    "ListObjectsV2": tuple(f"Contents?[].{name}" for name in _OBJECT),
    "ListStackResources": ("StackResourceSummaries",),
    "LookupEvents": ("Events",),
    "PutObject": ("ETag",),
    "SimulatePrincipalPolicy": ("EvaluationResults[].EvalActionName", "EvaluationResults[].EvalDecision"),
    "StartJobRun": ("JobRunId",),
    "StartQueryExecution": ("QueryExecutionId",),
}


def require_needed(service: str, operation: str, answer: Mapping[str, Any]) -> None:
    """Check the answer to an AWS operation.

    Raises:
        ServiceError: a field that etltctl needs is not there. Whether the call took effect is open.
    """
    for path in NEEDED.get(operation, ()):
        if not _has(answer, path.split(".")):
            raise incomplete(f"{service} {operation}", path.replace("?", ""))


def required(answer: Any, field: str, call: str) -> Any:
    """Return the field of an answer that came as JSON.

    Args:
        answer: What the service sent.
        field: The field's name.
        call: The service and the call, as the error names them: `Airbyte GET /jobs/7`.

    Raises:
        ServiceError: the answer is not an object, or the field is not there or null.
    """
    if not isinstance(answer, Mapping) or answer.get(field) is None:
        raise incomplete(call, field)
    return answer[field]


def required_list(answer: Any, field: str, call: str) -> list[Any]:
    """Return the field, which must be a list; raises ServiceError as `required` does."""
    value = required(answer, field, call)
    if not isinstance(value, list):
        raise incomplete(call, field)
    return value


def optional_object(answer: Mapping[str, Any], field: str, call: str) -> Mapping[str, Any]:
    """Return the field, an empty object where it is missing or null; raises ServiceError for another shape."""
    value = answer.get(field)
    if value is not None and not isinstance(value, Mapping):
        raise _of_another_shape(call, field, "an object", value)
    return value or {}


def optional_list(answer: Mapping[str, Any], field: str, call: str) -> list[Any]:
    """Return the field, an empty list where it is missing or null; raises ServiceError for another shape."""
    value = answer.get(field)
    if value is not None and not isinstance(value, list):
        raise _of_another_shape(call, field, "a list", value)
    return value or []


def optional_text(answer: Mapping[str, Any], field: str, call: str) -> str:
    """Return the field, an empty text where it is missing or null; raises ServiceError for another shape."""
    value = answer.get(field)
    if value is not None and not isinstance(value, str):
        raise _of_another_shape(call, field, "a text", value)
    return value or ""


def incomplete(call: str, field: str) -> ServiceError:
    """Build the error for an answer that says success and lacks a field."""
    return ServiceError(
        f"{call} was answered with success but without the field {field}",
        code=BAD_ANSWER,
        is_open=True,
        hint=CHECK_SERVICE,
    )


def require_same(call: str, sent: Mapping[str, Any], answered: Mapping[str, Any]) -> None:
    """Check that an answer is about what the call was about. A field that the answer leaves out is not compared.

    Args:
        call: The service and the call, as the error names them.
        sent: The fields that the call named, such as an id or a name.
        answered: The answer.

    Raises:
        ServiceError: A field has another value. Whether the call took effect is open.
    """
    for field, value in sent.items():
        # As text: services give the same id as a number in one answer and as text in another.
        came = answered.get(field)
        if came is not None and str(came) != str(value):
            raise ServiceError(
                f"{call} was answered with another {field}: {value} was sent, and {came} came back",
                code=BAD_ANSWER,
                is_open=True,
                hint=CHECK_SERVICE,
            )


def _of_another_shape(call: str, field: str, kind: str, value: object) -> ServiceError:
    return ServiceError(
        f"{call} was answered with success, but the field {field} is not {kind}: it is of type {type(value).__name__}",
        code=BAD_ANSWER,
        is_open=True,
        hint=CHECK_SERVICE,
    )


def _has(value: Any, path: list[str]) -> bool:
    if not path:
        return value is not None
    if not isinstance(value, Mapping):
        return False
    name, _, is_list = path[0].partition("[")
    inner = value.get(name.removesuffix("?"))
    if not is_list:
        return _has(inner, path[1:])
    # A list that may be left out is as good as an empty one.
    if inner is None:
        return name.endswith("?")
    return isinstance(inner, list) and all(_has(item, path[1:]) for item in inner)


def answered_at(answer: Mapping[str, Any]) -> datetime:
    """Return the time of an answer of AWS by the service's clock; by this machine's if the answer has no date.

    Args:
        answer: The answer, as boto3 returns it.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return datetime.now(UTC)
