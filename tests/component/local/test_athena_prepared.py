"""PREPARE, EXECUTE, DEALLOCATE, EXPLAIN, and queries that do not begin with SELECT."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "prepared-results", "prepared_gold")
    athena.glue.create_database(DatabaseInput={"Name": "prepared_gold"})
    rows = "(VALUES (1, 'a'), (2, 'b'), (3, 'c')) t(id, name)"
    athena.succeed(f"CREATE TABLE laps AS SELECT id, cast(name AS varchar) AS name FROM {rows}")
    return athena


def test_a_statement_is_prepared_executed_and_forgotten(athena: Athena) -> None:
    athena.succeed("PREPARE later FROM SELECT name FROM laps WHERE id > ? AND name <> ?")
    assert athena.rows("EXECUTE later USING 1, 'b'") == [("c",)]
    assert athena.rows("EXECUTE later", ExecutionParameters=["0", "'c'"]) == [("a",), ("b",)]
    assert "already exists" in athena.reason("PREPARE later FROM SELECT 1")
    athena.succeed("DEALLOCATE PREPARE later")
    for sql in ("EXECUTE later USING 1, 'b'", "DEALLOCATE PREPARE later"):
        assert athena.reason(sql) == "NOT_FOUND: Prepared statement not found: later"


def test_a_statement_of_the_api_is_executed(athena: Athena) -> None:
    athena.client.create_prepared_statement(
        StatementName="of_api", WorkGroup="primary", QueryStatement="INSERT INTO laps SELECT ?, ?"
    )
    execution = athena.succeed("EXECUTE of_api USING 3 + 4, substr('seven', 1, 2)")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    assert athena.rows("SELECT name FROM laps WHERE id = 7") == [("se",)]
    assert len(athena.manifest(execution)) == 1


def test_a_wrong_count_of_values_is_refused(athena: Athena) -> None:
    athena.client.create_prepared_statement(
        StatementName="two", WorkGroup="primary", QueryStatement="SELECT ?, ?"
    )
    assert athena.reason("EXECUTE two USING 1").startswith("INVALID_PARAMETER: ")


def test_explain_says_whose_plan_it_is(athena: Athena) -> None:
    execution = athena.succeed("EXPLAIN SELECT name FROM laps WHERE id = 1")
    rows = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])["ResultSet"][
        "Rows"
    ]
    lines = [row["Data"][0].get("VarCharValue", "") for row in rows]
    assert "DuckDB" in lines[0]
    assert any("PARQUET" in line.upper() for line in lines)
    assert not any("/s3/" in line for line in lines)
    assert (
        athena.succeed("EXPLAIN ANALYZE SELECT count(*) FROM laps")["SubstatementType"] == "EXPLAIN_ANALYZE"
    )


def test_explain_validates_a_query(athena: Athena) -> None:
    assert athena.rows("EXPLAIN (TYPE VALIDATE) SELECT name FROM laps") == [("true",)]
    assert athena.reason("EXPLAIN (TYPE VALIDATE) SELECT nope FROM laps").startswith(
        "COLUMN_NOT_FOUND: line 1:32: "
    )


@pytest.mark.parametrize("options", ["TYPE IO, FORMAT JSON", "FORMAT GRAPHVIZ"])
def test_a_form_of_explain_that_only_trino_has_is_refused_by_name(athena: Athena, options: str) -> None:
    assert athena.reason(f"EXPLAIN ({options}) SELECT 1").startswith(
        "NOT_SUPPORTED: the embedded Athena has no EXPLAIN"
    )


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("VALUES (1, 'a'), (2, 'b')", [("1", "a"), ("2", "b")]),
        ("TABLE laps ORDER BY id LIMIT 1", [("1", "a")]),
        ("(SELECT 1) UNION ALL (SELECT 2)", [("1",), ("2",)]),
    ],
)
def test_a_query_need_not_begin_with_select(athena: Athena, sql: str, rows: list[tuple[str, ...]]) -> None:
    assert athena.rows(sql) == rows
