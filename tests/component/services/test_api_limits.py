"""Requests stay within the limits of the API's own models, which botocore does not check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import etltctl
from etltctl.athena import Athena
from etltctl.athena.columns import Column
from etltctl.aws import Aws
from etltctl.catalog import Catalog, Partitions, Table
from etltctl.cloudtrail import CloudTrail
from etltctl.errors import EtltctlError
from etltctl.glue import Glue
from etltctl.inspection import GREETINGS, Inspection
from etltctl.lakeformation import LakeFormation, entry
from etltctl.logs import Logs
from etltctl.logs.progress_bar import ProgressBar
from support.served import Served, remember_runs, serve

SOURCES = Path(etltctl.__file__).parent
PAGES = {"MaxResults", "MaxKeys", "PageSize", "limit"}
ROLE = "arn:aws:iam::123456789012:role/reader"


def beyond(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield each part of a request that is more than its model allows."""
    most = shape.metadata.get("max")
    size = len(value) if shape.type_name in {"list", "string", "map", "blob"} else value
    if most is not None and isinstance(size, int) and size > most:
        yield f"{path} is {size}, at most {most}"
    if shape.type_name == "structure":
        for name, part in value.items():
            yield from beyond(shape.members[name], part, f"{path}.{name}")
    elif shape.type_name == "list":
        for part in value:
            yield from beyond(shape.member, part, path)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The operations that the library calls, with the values that their models do not allow."""
    calls: dict[str, set[str]] = {}
    client_of = Aws._client

    def watched(self: Aws, service: str, use: Any) -> Any:
        client = client_of(self, service, use)

        def note(params: Any, model: Any, **_: Any) -> None:
            violations = calls.setdefault(f"{service}:{model.name}", set())
            violations.update(beyond(model.input_shape, params) if model.input_shape else ())

        client.meta.events.register("before-parameter-build", note, "limits")
        return client

    monkeypatch.setattr(Aws, "_client", watched)
    return calls


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that remembers runs of a job."""
    state = tmp_path_factory.mktemp("state")
    remember_runs(state, "small", 3, 1.0)
    with serve(state, "--keep") as served:
        command = {"Name": "glueetl", "ScriptLocation": "s3://scripts/small.py"}
        served.client("glue").create_job(Name="small", Role=ROLE, Command=command)
        yield served


@pytest.fixture
def led(account: Served, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name, value in {**account.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    return Aws(region="us-east-1")


def _govern(aws: Aws) -> None:
    """Read every list of Lake Formation, and write more than one call takes."""
    service = LakeFormation(aws, "123456789012")
    values = [f"v{number:03}" for number in range(120)]
    service.create_tag("many", values)
    service.remove_tag_values("many", values[:60])
    service.add_tag_values("many", values[:60])
    for read in (service.locations, service.tags, service.filters, service.opt_ins, service.permissions):
        read()
    service.tables_tagged("many", "v000")
    service.databases_tagged("many", "v000")
    with suppress(EtltctlError):  # there is no such principal: the batch is what counts
        service.grant([entry("x", {"Catalog": {}}, ["CREATE_DATABASE"], [])] * 20)


def _keep_partitions(aws: Aws) -> None:
    catalog = Catalog(aws)
    table = Table("limits", "t", "s3://limits/t/", {"n": "bigint"}, {"day": "string"})
    catalog.ensure_database("limits")
    catalog.put(table, None)
    partitions = {(f"{day:03}",): f"s3://limits/t/day={day}/" for day in range(101)}
    Partitions(aws, table).put(partitions)
    Partitions(aws, table).put({values: f"{place}moved/" for values, place in partitions.items()})
    Partitions(aws, table).put({})


def test_no_request_asks_for_more_than_the_api_allows(led: Aws, sent: Mapping[str, set[str]]) -> None:
    _govern(led)
    _keep_partitions(led)
    (run, *_) = Glue(led).job_runs("small")
    Logs(led).tail(run).telling()
    ProgressBar(led).newest_stage(run)
    for service in GREETINGS:
        Inspection(led).greet(service)
    Inspection(led).has_tables("limits")
    with suppress(EtltctlError):  # the embedded IAM does not simulate
        Inspection(led).denied(ROLE, ["s3:GetObject"], ["*"])
    with suppress(EtltctlError):
        Inspection(led).has_objects("limits", "t/")
    next(CloudTrail(led).events("GetDataAccess", datetime.now(UTC)), None)
    athena = Athena(led, "primary")
    for ask in (athena.columns, lambda query: list(athena.rows(query, [Column("n", "int")]))):
        with suppress(EtltctlError):  # there is no such query
            ask("00000000-0000-4000-8000-000000000000")
    assert athena.newest_of("select 'never started'") is None
    assert {name: beyond for name, beyond in sent.items() if beyond} == {}
    paging = {"lakeformation:SearchTablesByLFTags", "lakeformation:ListPermissions", "glue:GetJobRuns",
              "athena:GetQueryResults", "logs:GetLogEvents", "cloudtrail:LookupEvents",
              "glue:BatchCreatePartition", "glue:BatchUpdatePartition", "glue:BatchDeletePartition"}  # fmt: skip
    assert paging <= set(sent)


def test_every_paged_call_in_the_code_is_tested_above() -> None:
    """Exercise a new call in the test above first, then add it here."""
    paged_calls = set()
    for file in SOURCES.rglob("*.py"):
        place = file.relative_to(SOURCES)
        if place.parts[0] == "local" or "client(" not in (text := file.read_text()):
            continue
        for node in ast.walk(ast.parse(text)):
            named = [node.arg] if isinstance(node, ast.keyword) else []
            named += (
                [key.value for key in node.keys if isinstance(key, ast.Constant)]
                if isinstance(node, ast.Dict)
                else []
            )
            paged_calls |= {(str(place), name) for name in named if name in PAGES}
    assert paged_calls == {
        ("athena/client.py", "MaxResults"), ("athena/client.py", "PageSize"), ("cloudtrail.py", "MaxResults"),
        ("glue.py", "MaxResults"), ("inspection.py", "MaxKeys"), ("inspection.py", "MaxResults"),
        ("inspection.py", "PageSize"),
        ("inspection.py", "limit"), ("lakeformation.py", "MaxResults"),
        ("logs/glue_logs.py", "limit"), ("logs/progress_bar.py", "limit"),
    }  # fmt: skip


@pytest.mark.parametrize("operation", ["search_tables_by_lf_tags", "search_databases_by_lf_tags"])
def test_the_embedded_service_refuses_a_page_that_aws_refuses(account: Served, operation: str) -> None:
    search = getattr(account.client("lakeformation"), operation)
    expression = [{"TagKey": "zone", "TagValues": ["x"]}]
    search(Expression=expression, MaxResults=100)
    with pytest.raises(ClientError, match="Member must have value less than or equal to 100") as refused:
        search(Expression=expression, MaxResults=101)
    assert refused.value.response["Error"]["Code"] == "InvalidInputException"
