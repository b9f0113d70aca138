"""Statements that write rows: they have no result, and say how many rows they wrote."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from etltctl.aws import Aws
from etltctl.cli.query_output import QueryOutput
from etltctl.console import Console, Output
from etltctl.errors import UsageError
from etltctl.querying import run_query
from support.lakes import SmallLake
from support.served import Served


@pytest.fixture
def small(
    server: Served, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SmallLake]:
    for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    small = SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("affected"))
    yield small
    run_query("drop table if exists filled", small.settings)


def printed(small: SmallLake, sql: str, output: Output = Output.TABLE) -> str:
    stdout = io.StringIO()
    # What a person reads of a statement without a result goes to stderr.
    console = Console(output=output, stdout=stdout, stderr=stdout, plain=True)
    QueryOutput.of(console, None, None).write(run_query(sql, small.settings))
    return stdout.getvalue()


def test_a_statement_that_writes_prints_the_number_of_its_rows(small: SmallLake) -> None:
    assert printed(small, "create table filled as select 1 a") == "Done. 1 row written or changed.\n"
    assert printed(small, "insert into filled values (2), (3)") == "Done. 2 rows written or changed.\n"
    assert printed(small, "-- a note\ninsert into filled select 4 where false") == (
        "Done. 0 rows written or changed.\n"
    )
    assert printed(small, "select count(*) as rows from filled").split() == ["rows", "────", "3"]


def test_a_statement_that_writes_has_no_columns_and_no_rows_for_a_program(small: SmallLake) -> None:
    document = json.loads(printed(small, "create table filled as select 1 a", Output.JSON))
    assert (document["columns"], document["rows"], document["affected_rows"]) == ([], [], 1)
    answer = run_query("insert into filled values (2)", small.settings)
    assert list(answer.rows()) == []
    with pytest.raises(UsageError, match="no result to write as Parquet"):
        answer.write_parquet(io.BytesIO())
    assert "affected_rows" not in run_query("select a from filled", small.settings).facts()
