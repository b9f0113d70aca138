"""The embedded Athena's SQL, case by case: what Athena engine version 3 (Trino) answers, or the error that it names.

The cases stand in `athena_corpus`, a file for each family, a case a line. Their results are Trino's by its
documentation and source, worked out apart from the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etltctl.local.services.athena.dialect import QueryError, duckdb_expression, parse, register
from etltctl.local.services.athena.dialect.trino_types import DOUBLE
from etltctl.local.services.athena.engine import Answer, answer_of, confine, executed, prepare
from etltctl.local.services.athena.tables import Lake

Ask = Callable[[str], Answer]
CORPUS = Path(__file__).parent / "athena_corpus"


def cases() -> list[Any]:
    return [
        pytest.param(json.loads(line), id=f"{path.stem}-{number}")
        for path in sorted(CORPUS.glob("*.jsonl"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB once, with the limits of a query that reads no table: that takes longer than most queries."""
    with duckdb.connect() as connection:
        confine(connection, ())
        yield connection


@pytest.fixture
def answer(lake: Lake, engine: duckdb.DuckDBPyConnection) -> Ask:
    def answer(sql: str) -> Answer:
        prepared = prepare(parse(sql), (), "default", lake)
        with executed(prepared, engine) as done:
            return answer_of(done, prepared.translation)

    return answer


@pytest.mark.parametrize("case", cases())
def test_a_query_returns_what_athena_returns_or_is_refused_by_its_name(
    case: dict[str, Any], answer: Ask
) -> None:
    if "error" in case:
        with pytest.raises(QueryError) as refusal:
            answer(case["sql"])
        assert refusal.value.code == case["error"], refusal.value
    else:
        assert answer(case["sql"]).rows == case["rows"]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select 1, 2 as Two, 1+1", [("_col0", "integer"), ("Two", "integer"), ("_col2", "integer")]),
        ("select x, x + 1 from (values 1) t(x)", [("x", "integer"), ("_col1", "integer")]),
        (
            "select timestamp '2024-01-01 00:00:00', date '2024-01-01'",
            [("_col0", "timestamp"), ("_col1", "date")],
        ),
        ("select current_timestamp as now", [("now", "timestamp with time zone")]),
        ("select date '2024-01-31' + interval '1' month", [("_col0", "date")]),
        (
            "select cast(1 as real), 1e0, time '10:00:00'",
            [("_col0", "real"), ("_col1", "double"), ("_col2", "time")],
        ),
        (
            "select array[1], map(array['a'], array[1]), row(1)",
            [("_col0", "array"), ("_col1", "map"), ("_col2", "row")],
        ),
        (
            "select json_parse('1'), interval '1' day",
            [("_col0", "json"), ("_col1", "interval day to second")],
        ),
        (
            "select cast('a' as char(3)), null, true",
            [("_col0", "char"), ("_col1", "unknown"), ("_col2", "boolean")],
        ),
        ("select sum(x), count(*) from (values 1) t(x)", [("_col0", "bigint"), ("_col1", "bigint")]),
    ],
)
def test_columns_have_athenas_names_and_types(sql: str, columns: list[tuple[str, str]], answer: Ask) -> None:
    assert [(name, kind) for name, kind, *_ in answer(sql).columns] == columns


def test_a_decimal_column_states_its_precision_and_scale(answer: Ask) -> None:
    columns = answer("select 10.0 / 3, sum(x) from (values 1.25) t(x)").columns
    assert [column[2:] for column in columns] == [(3, 1), (38, 2)]


@pytest.mark.parametrize(
    "name", ["read_text", "query", "getenv", "ifnull", "list_transform", "printf", "strftime"]
)
def test_no_function_of_duckdb_can_be_called(name: str, answer: Ask) -> None:
    with pytest.raises(QueryError, match=f"FUNCTION_NOT_FOUND: .*'{name}' not registered"):
        answer(f"select {name}('x', 'y')")


def test_an_existing_function_of_a_connection_is_left_unchanged() -> None:
    """A row filter and the query that reads through it may call the same function."""
    condition, udfs = duckdb_expression("round(x, 1) = 1.5", {"x": DOUBLE})
    assert udfs
    with duckdb.connect() as engine:
        for _ in range(2):
            register(engine, udfs)
        assert engine.execute(f"select {condition} from (values (1.46::double)) t(x)").fetchall() == [(True,)]
