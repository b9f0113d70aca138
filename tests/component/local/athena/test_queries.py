"""The embedded Athena answers queries with real rows, and refuses in Athena's words."""

from __future__ import annotations

import pytest

from etltctl.local.services.athena.dialect import of_hive, rendered
from etltctl.local.services.athena.service import AthenaService
from support.embedded_athena import ended, reason, rows, start


def test_every_type_is_written_as_athena_writes_it(athena: AthenaService) -> None:
    assert rows(athena, "select * from days where city = 'a'") == [
        ("a", "7", "1.5", "2026-01-02", "2026-01-02 03:04:05.000", "12.50", "[A, B]", "true", None)
    ]


def test_columns_carry_athena_s_type_names(athena: AthenaService) -> None:
    query_id = start(athena, "select * from days")
    ended(athena, query_id)
    infos = athena.results({"QueryExecutionId": query_id})["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [info["Type"] for info in infos] == [
        "varchar", "bigint", "double", "date", "timestamp", "decimal", "array", "boolean", "varchar",
    ]  # fmt: skip
    assert (infos[5]["Precision"], infos[5]["Scale"]) == (6, 2)


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select 1/2, -7/2, 7/2.0", ("0", "-3", "3.5")),
        ("select n/2 from days where city='a'", ("3",)),
        ("select sum(n)/count(n) from days", ("4",)),
        ("select try(1/0)", (None,)),
        ("select date_format(at, '%Y-%m') from days where n=7", ("2026-01",)),
        ("select date_trunc('month', day) from days where n=7", ("2026-01-01",)),
        (
            "select cardinality(tags), contains(tags, 'B'), element_at(tags, 1) from days where n=7",
            ("2", "true", "A"),
        ),
        ("select count_if(n > 1), arbitrary(city) from days where city is not null and n > 2", ("1", "a")),
        ("select max_by(city, n), min_by(city, n) from days", ("a", "b")),
        ("select try_cast('x' as integer), cast('7' as integer) + 1", (None, "8")),
        ("select json_extract_scalar('{\"a\": {\"b\": 3}}', '$.a.b')", ("3",)),
        ("select approx_distinct(city) from days", ("2",)),
        ("select 'a' || 'b', concat('a', 'b'), coalesce(null, 'c'), nullif(1, 1)", ("ab", "ab", "c", None)),
        ("select year(day), month(day), day_of_week(day) from days where n=7", ("2026", "1", "5")),
        ("with d as (select * from days) select count(*) from d", ("3",)),
        ("select t from days cross join unnest(tags) as u(t) where n=7 order by 1 desc limit 1", ("B",)),
        ("select count(*) from awsdatacatalog.gold.days", ("3",)),
        ("select sum(x) over (order by n) from days where n=7", ("1.5",)),
    ],
)
def test_a_typical_query_returns_its_rows(
    athena: AthenaService, sql: str, answer: tuple[str | None, ...]
) -> None:
    assert rows(athena, sql) == [answer]


def test_nulls_sort_last_in_both_directions(athena: AthenaService) -> None:
    assert [row[0] for row in rows(athena, "select n from days order by n")] == ["2", "7", None]
    assert [row[0] for row in rows(athena, "select n from days order by n desc")] == ["7", "2", None]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select * from gold.nothing", "TABLE_NOT_FOUND: line 1:"),
        ("select nope from days", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("select d.nope from days d", "COLUMN_NOT_FOUND"),
        ("selec 1", "REFUSED: line 1:1: mismatched input 'selec'"),
        ("select 1; select 2", "REFUSED: line 1:11: Only one sql statement is allowed"),
        ("select cast('x' as integer)", "INVALID_CAST_ARGUMENT"),
        ("select nofunction(1)", "FUNCTION_NOT_FOUND"),
        (
            "select st_point(1, 2)",
            "NOT_SUPPORTED: the embedded Athena does not support the function st_point",
        ),
        (
            "optimize days rewrite data using bin_pack",
            "NOT_SUPPORTED: gold.days is not a table of Iceberg",
        ),
        ("vacuum days", "NOT_SUPPORTED: gold.days is not a table of Iceberg"),
    ],
)
def test_a_query_that_cannot_run_fails_in_athena_s_words(athena: AthenaService, sql: str, words: str) -> None:
    assert words in reason(athena, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/passwd'",
        "copy days to '/tmp/x.csv'",
        "install httpfs",
        "attach '/tmp/x.db'",
    ],
)
def test_nothing_but_the_lake_can_be_read_or_written(athena: AthenaService, sql: str) -> None:
    assert reason(athena, sql)


def test_parameters_are_literals(athena: AthenaService) -> None:
    assert rows(
        athena, "select city from days where n = ? and city = ?", ExecutionParameters=["7", "'a'"]
    ) == [("a",)]
    assert "INVALID_PARAMETER" in reason(athena, "select ?")
    query_id = start(athena, "select ?", ExecutionParameters=["it's"])
    assert "INVALID_PARAMETER" in ended(athena, query_id)["Status"]["StateChangeReason"]


def test_nested_values_are_written_as_athena_writes_them() -> None:
    kind = of_hive("struct<a:int,b:array<string>>")
    assert rendered({"a": 1, "b": [None, "x"]}, kind) == "{a=1, b=[null, x]}"


@pytest.mark.parametrize(
    "table",
    ["read_parquet('s3/lake/**/*.parquet')", "read_text('/etc/passwd')", "duckdb_settings()", "range(3)"],
)
def test_no_table_function_reads_past_the_catalog(athena: AthenaService, table: str) -> None:
    # By the grammar, or as a function that Trino does not have.
    refused = ("REFUSED: line 1:", "FUNCTION_NOT_FOUND: line 1:")
    assert reason(athena, f"select * from {table}").startswith(refused)
    assert reason(athena, f"with t as (select * from {table}) select count(*) from t").startswith(refused)
