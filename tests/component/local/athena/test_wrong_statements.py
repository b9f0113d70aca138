"""Statements that Athena does not run: most are refused at the start with their place, the others fail by name.

The cases stand in `wrong_statements.jsonl`, a case a line: `refused` is the beginning of the message of
StartQueryExecution, `fails` that of the reason of a failed execution. DuckDB would answer many of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.services.athena.dialect import QueryError, parse
from etltctl.local.services.athena.engine import prepare
from etltctl.local.services.athena.statements.admission import refusal_of
from etltctl.local.services.athena.tables import Lake
from support.served import Served

CASES = [
    json.loads(line) for line in Path(__file__).with_name("wrong_statements.jsonl").read_text().splitlines()
]
RUN = "SELECT a FROM t WHERE a IN (SELECT b FROM u) LIMIT 5"


@pytest.mark.parametrize("case", [case for case in CASES if "refused" in case], ids=lambda case: case["sql"])
def test_a_statement_outside_of_athenas_grammar_is_refused_at_its_place(case: dict[str, Any]) -> None:
    refusal = refusal_of(case["sql"])
    assert refusal is not None
    assert refusal.message.startswith(case["refused"])


@pytest.mark.parametrize("case", [case for case in CASES if "fails" in case], ids=lambda case: case["sql"])
def test_a_statement_that_the_grammar_has_fails_by_its_error_name(case: dict[str, Any], lake: Lake) -> None:
    assert refusal_of(case["sql"]) is None
    with pytest.raises(QueryError) as failure:
        prepare(parse(case["sql"]), (), "default", lake)
    assert str(failure.value).startswith(case["fails"])


@pytest.mark.parametrize(
    "sql",
    [
        RUN,
        f"{RUN};",
        f"-- a comment\n{RUN} -- another",
        'SELECT "from", "1a" FROM "order"',
        "SELECT a FROM t WHERE a IS DISTINCT FROM 'x' OFFSET 1 LIMIT 5",
        "WITH x(a) AS (SELECT 1) SELECT count(*) FILTER (WHERE a > 1) FROM x",
        "SELECT extract(year FROM now()), filter(ARRAY[1], x -> x > 1), interval '1' day",
        "CREATE TABLE t AS SELECT 1 AS a",
        "CREATE OR REPLACE VIEW v AS SELECT 1 AS a",
        "ALTER TABLE t ADD IF NOT EXISTS PARTITION (d = '1') LOCATION 's3://b/1/' PARTITION (d = '2')",
        "EXECUTE p USING 1",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    ],
)
def test_a_statement_of_athenas_grammar_is_started(sql: str) -> None:
    assert refusal_of(sql) is None


def test_a_refused_statement_makes_no_execution(server: Served) -> None:
    athena = server.client("athena")
    before = athena.list_query_executions()["QueryExecutionIds"]
    with pytest.raises(ClientError) as refused:
        athena.start_query_execution(
            QueryString="SELECT * FROM", ResultConfiguration={"OutputLocation": "s3://anywhere/"}
        )
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
    assert refused.value.response["AthenaErrorCode"] == "MALFORMED_QUERY"  # type: ignore[typeddict-item]
    assert refused.value.response["Error"]["Message"] == "line 1:14: mismatched input '<EOF>'"
    assert athena.list_query_executions()["QueryExecutionIds"] == before


def test_a_text_too_deep_for_the_parser_fails_later(server: Served) -> None:
    assert refusal_of(f"SELECT {'(' * 400}1{')' * 400}") is None
