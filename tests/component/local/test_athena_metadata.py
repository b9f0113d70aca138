"""The tables that describe the catalog: information_schema, and the partitions of a table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.athena import Athena
from support.served import Served


@pytest.fixture(scope="module")
def described(server: Served) -> Iterator[Athena]:
    """Athena with a database `described` and in it a partitioned table and a view."""
    athena = Athena(server, "described-in-sql", "described")
    athena.succeed("CREATE DATABASE described")
    athena.succeed(
        "CREATE EXTERNAL TABLE t (id int COMMENT 'x', m map<string,timestamp>) PARTITIONED BY (day date, n int) "
        "LOCATION 's3://described-in-sql/t/'"
    )
    athena.succeed("ALTER TABLE t ADD PARTITION (day='2024-01-03', n=3) PARTITION (day='2024-01-04', n=4)")
    athena.succeed("CREATE VIEW v AS SELECT 1 AS n, 'a' AS s")
    yield athena
    athena.succeed("DROP DATABASE described CASCADE")


def test_schemas_are_listed(described: Athena) -> None:
    sql = "SELECT * FROM information_schema.schemata WHERE schema_name LIKE 'd%ed' OR schema_name LIKE 'inf%'"
    assert described.rows(sql) == [("awsdatacatalog", "described"), ("awsdatacatalog", "information_schema")]


def test_tables_and_views_are_listed(described: Athena) -> None:
    sql = "SELECT * FROM awsdatacatalog.information_schema.tables WHERE table_schema = 'described'"
    assert described.rows(sql) == [
        ("awsdatacatalog", "described", "t", "BASE TABLE"), ("awsdatacatalog", "described", "v", "VIEW"),
    ]  # fmt: skip
    sql = "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'described'"
    assert described.rows(sql) == [("v", "SELECT 1 AS n, 'a' AS s")]


def test_columns_have_trino_s_types_and_the_partition_columns_are_marked(described: Athena) -> None:
    sql = (
        "SELECT table_name, column_name, ordinal_position, is_nullable, data_type, comment, extra_info "
        "FROM information_schema.columns WHERE table_schema = 'described' AND table_name IN ('t', 'v') "
        "ORDER BY table_name, ordinal_position"
    )
    assert described.rows(sql) == [
        ("t", "id", "1", "YES", "integer", "x", None),
        ("t", "m", "2", "YES", "map(varchar, timestamp(3))", None, None),
        ("t", "day", "3", "YES", "date", None, "partition key"),
        ("t", "n", "4", "YES", "integer", None, "partition key"),
        ("v", "n", "1", "YES", "integer", None, None),
        ("v", "s", "2", "YES", "varchar(1)", None, None),
    ]


def test_a_condition_on_one_read_of_a_table_is_none_on_another(described: Athena) -> None:
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'described' AND table_name = "
    union = f"SELECT * FROM ({columns} 'v' UNION {columns} 't') ORDER BY 1"
    assert described.rows(union) == [("day",), ("id",), ("m",), ("n",), ("s",)]
    joined = (
        "SELECT c.column_name FROM information_schema.columns c JOIN information_schema.tables t "
        "ON c.table_name = t.table_name AND c.table_schema = t.table_schema "
        "WHERE t.table_schema = 'described' AND t.table_type = 'VIEW' ORDER BY 1"
    )
    assert described.rows(joined) == [("n",), ("s",)]


def test_the_partitions_of_a_table_are_rows(described: Athena) -> None:
    assert described.rows('SELECT * FROM "t$partitions" ORDER BY n') == [
        ("2024-01-03", "3"),
        ("2024-01-04", "4"),
    ]
    assert described.rows("""SELECT max(day) FROM described."t$partitions" WHERE n < 4""") == [
        ("2024-01-03",)
    ]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            "information_schema.nothing",
            "TABLE_NOT_FOUND: line 1:34: Table 'awsdatacatalog.information_schema.nothing'",
        ),
        (
            "information_schema.roles",
            "NOT_SUPPORTED: the embedded Athena does not support information_schema.roles",
        ),
        (
            '"v$partitions"',
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.described.v$partitions' does not exist",
        ),
        ('"t$properties"', 'NOT_SUPPORTED: the embedded Athena does not support the table "t$properties"'),
        ('"t$files"', "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.described.t$files' does not exist"),
        ("pg_catalog.pg_class", "TABLE_NOT_FOUND: "),
    ],
)
def test_another_table_of_metadata_is_refused(described: Athena, table: str, reason: str) -> None:
    assert described.reason(f"SELECT * FROM {table}").startswith(reason)
