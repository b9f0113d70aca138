"""The processes that run queries end with their service and their server, and have none of its secrets."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.kernel.processes import descendants, is_alive
from etltctl.local.services.athena.processes import CancelledError, Worker, Workers, run_apart
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.athena.worker import Statement
from support.served import Served, serve, wait_until

# Neither DuckDB nor Python ends these by itself.
IN_PYTHON = "select regexp_like(rpad('a', 60, 'a') || 'b', '(a+)+$')"
IN_DUCKDB = "select count(*) from {0} a cross join {0} b cross join {0} c where a.x + b.x + c.x < 0".format(
    "(select x from unnest(sequence(1, 10000)) t(x))"
)


def workers_of(server: Served) -> list[int]:
    return [pid for pid in descendants(server.process.pid) if "athena.worker" in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""


def start(server: Served, sql: str) -> Callable[[], str]:
    server.client("s3").create_bucket(Bucket="results")
    athena = server.client("athena")
    place = {"OutputLocation": "s3://results/q/"}
    query = athena.start_query_execution(QueryString=sql, ResultConfiguration=place)["QueryExecutionId"]
    return lambda: str(
        athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]["State"]
    )


def seconds_worked(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("sql", [IN_PYTHON, IN_DUCKDB])
def test_a_query_ends_with_a_server_that_is_killed(sql: str, tmp_path: Path) -> None:
    with serve(tmp_path / "state", "--keep") as server:
        state = start(server, "select 1")
        wait_until(lambda: state() == "SUCCEEDED")
        (worker,) = workers_of(server)
        before = seconds_worked(worker)
        start(server, sql)
        wait_until(lambda: seconds_worked(worker) > before + 0.3)
        assert workers_of(server) == [worker]
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(worker))


def test_a_server_that_ends_leaves_no_process_of_a_query(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "--keep") as server:
        state = start(server, "select 1")
        wait_until(lambda: state() == "SUCCEEDED")
        start(server, IN_DUCKDB)
        start(server, IN_DUCKDB)
        wait_until(lambda: len(workers_of(server)) == 2)
        workers = workers_of(server)
        server.process.terminate()
        server.process.wait(60)
    assert not [pid for pid in workers if is_alive(pid)]


def test_a_process_of_a_query_knows_no_secret_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none-of-its-business")
    monkeypatch.setenv("MY_DATABASE_TOKEN", "none-of-its-business")
    with serve(tmp_path / "state", "--keep") as server:
        state = start(server, "select 1")
        wait_until(lambda: state() == "SUCCEEDED")
        (worker,) = workers_of(server)
        assert b"none-of-its-business" not in Path(f"/proc/{worker}/environ").read_bytes()
        assert "\0-P\0" in command_of(worker)


def test_closed_workers_have_ended_and_refuse_the_next_query(lake: Lake) -> None:
    workers = Workers(most_idle=1)
    taken = [workers.take() for _ in range(3)]
    for worker in taken[:2]:
        workers.give_back(worker)
    assert alive(taken) == 2, "one query more than the limit waits"
    workers.close()
    assert alive(taken) == 0
    workers.end(taken[2])
    statement: Any = Statement("select 1", (), "default", "", False)
    with pytest.raises(CancelledError):
        run_apart(workers, statement, lake, lambda scanned: None, lambda: True)


def alive(workers: list[Worker]) -> int:
    return sum(worker.is_alive for worker in workers)
