"""The witness: a call that the real service would refuse, and an answer that it would not give, fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from etltctl.local.kernel.api_models import service_model
from etltctl.local.witness import CODE, Seen, read_seen
from etltctl.local.witness.reading import Reader
from etltctl.local.witness.shapes import compile_pattern, violations_of
from support.served import Served, serve
from support.signing import signed

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        served.client("s3").create_bucket(Bucket="lake")
        served.client("glue").create_database(DatabaseInput={"Name": "lake"})
        yield served


def seen(server: Served) -> list[Seen]:
    return read_seen(server.state / "server" / "witness.jsonl")


def complaint(server: Served, service: str, call: str, **parameters: Any) -> str:
    """Return the violations of a call that the server would have answered."""
    with pytest.raises(ClientError) as caught:
        getattr(server.client(service), call)(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == CODE
    assert seen(server)[-1].violations
    return str(error["Message"])


def sent(server: Served, service: str, form: str) -> httpx.Response:
    """Return the answer to a form that no SDK would send."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    headers = signed(server, "POST /", headers, form.encode(), service)
    return httpx.post(f"http://127.0.0.1:{server.port}/", content=form, headers=headers)


def test_a_number_above_the_model_s_maximum_is_a_violation(server: Served) -> None:
    violations = complaint(server, "glue", "get_tables", DatabaseName="lake", MaxResults=1000)
    assert "input.MaxResults is 1000, the maximum is 100" in violations


def test_a_text_that_does_not_match_the_model_s_pattern_is_a_violation(server: Served) -> None:
    violations = complaint(
        server, "logs", "filter_log_events", logGroupName="/aws-glue/jobs/error", logStreamNamePrefix="a:b"
    )
    assert "input.logStreamNamePrefix is 'a:b', which does not match [^:*]*" in violations


def test_a_form_of_the_query_protocol_is_checked_as_json_is(server: Served) -> None:
    violations = complaint(server, "iam", "create_user", UserName="a/b")
    assert "input.UserName is 'a/b', which does not match" in violations


def test_the_parameters_and_headers_of_s3_are_checked_too(server: Served) -> None:
    violations = complaint(
        server, "s3", "put_object", Bucket="lake", Key="k", Body=b"1", ServerSideEncryption="WARM"
    )
    assert "input.ServerSideEncryption is 'WARM', which is not one of AES256" in violations


def test_a_call_without_a_model_is_recorded_as_unchecked(server: Served) -> None:
    address = f"http://127.0.0.1:{server.port}/nowhere"
    request = AWSRequest("GET", address)
    keys = Credentials(server.keys.access_key_id, server.keys.secret_access_key)
    SigV4Auth(keys, "lakeformation", "us-east-1").add_auth(request)
    assert httpx.get(address, headers=dict(request.headers)).status_code >= 400
    last = seen(server)[-1]
    assert (last.service, last.operation) == ("lakeformation", "")
    assert last.unchecked == "botocore has no model of this call"


def test_a_change_with_a_violation_is_refused_before_it_is_carried_out(server: Served) -> None:
    glue = server.client("glue")
    glue.create_database(DatabaseInput={"Name": "clean"})
    columns = [{"Name": "n", "Type": "int", "Comment": "c\nd"}]
    table = {"Name": "t", "StorageDescriptor": {"Columns": columns}}
    violations = complaint(server, "glue", "create_table", DatabaseName="clean", TableInput=table)
    assert "Columns[0].Comment is 'c\\nd', which does not match" in violations
    assert glue.get_tables(DatabaseName="clean")["TableList"] == []


def test_a_form_with_a_violation_is_refused_before_it_is_carried_out(server: Served) -> None:
    complaint(server, "iam", "create_group", GroupName="a/b")
    assert server.client("iam").list_groups()["Groups"] == []


def test_a_malformed_change_has_the_server_s_own_refusal(server: Served) -> None:
    headers = signed(server, "POST /", {"X-Amz-Target": "AWSGlue.CreateTable"}, b'{"Name": 3}', "glue")
    answer = httpx.post(f"http://127.0.0.1:{server.port}/", content=b'{"Name": 3}', headers=headers)
    assert (answer.status_code, answer.json()["__type"]) == (400, "ValidationException")
    assert seen(server)[-1].violations == ()


def test_a_call_that_the_server_refuses_is_not_checked(server: Served) -> None:
    with suppress(ClientError):
        server.client("glue").get_tables(DatabaseName="not-there", MaxResults=1000)
    last = seen(server)[-1]
    assert (last.operation, last.status, last.violations) == ("GetTables", 400, ())


def test_every_call_is_recorded_with_its_caller(server: Served) -> None:
    server.client("s3").put_object(Bucket="lake", Key="k", Body=b"1")
    last = seen(server)[-1]
    assert (last.service, last.operation, last.resource) == ("s3", "PutObject", "lake/k")
    assert last.caller == server.keys.access_key_id


def test_without_the_mode_nothing_is_checked_or_written(tmp_path: Path) -> None:
    with serve(tmp_path, "--keep") as server:
        server.request("POST", "stack", {"witness": False})
        server.client("glue").create_database(DatabaseInput={"Name": "lake"})
        server.client("glue").get_tables(DatabaseName="lake", MaxResults=1000)
        assert not (tmp_path / "server" / "witness.jsonl").exists()


@pytest.mark.parametrize(
    ("answer", "violation"),
    [
        ({"JobRunId": 7}, "output.JobRunId is not a string: 7"),
        ({"JobRunId": ""}, "the length of output.JobRunId '' is 0, the minimum is 1"),
        ({"RunId": "jr_1"}, "output.RunId is not known to the model"),
    ],
)
def test_answers_are_checked_against_the_model(answer: dict[str, Any], violation: str) -> None:
    shape = service_model("glue").operation_model("StartJobRun").output_shape
    reader = Reader()
    value = reader.json(json.dumps(answer).encode(), shape, "output")
    assert [*reader.problems, *violations_of(value, shape, "output", set())] == [violation]


def test_a_required_member_of_an_answer_must_be_present() -> None:
    shape = service_model("logs").operation_model("DescribeLogGroups").output_shape
    assert not list(violations_of({"logGroups": []}, shape, "output", set()))
    shape = service_model("glue").operation_model("GetTable").output_shape
    assert list(violations_of({"Table": {}}, shape, "output", set())) == [
        "output.Table.Name is required and missing"
    ]


def test_java_s_pairs_of_surrogates_are_one_character() -> None:
    pattern = compile_pattern(r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*")
    assert pattern is not None
    assert pattern.fullmatch("wind 🌬")
    assert not pattern.fullmatch("a\nb")


def test_patterns_that_python_cannot_read_are_named_and_not_checked() -> None:
    shape = service_model("iam").shape_for("tagKeyType")
    unread: set[str] = set()
    assert not list(violations_of("anything", shape, "key", unread))
    assert unread == {"tagKeyType: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"}


@pytest.mark.parametrize(
    ("service", "form"),
    [
        ("iam", "Action=CreateRole&RoleName=r&AssumeRolePolicyDocument={}&Tags.member.x.Key=a"),
        ("monitoring", "Action=PutMetricData&Namespace=n&MetricData.member.x.MetricName=a"),
        ("sns", "Action=CreateTopic&Name=odd&Attributes.entry.1.key=DisplayName"),
        ("sns", "Action=CreateTopic&Name=odd&Attributes.entry.1=DisplayName"),
        (
            "sns",
            "Action=CreateTopic&Name=odd&Attributes.entry.1.key.x=DisplayName&Attributes.entry.1.value=a",
        ),
    ],
)
def test_an_odd_form_is_answered_in_the_service_s_protocol(server: Served, service: str, form: str) -> None:
    answer = sent(server, service, form)
    assert answer.status_code < 500 or "NotImplementedException" in answer.text, answer.text
    assert "<html" not in answer.text.lower()


@pytest.mark.parametrize(
    ("service", "operation", "form", "problem"),
    [
        ("iam", "CreateRole", "Tags.member.x.Key=a", "input.Tags.x is not known to the model"),
        ("iam", "CreateRole", "Tags.member=a", "input.Tags is not numbered: 'a'"),
        ("iam", "CreateRole", "Tags.1.Key=a", "input.Tags.1 is not known to the model"),
        ("sns", "CreateTopic", "Attributes.entry.x.key=a", "input.Attributes.x is not known to the model"),
        ("sns", "CreateTopic", "Attributes.entry.1=a", "an entry of input.Attributes has no key or no value"),
        (
            "sns",
            "CreateTopic",
            "Attributes.entry.1.key=a",
            "an entry of input.Attributes has no key or no value",
        ),
    ],
)
def test_an_odd_form_is_a_problem(service: str, operation: str, form: str, problem: str) -> None:
    reader = Reader()
    reader.form(form, service_model(service).operation_model(operation).input_shape, "input")
    assert reader.problems == [problem]


def test_items_of_a_form_are_in_the_order_of_their_numbers() -> None:
    reader, shape = Reader(), service_model("iam").operation_model("CreateRole").input_shape
    form = "&".join(f"Tags.member.{number}.Key=k{number}" for number in (10, 2, 1))
    assert [tag["Key"] for tag in reader.form(form, shape, "input")["Tags"]] == ["k1", "k2", "k10"]
    assert reader.form("Tags=", shape, "input") == {"Tags": []}
    assert not reader.problems


def test_a_check_that_fails_is_recorded_and_leaves_the_answer_as_it_is(server: Served) -> None:
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/airbyte/v1/applications/token",
        content=b"[" * 100_000,
        headers={"Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    last = seen(server)[-1]
    assert (last.service, last.operation) == ("airbyte", "POST /applications/token")
    assert last.unchecked.startswith("the check failed: RecursionError: ")


def test_members_that_moto_adds_to_the_model_are_allowed(server: Served) -> None:
    assert server.client("budgets").describe_budgets(AccountId="123456789012")["Budgets"] == []


def test_athena_leaves_out_the_empty_description_of_a_database(server: Served) -> None:
    athena, where = server.client("athena"), {"CatalogName": "AwsDataCatalog"}
    server.client("glue").create_database(DatabaseInput={"Name": "undescribed", "Description": ""})
    database = {"Name": "undescribed", "Parameters": {}}
    assert database in athena.list_databases(**where)["DatabaseList"]
    assert athena.get_database(**where, DatabaseName="undescribed")["Database"] == database
