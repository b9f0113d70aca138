"""A success without a required field is an error that names the service and the field."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import Kind
from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.cloudformation import CloudFormation
from etltctl.errors import EtltctlError, OutcomeUnknownError, ServiceError, UnverifiedError
from etltctl.glue import Glue
from etltctl.lakeformation import LakeFormation
from etltctl.retrying import RetryPolicy
from etltctl.waiting import Waiter
from support.lakes import SmallLake
from support.served import Served
from support.signing import signed

NO_WAIT = Waiter(timeout=0.0, longest=0.0)
RUN = {"Id": "jr", "JobName": "j"}


@pytest.fixture
def spoil(server: Served) -> Iterator[Callable[[str, Any], None]]:
    """Return a function that makes the server answer the operation with this body and 200."""

    def put(call: str, body: Any) -> None:
        rule = {"call": call, "refuse": {"status": 200, "body": body}, "times": 0}
        assert server.request("POST", "faults", [rule])[0] == 200

    yield put
    server.request("POST", "faults", [])


UNTRUE: dict[str, tuple[Any, str, Callable[[Aws], object]]] = {
    "GetJobRun": ({"JobRun": RUN}, "JobRun.JobRunState", lambda aws: Glue(aws).poll("j", "jr")),
    "GetJobRuns": ({"JobRuns": [RUN]}, "JobRuns[].JobRunState", lambda aws: list(Glue(aws).job_runs("j"))),
    "GetTable": ({}, "Table.Name", lambda aws: Catalog(aws).table("d", "t")),
    "GetTables": ({"TableList": [{}]}, "TableList[].Name", lambda aws: Catalog(aws).tables("d")),
    "GetDatabase": ({}, "Database.Name", lambda aws: Catalog(aws).database("d")),
    "GetQueryExecution": (
        {"QueryExecution": {"QueryExecutionId": "q"}}, "QueryExecution.Status.State",
        lambda aws: Athena(aws, "w").poll("q"),
    ),
    "GetCallerIdentity": (
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>",
        "Arn", lambda aws: aws.identity(),
    ),
    "GetParameter": ({"Parameter": {}}, "Parameter.Value", lambda aws: aws.fetch_secret("ssm:/p")),
    "GetSecretValue": ({"Name": "s"}, "SecretString", lambda aws: aws.fetch_secret("secretsmanager:s")),
}  # fmt: skip


@pytest.mark.parametrize("operation", UNTRUE)
def test_an_aws_answer_without_a_field_names_service_and_field(
    aws: Aws, spoil: Callable[[str, Any], None], operation: str
) -> None:
    body, field, call = UNTRUE[operation]
    spoil(operation, body)
    with pytest.raises(ServiceError) as caught:
        call(aws)
    assert f"{operation} was answered with success but without the field {field}" in caught.value.message
    assert caught.value.exit_code == 1


def test_a_start_with_an_empty_answer_is_searched_for_and_not_sent_again(
    aws: Aws, spoil: Callable[[str, Any], None]
) -> None:
    spoil("StartJobRun", {})
    aws.client("glue").create_job(
        Name="j", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://b/k"}
    )
    with pytest.raises(OutcomeUnknownError, match="without the field JobRunId"):
        Glue(aws, NO_WAIT).start_or_adopt("j", "key", lambda _: {}, since=datetime.now(UTC))


AIRBYTE: dict[str, Callable[[Airbyte], object]] = {
    "job": lambda airbyte: airbyte.poll("7", "api"),
    "jobs": lambda airbyte: airbyte.jobs("c", "api"),
    "start": lambda airbyte: airbyte.start("c", "api"),
    "connection": lambda airbyte: airbyte.connection("c"),
    "workspaces": lambda airbyte: airbyte.resources.workspaces(),
    "sources": lambda airbyte: airbyte.resources.of_kind(Kind.SOURCE, "w"),
    "create": lambda airbyte: airbyte.resources.create(Kind.SOURCE, "w", {"name": "n"}),
}
BODIES: tuple[Any, ...] = (
    {}, [], [1], "text", None, 5, {"data": {}}, {"data": [{}]}, {"data": [5]}, {"jobId": 7},
    {"jobId": "x", "status": "running"}, {"jobId": 7, "status": "running", "startTime": "soon"},
)  # fmt: skip


@pytest.mark.parametrize("call", AIRBYTE)
@respx.mock
def test_an_impossible_answer_of_airbyte_is_a_named_error(call: str) -> None:
    respx.post("http://airbyte/v1/applications/token").respond(
        json={"access_token": "t", "expires_in": "soon"}
    )
    airbyte = Airbyte("http://airbyte/v1", "id", "secret", RetryPolicy(attempts=1), NO_WAIT)
    for body in BODIES:
        for status in (200, 400, 503):
            respx.route(path__regex="/v1/(?!applications).*").respond(status, json=body)
            with pytest.raises(EtltctlError) as caught:
                AIRBYTE[call](airbyte)
            assert "Airbyte" in caught.value.message or "the answer to making" in caught.value.message


@pytest.mark.parametrize(
    "account", [b"no json", b"\xff\xfe", b"[]", b"5", b'{"rows_out": "5"}', b'{"flags": [1]}', b"[" * 100_000]
)
def test_an_invalid_report_of_a_job_is_an_error_and_nothing_is_published(
    server: Served, aws: Aws, tmp_path: Path, account: bytes
) -> None:
    small = SmallLake(server, aws, tmp_path, '[athena.databases]\ngold = "untrue"\n')
    location = small.write("gold.one", "spoilt", [{"n": 1}])
    bucket, _, key = location.removeprefix("s3://").partition("/")
    aws.client("s3").put_object(Bucket=bucket, Key=f"{key}_audit/part-0.txt", Body=account)
    with pytest.raises(UnverifiedError) as caught:
        small.lake.publish({"gold.one": location}, "spoilt")
    assert caught.value.exit_code == 6
    assert str(caught.value.facts["report"]).endswith("/part-0.txt")
    assert small.described("gold.one") == {}


def test_every_needed_field_of_a_stack_is_named(aws: Aws, spoil: Callable[[str, Any], None]) -> None:
    spoil(
        "DescribeStacks",
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName></member></Stacks>"
        "</DescribeStacksResult></DescribeStacksResponse>",
    )
    with pytest.raises(ServiceError, match=r"Stacks\[\]\.StackId"):
        CloudFormation(aws).find("s")


def test_settings_of_lake_formation_that_are_missing_are_named(aws: Aws, server: Served) -> None:
    rule = {"call": "POST /GetDataLakeSettings", "refuse": {"status": 200, "body": {}}, "times": 0}
    server.request("POST", "faults", [rule])
    try:
        with pytest.raises(ServiceError, match="without the field DataLakeSettings"):
            LakeFormation(aws, "1").settings()
    finally:
        server.request("POST", "faults", [])


BAD_RULES = (
    {"call": 1, "delay": 1}, {"call": "*", "delay": "1"}, {"call": "*", "delay": -1}, {"call": "*", "lose": False},
    {"call": "*", "hold": "never"}, {"call": "*", "refuse": {}}, {"call": "*", "refuse": 400},
    {"call": "*", "change": []}, {"call": "*", "lose": True, "skip": "2"}, {"call": "*", "lose": True, "times": -1},
)  # fmt: skip


def test_an_invalid_fault_rule_is_refused_and_the_server_continues(server: Served) -> None:
    for rules in (*([rule] for rule in BAD_RULES), {"call": "*", "lose": True}, [5], "x"):
        assert server.request("POST", "faults", rules)[0] == 400, rules
    assert server.client("sts").get_caller_identity()["Account"]


MALFORMED = (
    {"Name": "m"}, {"Name": "m", "Role": "r", "Command": "x"},
    {"Name": "m", "Role": "r", "Command": {}, "ExecutionProperty": []},
)  # fmt: skip


def test_a_malformed_job_is_refused_and_not_stored(server: Served) -> None:
    for body in MALFORMED:
        status, refusal = create_job(server, json.dumps(body).encode())
        assert (status, refusal["__type"]) == (400, "ValidationException")
    assert "m" not in server.client("glue").list_jobs()["JobNames"]


def create_job(server: Served, body: bytes) -> tuple[int, Any]:
    """Return the answer to a signed CreateJob with a body that boto3 would not send."""
    headers = {"X-Amz-Target": "AWSGlue.CreateJob", "Content-Type": "application/x-amz-json-1.1"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/", body, signed(server, "POST /", headers, body, "glue"))
    response = connection.getresponse()
    return response.status, json.loads(response.read())
