"""Limits of queries: memory, time, depth, and StopQueryExecution at every moment of a query."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.services.athena import processes
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.processes import CancelledError, Worker, Workers, run_apart
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.athena.worker import Statement
from support.served import Served

AT_ONCE = 4
WORKERS = Workers(AT_ONCE)
# Neither DuckDB nor Python ends these by itself.
IN_PYTHON = "select regexp_like(rpad('a', 60, 'a') || 'b', '(a+)+$')"
IN_DUCKDB = "select count(*) from {0} a cross join {0} b cross join {0} c where a.x + b.x + c.x < 0".format(
    "(select x from unnest(sequence(1, 10000)) t(x))"
)


@pytest.fixture(scope="module")
def athena(server: Served) -> Any:
    server.client("s3").create_bucket(Bucket="limits")
    return server.client("athena")


@pytest.fixture(scope="module", autouse=True)
def _workers_end() -> Iterator[None]:
    yield
    WORKERS.close()


def run(sql: str, lake: Lake, is_wanted: Any = lambda: True) -> Any:
    statement = Statement(sql, (), "default", "", False)
    return run_apart(WORKERS, statement, lake, lambda scanned: None, is_wanted)


def start(athena: Any, sql: str) -> str:
    place = {"OutputLocation": "s3://limits/q/"}
    started: str = athena.start_query_execution(QueryString=sql, ResultConfiguration=place)[
        "QueryExecutionId"
    ]
    return started


def wait(athena: Any, query_id: str, *states: str) -> dict[str, Any]:
    while True:
        execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if execution["Status"]["State"] in states:
            return dict(execution["Status"])
        time.sleep(0.05)


@pytest.mark.parametrize("sql", [IN_PYTHON, IN_DUCKDB])
def test_every_stopped_query_frees_its_place(sql: str, athena: Any) -> None:
    running = [start(athena, sql) for _ in range(AT_ONCE)]
    for query_id in running:
        wait(athena, query_id, "RUNNING")
        athena.stop_query_execution(QueryExecutionId=query_id)
        assert wait(athena, query_id, "CANCELLED", "FAILED", "SUCCEEDED")["State"] == "CANCELLED"
    assert wait(athena, start(athena, "select 1"), "SUCCEEDED", "FAILED")["State"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "sql",
    [
        "select array_agg(a.x) from unnest(sequence(1, 10000)) a(x) cross join unnest(sequence(1, 10000)) b(y)",
        "select max(length(rpad('a', 33000000, 'b') || cast(a.x as varchar))) from unnest(sequence(1, 9000)) a(x)",
    ],
)
def test_a_query_that_takes_too_much_memory_ends_and_the_server_does_not_grow(
    sql: str, athena: Any, server: Served
) -> None:
    status = wait(athena, start(athena, sql), "SUCCEEDED", "FAILED")
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith("EXCEEDED_MEMORY_LIMIT: ")
    peak = next(
        line
        for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
        if "VmHWM" in line
    )
    assert int(peak.split()[1]) < 900 * 1024, peak


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select repeat('x', 2000000000)", "INVALID_FUNCTION_ARGUMENT"),
        ("select rpad('x', 2000000000, 'x')", "INVALID_FUNCTION_ARGUMENT"),
        ("select sequence(1, 2000000000)", "INVALID_FUNCTION_ARGUMENT"),
        (
            "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
            "NOT_SUPPORTED",
        ),
    ],
)
def test_a_query_that_grows_without_end_is_refused(sql: str, code: str, lake: Lake) -> None:
    with pytest.raises(QueryError) as refusal:
        run(sql, lake)
    assert refusal.value.code == code


def test_a_query_has_a_time_limit(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes.TIME_LIMIT_S == 30 * 60
    monkeypatch.setattr(processes, "TIME_LIMIT_S", 0.0)
    with pytest.raises(QueryError, match="EXCEEDED_TIME_LIMIT"):
        run(IN_PYTHON, lake)


def test_an_unwanted_answer_ends_its_process(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Worker] = []
    end = Worker.end
    monkeypatch.setattr(Worker, "end", lambda worker: (ended.append(worker), end(worker)))
    with pytest.raises(CancelledError):
        run(IN_DUCKDB, lake, lambda: False)
    assert len(ended) == 1
    assert not ended[0].is_alive


def test_a_process_serves_the_next_query_after_an_error(lake: Lake) -> None:
    with pytest.raises(QueryError, match="DIVISION_BY_ZERO"):
        run("select 1 / 0", lake)
    assert run("select 1", lake).rows == [["1"]]


def test_a_leading_byte_order_mark_is_not_part_of_the_statement(lake: Lake) -> None:
    assert run("\ufeffselect 1", lake).rows == [["1"]]


@pytest.mark.parametrize(
    ("sql", "place"),
    [("select 1 +", "line 1:"), ("select 1\nfrom (", "line 2:"), ("selec 1", "line 1:1"), ("", "line 1:1")],
)
def test_a_syntax_error_names_its_place(sql: str, place: str, lake: Lake) -> None:
    with pytest.raises(QueryError) as refusal:
        run(sql, lake)
    assert refusal.value.code == "SYNTAX_ERROR"
    assert place in refusal.value.message
