"""A refusal's error code is one that a client of the service expects: declared for the operation, or common to all."""

from __future__ import annotations

import json

import pytest

from etltctl.local.kernel.api_models import service_model
from etltctl.local.witness.allowed import COMMON, EMBEDDED, undeclared_code
from etltctl.local.witness.messages import Answer

PROTOCOLS = {
    "glue": "json",
    "iam": "query",
    "lakeformation": "rest-json",
    "s3": "rest-xml",
    "cloudformation": "query",
}


def refusal(protocol: str, code: str) -> Answer:
    """Return a refusal as a service of the protocol words it."""
    headers = {"content-type": "application/json"}
    if protocol in ("json", "rest-json"):
        return Answer(400, headers, json.dumps({"__type": code, "Message": "no"}).encode())
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
    text = error if protocol == "rest-xml" else f"<ErrorResponse>{error}</ErrorResponse>"
    return Answer(400, {"content-type": "text/xml"}, text.encode())


def undeclared(service: str, operation: str, code: str) -> str:
    model = service_model(service).operation_model(operation)
    return undeclared_code(model, PROTOCOLS[service], refusal(PROTOCOLS[service], code))


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("glue", "GetTable", "EntityNotFoundException"),
        ("iam", "GetRole", "NoSuchEntity"),
        ("lakeformation", "GrantPermissions", "ConcurrentModificationException"),
        ("s3", "GetObject", "NoSuchBucket"),  # S3's model declares NoSuchKey and lists no other
        ("cloudformation", "DescribeStacks", "Anything"),  # declares no error at all
        *(("glue", "GetTable", code) for code in sorted(COMMON | EMBEDDED.keys())),
    ],
)
def test_a_declared_or_common_code_is_accepted(service: str, operation: str, code: str) -> None:
    assert undeclared(service, operation, code) == ""


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("glue", "GetTable", "NoSuchEntity"),
        ("iam", "GetRole", "EntityNotFoundException"),
        ("lakeformation", "GrantPermissions", "NoSuchKey"),
    ],
)
def test_a_code_of_another_operation_is_named(service: str, operation: str, code: str) -> None:
    assert undeclared(service, operation, code) == code
