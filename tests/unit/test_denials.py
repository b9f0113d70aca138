"""Refusals: the missing permission and its resource, taken from the words of the services."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.aws import translated
from etltctl.errors import AccessError

ROLE = "arn:aws:sts::123456789012:assumed-role/operator/i-1"
JOB = "arn:aws:glue:us-east-1:123456789012:job/small"
OBJECT = "arn:aws:s3:::lake-gold/t/part-0"
BECAUSE = "because no identity-based policy allows the action"


def refusal(service: str, operation: str, text: str, code: str = "AccessDenied", **facts: Any) -> AccessError:
    answer = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    with pytest.raises(AccessError) as raised, translated(service, **facts):
        raise ClientError(answer, operation)  # type: ignore[arg-type]
    return raised.value


@pytest.mark.parametrize(
    ("service", "operation", "text", "facts", "named"),
    [
        (
            "glue", "StartJobRun",
            f"User: {ROLE} is not authorized to perform: glue:StartJobRun on resource: {JOB} {BECAUSE}",
            {"job": "small"},
            {"job": "small", "principal": ROLE, "action": "glue:StartJobRun", "resource": JOB},
        ),
        (
            "s3", "PutObject",
            f'User: {ROLE} is not authorized to perform: s3:PutObject on resource: "{OBJECT}" {BECAUSE}',
            {},
            {"principal": ROLE, "action": "s3:PutObject", "resource": OBJECT},
        ),
        (
            "s3", "ListObjectsV2", "Access Denied", {"location": "s3://lake-gold/t/"},
            {"location": "s3://lake-gold/t/", "action": "s3:ListBucket", "resource": "s3://lake-gold/t/"},
        ),
        (
            "glue", "UpdateTable", "Insufficient Lake Formation permission(s): Required Alter on t",
            {"table": "gold.t"},
            {"table": "gold.t", "action": "ALTER", "resource": "t"},
        ),
        (
            "glue", "CreateTable", "Insufficient Lake Formation permission(s): Required Create Table on gold",
            {"table": "gold.t"},
            {"table": "gold.t", "action": "CREATE_TABLE", "resource": "gold"},
        ),
        (
            "glue", "UpdateTable",
            "Insufficient Lake Formation permission(s) on s3://lake-gold/t/v=1/ (Database name: gold, Table name: t)",
            {"table": "gold.t"},
            {"table": "gold.t", "action": "DATA_LOCATION_ACCESS", "resource": "s3://lake-gold/t/v=1/"},
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_the_missing_permission_and_its_resource(
    service: str, operation: str, text: str, facts: dict[str, str], named: dict[str, str]
) -> None:
    error = refusal(service, operation, text, **facts)
    assert error.facts == named
    is_iam = ":" in named["action"]
    assert (f"allow {named['action']} on {named['resource']} to" in error.hint) is is_iam
    assert ("grant it in Lake Formation" in error.hint) is not is_iam


def test_expired_credentials_are_not_a_missing_permission() -> None:
    error = refusal(
        "glue", "GetTable", "The security token included in the request is expired", "ExpiredToken"
    )
    assert error.facts == {}
    assert error.hint == "get valid credentials, then run it again"


def test_a_refused_head_request_of_s3_has_no_text_and_is_still_named() -> None:
    error = refusal("s3", "HeadBucket", "Forbidden", "403", bucket="lake-gold")
    assert error.facts == {"bucket": "lake-gold", "action": "s3:ListBucket", "resource": "lake-gold"}
