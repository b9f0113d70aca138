"""Queries over the wire: parameters, limits, views, workgroups of every kind, and results of any length."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.errors import BudgetError, RunFailedError, UsageError
from etltctl.querying import list_tables, literal, run_query
from support.lakes import SmallLake
from support.served import Served

ROWS = 2_500


@pytest.fixture(scope="module")
def numbers(server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    """A lake with gold.one: `n` counts up, `name` spells it, `day` is a date."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
        small = SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("numbers"), own)
        columns = {
            "n": pa.array(range(ROWS), pa.int64()),
            "name": [f"it's {n}" for n in range(ROWS)],
            "day": [date(2026, 1, 1 + n % 28) for n in range(ROWS)],
        }
        small.lake.publish({"gold.one": small.write("gold.one", "v1", pa.table(columns))})
        yield small


def answered(small: SmallLake, sql: str, *parameters: str, max_scan: str = "") -> list[tuple[object, ...]]:
    return list(run_query(sql, small.settings, parameters=parameters, max_scan=max_scan).rows())


def test_parameters_are_values_and_never_sql(numbers: SmallLake) -> None:
    assert answered(numbers, "select n from one where name = ?", "it's 7") == [(7,)]
    assert answered(numbers, "select n from one where name = ?", "x' or 'a' = 'a") == []
    assert answered(numbers, "select count(*) from one where day = ? and n < ?", "date:2026-01-03", "60") == [
        (3,)
    ]
    assert answered(numbers, "select ? || ?", "text:5", "text:date:x") == [("5date:x",)]


def test_a_layer_in_place_of_its_database_is_answered_with_the_database(numbers: SmallLake) -> None:
    with pytest.raises(RunFailedError, match="NOT_FOUND") as caught:
        answered(numbers, "select * from gold.one")
    database = numbers.settings.athena.databases["gold"]
    assert caught.value.hint == f"in SQL the layer gold is the database {database}: write {database}.TABLE"


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("5", "5"),
        ("-1.5", "-1.5"),
        ("true", "true"),
        ("5; drop table x", "'5; drop table x'"),
        ("O'Hara", "'O''Hara'"),
        ("date:2026-01-01' or 1=1", "DATE '2026-01-01'' or 1=1'"),
        ("timestamp:2026-01-01 12:00:00", "TIMESTAMP '2026-01-01 12:00:00'"),
        ("text:null", "'null'"),
        ("http://x", "'http://x'"),
        ("", "''"),
    ],
)
def test_a_parameter_becomes_a_literal(text: str, sql: str) -> None:
    assert literal(text) == sql


def test_a_query_that_scans_more_than_it_may_is_cancelled(numbers: SmallLake) -> None:
    with pytest.raises(BudgetError, match="more than the 100 it may") as error:
        answered(numbers, "select count(*) from one", max_scan="100B")
    assert error.value.exit_code == 9
    assert answered(numbers, "select count(*) from one", max_scan="1GB") == [(ROWS,)]
    with pytest.raises(UsageError, match="is not a size"):
        answered(numbers, "select 1", max_scan="much")


def test_a_workgroup_s_own_limit_cancels_the_query(numbers: SmallLake) -> None:
    _workgroup(numbers, "narrow", BytesScannedCutoffPerQuery=10_000_000)
    noise = pa.table({"noise": [os.urandom(1_000_000) for _ in range(11)]})
    numbers.lake.publish({"gold.two": numbers.write("gold.two", "v1", noise)})
    athena = _athena(numbers, "narrow")
    assert (
        athena.run("select count(*) from one", uuid4().hex, database=_database(numbers)).status == "SUCCEEDED"
    )
    with pytest.raises(RunFailedError, match=r"CANCELLED.*Bytes scanned limit was exceeded"):
        athena.run("select count(*) from two", uuid4().hex, database=_database(numbers))


def test_results_are_read_page_by_page_in_order(numbers: SmallLake) -> None:
    answer = run_query("select n, name from one order by n", numbers.settings)
    pages: list[str] = []
    events = answer.athena.aws.client("athena").meta.events
    events.register("before-call.athena.GetQueryResults", lambda model, **_: pages.append(model.name))
    coming = answer.rows()
    assert next(coming) == (0, "it's 0")
    assert len(pages) == 1
    assert [row[0] for row in coming] == list(range(1, ROWS))
    assert len(pages) == 3


def test_no_output_location_is_sent_if_athena_keeps_the_results(numbers: SmallLake) -> None:
    _workgroup(numbers, "managed", ManagedQueryResultsConfiguration={"Enabled": True})
    execution = _athena(numbers, "managed").run("select 1 as one", uuid4().hex)
    assert execution.output_location == ""
    athena = numbers.aws.client("athena")
    with pytest.raises(athena.exceptions.InvalidRequestException):
        athena.start_query_execution(
            QueryString="select 1", WorkGroup="managed", ResultConfiguration={"OutputLocation": "s3://x/"}
        )


def test_the_output_location_of_the_settings_is_sent_if_the_workgroup_has_none(numbers: SmallLake) -> None:
    _workgroup(numbers, "bare")
    execution = _athena(numbers, "bare").run("select 1 as one", uuid4().hex)
    assert execution.output_location.startswith("s3://pi-m3-athena-results/")


def test_only_a_query_that_failed_for_athena_s_reason_is_run_again(
    numbers: SmallLake,
) -> None:
    athena = _athena(numbers, "pi-m3")
    client, queries = athena.aws.client("athena"), []
    client.meta.events.register(
        "before-call.athena.StartQueryExecution", lambda **_: queries.append(1), unique_id="n"
    )

    def failed_once(parsed: dict[str, dict[str, dict[str, object]]], **_: object) -> None:
        if len(queries) == 1:
            error = {"ErrorCategory": 1, "Retryable": True, "ErrorMessage": "try again"}
            parsed["QueryExecution"]["Status"] = {"State": "FAILED", "AthenaError": error}

    client.meta.events.register("after-call.athena.GetQueryExecution", failed_once, unique_id="once")
    assert athena.run("select 1 as one", uuid4().hex).status == "SUCCEEDED"
    assert len(queries) == 2
    queries[:] = [0]
    with pytest.raises(RunFailedError, match="TABLE_NOT_FOUND"):
        athena.run("select * from nowhere", uuid4().hex)
    assert len(queries) == 2
    client.meta.events.unregister("before-call.athena.StartQueryExecution", unique_id="n")
    client.meta.events.unregister("after-call.athena.GetQueryExecution", unique_id="once")


def test_views_are_created_read_listed_replaced_and_dropped(numbers: SmallLake) -> None:
    answered(numbers, "create view early as select n, day from one where n < 10")
    assert answered(numbers, "select count(*), max(e.day) from early e") == [(10, "2026-01-10")]
    with pytest.raises(RunFailedError, match="View already exists"):
        answered(numbers, "create view early as select 1 as x")
    answered(numbers, "create or replace view early as select n from one where n < 5")
    answered(numbers, f'create view "{_database(numbers)}".earlier as select n from early where n < 3')
    assert answered(numbers, f"select sum(n) from {_database(numbers)}.earlier join early using (n)") == [
        (3,)
    ]
    assert {"one", "early", "earlier"} <= {name for _, name, *_ in list_tables(numbers.settings)}
    answered(numbers, "drop view earlier")
    with pytest.raises(RunFailedError, match="is a table, not a view"):
        answered(numbers, "drop view one")
    with pytest.raises(RunFailedError, match="TABLE_NOT_FOUND"):
        answered(numbers, "select * from earlier")


def _database(small: SmallLake) -> str:
    return small.settings.athena.databases["gold"]


def _athena(small: SmallLake, workgroup: str) -> Athena:
    return Athena(small.aws, workgroup, small.settings.athena.output_location)


def _workgroup(small: SmallLake, name: str, **configuration: object) -> None:
    place = (
        {"ResultConfiguration": {"OutputLocation": "s3://pi-m3-athena-results/"}} if name == "narrow" else {}
    )
    small.aws.client("athena").create_work_group(Name=name, Configuration={**place, **configuration})


def test_the_text_that_hive_returns_for_a_row_is_read_as_its_columns(numbers: SmallLake) -> None:
    described = run_query("describe one", numbers.settings)
    assert described.names == ["col_name", "data_type", "comment"]
    assert next(iter(described.rows())) == ("n", "bigint", "")
    assert [row[0] for row in run_query("show columns in one", numbers.settings).rows()] == [
        name.ljust(20) for name in ("n", "name", "day")
    ]
