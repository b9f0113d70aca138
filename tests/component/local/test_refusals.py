"""Unsupported calls to the embedded server are refused once, in the service's own protocol."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.served import Served, make_client
from support.signing import signed


def retrying(server: Served, service: str) -> Any:
    """Return a client that retries temporary faults, as most programs do."""
    return make_client(service, server.port, server.keys, retries={"total_max_attempts": 5, "mode": "legacy"})


MISSING: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "json": ("glue", lambda client: client.get_job_bookmark(JobName="j")),
    "json 2": (
        "logs",
        lambda client: client.start_query(
            logGroupName="/aws-glue/jobs/output", startTime=0, endTime=1, queryString="fields @message"
        ),
    ),
    "json, a service that is not there": ("redshift-data", lambda client: client.list_statements()),
    "query, a service that is not there": ("cloudformation", lambda client: client.list_stacks()),
    "query, a session without its keys": ("sts", lambda client: client.get_federation_token(Name="guest")),
    "query": (
        "iam",
        lambda client: client.simulate_principal_policy(
            PolicySourceArn="a" * 20, ActionNames=["s3:GetObject"]
        ),
    ),
    "rest-json": (
        "lakeformation",
        lambda client: client.get_effective_permissions_for_path(ResourceArn="arn:aws:s3:::lake"),
    ),
    "rest-xml": ("route53", lambda client: client.list_traffic_policies()),
    "ec2": ("ec2", lambda client: client.describe_byoip_cidrs(MaxResults=5)),
    "cbor": ("cloudwatch", lambda client: client.list_managed_insight_rules(ResourceARN="a")),
}


@pytest.mark.parametrize(("service", "call"), MISSING.values(), ids=MISSING)
def test_an_unsupported_operation_is_refused_after_one_attempt(
    server: Served, service: str, call: Callable[[Any], Any]
) -> None:
    client = retrying(server, service)
    with pytest.raises(ClientError) as caught:
        call(client)
    response = caught.value.response
    assert response["Error"]["Code"] == "NotImplementedException"
    assert caught.value.operation_name in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert response["ResponseMetadata"]["RequestId"]


def sent(server: Served, service: str, body: bytes, path: str = "/", **headers: str) -> tuple[int, str]:
    """Return status and text of a request that no SDK would send."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    authorized = signed(server, f"POST {path}", named, body, service) if service else server.keys.headers
    connection.request("POST", path, body, {**named, **authorized})
    response = connection.getresponse()
    return response.status, response.read().decode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b"{}", "ValidationException"),
        (b'{"Name": 3, "Role": [], "Command": "x"}', "ValidationException"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_before_anything_is_stored(
    server: Served, body: bytes, code: str
) -> None:
    before = server.client("glue").list_jobs()["JobNames"]
    status, text = sent(server, "glue", body, X_Amz_Target="AWSGlue.CreateJob")
    assert (status, code in text) == (400, True)
    assert server.client("glue").list_jobs()["JobNames"] == before


def test_a_form_without_its_fields_is_refused_as_xml(server: Served) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, text = sent(server, "sts", b"Action=AssumeRole", **form)
    assert (status, "<Code>ValidationError</Code>" in text) == (400, True)


def test_cloudformation_is_refused_and_not_passed_to_moto(server: Served) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, text = sent(server, "cloudformation", b"Action=DescribeStacks", **form)
    assert (status, "<Code>NotImplementedException</Code>" in text) == (501, True)


def test_the_reset_of_moto_is_not_reachable(server: Served) -> None:
    server.client("secretsmanager").create_secret(Name="kept", SecretString="x")
    assert sent(server, "secretsmanager", b"", path="/moto-api/reset")[0] == 501
    assert server.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"] == "x"


@pytest.mark.parametrize("path", ["keep", "faults", "stack"])
def test_a_request_to_the_server_itself_that_is_malformed_is_refused(server: Served, path: str) -> None:
    for body in (b"{", b"3", b'{"keep"', b"\xff"):
        status, text = sent(server, "", body, path=f"/_etltctl/{path}")
        assert status == 400
        assert not re.search("(?i)<html", text)
