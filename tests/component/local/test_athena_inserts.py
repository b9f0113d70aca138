"""INSERT INTO over the wire: rows, partitions, types, and what is refused."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served

LAKE = "s3://insert-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "insert-results", "insert_gold")
    athena.s3.create_bucket(Bucket="insert-lake")
    athena.glue.create_database(DatabaseInput={"Name": "insert_gold"})
    athena.succeed("CREATE TABLE laps AS SELECT 1 AS id, cast('a' AS varchar) AS name, 1.50 AS gap")
    athena.succeed(
        f"CREATE TABLE days WITH (partitioned_by = ARRAY['day'], external_location = '{LAKE}/days/') AS "
        "SELECT 1 AS n, date '2024-01-01' AS day"
    )
    return athena


def test_rows_of_a_query_are_added(athena: Athena) -> None:
    athena.succeed("CREATE TABLE added AS SELECT 1 AS a, cast('x' AS varchar) AS b")
    execution = athena.succeed("INSERT INTO added SELECT a + 1, b || 'y' FROM added")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    (url,) = athena.manifest(execution)
    assert url.startswith(athena.table("added")["StorageDescriptor"]["Location"])
    results = athena.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    assert results["UpdateCount"] == 1
    assert athena.rows("SELECT * FROM added ORDER BY a") == [("1", "x"), ("2", "xy")]


def test_values_are_coerced_to_the_columns(athena: Athena) -> None:
    athena.succeed("INSERT INTO laps VALUES (bigint '7', 'seven', 2), (8, null, 0.125)")
    assert athena.rows("SELECT * FROM laps WHERE id > 1 ORDER BY id") == [
        ("7", "seven", "2.00"),
        ("8", None, "0.13"),
    ]


def test_columns_that_are_left_out_are_null(athena: Athena) -> None:
    athena.succeed("INSERT INTO laps (name, id) VALUES ('nine', 9)")
    assert athena.rows("SELECT * FROM laps WHERE id = 9") == [("9", "nine", None)]


def test_new_partitions_are_registered(athena: Athena) -> None:
    athena.succeed(
        "INSERT INTO days SELECT * FROM (VALUES (2, date '2024-01-01'), (3, date '2024-01-02')) t(n, day)"
    )
    partitions = athena.glue.get_partitions(DatabaseName="insert_gold", TableName="days")["Partitions"]
    assert {one["Values"][0]: one["StorageDescriptor"]["Location"] for one in partitions} == {
        "2024-01-01": f"{LAKE}/days/day=2024-01-01/", "2024-01-02": f"{LAKE}/days/day=2024-01-02/"
    }  # fmt: skip
    assert athena.rows("SELECT n, day FROM days ORDER BY n") == [
        ("1", "2024-01-01"), ("2", "2024-01-01"), ("3", "2024-01-02")
    ]  # fmt: skip


def test_a_partition_is_written_where_it_is_registered(athena: Athena) -> None:
    storage = {**athena.table("days")["StorageDescriptor"], "Location": f"{LAKE}/moved/"}
    partition = {"Values": ["2030-01-01"], "StorageDescriptor": storage}
    athena.glue.create_partition(DatabaseName="insert_gold", TableName="days", PartitionInput=partition)
    athena.succeed("INSERT INTO days VALUES (30, date '2030-01-01')")
    assert len(athena.keys(f"{LAKE}/moved/")) == 1
    assert athena.rows("SELECT n FROM days WHERE day = date '2030-01-01'") == [("30",)]


def test_more_than_a_hundred_partitions_are_refused(athena: Athena) -> None:
    sql = (
        "INSERT INTO days SELECT n, date_add('day', n, date '2040-01-01') FROM UNNEST(sequence(1, 101)) t(n)"
    )
    assert athena.reason(sql).startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: ")
    assert athena.rows("SELECT count(*) FROM days WHERE day > date '2040-01-01'") == [("0",)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "INSERT INTO laps VALUES ('x', 'y', 1)",
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: "
            "Table: [integer, varchar, decimal(3,2)], Query: [varchar(1), varchar(1), integer]",
        ),
        ("INSERT INTO laps SELECT 1", "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: "),
        (
            "INSERT INTO laps (id, wrong) VALUES (1, 2)",
            "COLUMN_NOT_FOUND: line 1:13: Insert column name does not exist",
        ),
        ("INSERT INTO laps (id, id) VALUES (1, 2)", "DUPLICATE_COLUMN_NAME: line 1:13: "),
        ("INSERT INTO nothing SELECT 1", "TABLE_NOT_FOUND: line 1:13: "),
        ("INSERT INTO laps SELECT nope FROM laps", "COLUMN_NOT_FOUND: line 1:25: "),
        ("INSERT INTO laps VALUES (5000000000, 'a', 1)", ""),
        ("INSERT INTO laps", "REFUSED: line 1:17: mismatched input '<EOF>'"),
        (
            "INSERT OVERWRITE laps SELECT 1",
            "REFUSED: line 1:8: mismatched input 'OVERWRITE'. Expecting: 'INTO'",
        ),
    ],
)
def test_a_statement_that_fails_adds_no_row(athena: Athena, sql: str, reason: str) -> None:
    before = athena.rows("SELECT count(*) FROM laps")
    assert athena.reason(sql).startswith(reason)
    assert athena.rows("SELECT count(*) FROM laps") == before


def test_a_text_that_is_too_long_is_not_cut(athena: Athena) -> None:
    athena.succeed("CREATE TABLE short AS SELECT cast('ab' AS varchar(2)) AS t")
    athena.succeed("INSERT INTO short VALUES 'cd  '")
    assert athena.reason("INSERT INTO short VALUES 'long'").startswith(
        "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from varchar(4) to varchar(2)"
    )
    assert athena.rows("SELECT t FROM short ORDER BY 1") == [("ab",), ("cd",)]


def test_views_and_bucketed_tables_take_no_rows(athena: Athena) -> None:
    athena.succeed("CREATE VIEW seen AS SELECT id FROM laps")
    assert athena.reason("INSERT INTO seen VALUES 1").startswith(
        "NOT_SUPPORTED: line 1:13: Inserting into views"
    )
    athena.succeed("CREATE TABLE dealt WITH (bucketed_by = ARRAY['a'], bucket_count = 2) AS SELECT 1 AS a")
    assert athena.reason("INSERT INTO dealt VALUES 1").startswith(
        "NOT_SUPPORTED: Inserting into bucketed tables"
    )


def test_a_projected_table_is_written_by_its_template_and_registers_nothing(athena: Athena) -> None:
    storage = {**athena.table("days")["StorageDescriptor"], "Location": f"{LAKE}/projected/"}
    parameters = {
        "projection.enabled": "true", "projection.year.type": "integer", "projection.year.range": "2000,2030",
        "storage.location.template": f"{LAKE}/projected/y-${{year}}/",
    }  # fmt: skip
    table = {
        "Name": "projected", "StorageDescriptor": storage, "PartitionKeys": [{"Name": "year", "Type": "int"}],
        "TableType": "EXTERNAL_TABLE", "Parameters": parameters,
    }  # fmt: skip
    athena.glue.create_table(DatabaseName="insert_gold", TableInput=table)
    athena.succeed("INSERT INTO projected VALUES (1, 2024)")
    assert [key.split("/")[1] for key in athena.keys(f"{LAKE}/projected/")] == ["y-2024"]
    assert athena.rows("SELECT n, year FROM projected") == [("1", "2024")]
    assert not athena.glue.get_partitions(DatabaseName="insert_gold", TableName="projected")["Partitions"]
