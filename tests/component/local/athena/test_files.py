"""The files that the embedded Athena reads for a table, and those that UNLOAD writes."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.local.services.athena.service import AthenaService
from etltctl.local.services.s3.directory import S3Directory
from support.embedded_athena import OneCatalog, put, reason, rows


def test_a_partitioned_table_with_projection_reads_only_projected_partitions(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    for city, year in (("a", 2023), ("a", 2024), ("b", 2024), ("c", 2024)):
        put(directory, f"obs/v=1/city={city}/year={year}/part.parquet", n=pa.array([year]))
    put(directory, "obs/v=0/city=a/year=2024/part.parquet", n=pa.array([0]))
    catalog.add(
        "obs",
        "s3://lake/obs/v=1/",
        {"n": "bigint"},
        {"city": "string", "year": "int"},
        **{
            "projection.enabled": "true",
            "projection.city.type": "enum",
            "projection.city.values": "a,b",
            "projection.year.type": "integer",
            "projection.year.range": "2023,2024",
            "storage.location.template": "s3://lake/obs/v=1/city=${city}/year=${year}/",
        },
    )
    sums = rows(athena, "select city, year, sum(n) from obs group by 1, 2 order by 1, 2")
    assert sums == [("a", "2023", "2023"), ("a", "2024", "2024"), ("b", "2024", "2024")]


def test_a_partitioned_table_reads_its_registered_partitions_only(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    put(directory, "p/one/part.parquet", n=pa.array([1]))
    put(directory, "p/two/part.parquet", n=pa.array([2]))
    catalog.add("p", "s3://lake/p/", {"n": "bigint"}, {"k": "string"})
    catalog.partitions = [{"Values": ["x"], "StorageDescriptor": {"Location": "s3://lake/p/two/"}}]
    assert rows(athena, "select k, n from p") == [("x", "2")]


def test_a_location_without_files_gives_no_rows(athena: AthenaService, catalog: OneCatalog) -> None:
    catalog.add("empty", "s3://lake/nothing/", {"n": "bigint"})
    assert rows(athena, "select * from empty") == []


def test_files_that_disagree_in_order_and_width_are_read_by_name(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    put(directory, "mixed/1.parquet", a=pa.array([1], pa.int32()), B=pa.array(["x"]))
    put(directory, "mixed/2.parquet", B=pa.array(["y"]), a=pa.array([2], pa.int64()))
    catalog.add("mixed", "s3://lake/mixed/", {"a": "bigint", "b": "string"})
    assert rows(athena, "select a, b from mixed order by a") == [("1", "x"), ("2", "y")]


def test_unload_writes_the_rows_as_parquet_and_returns_none(
    athena: AthenaService, directory: S3Directory
) -> None:
    inner = "SELECT city, n, points, sum(n) OVER () AS total FROM days WHERE n > 1"
    sql = f"UNLOAD ({inner}) TO 's3://lake/unloaded/' WITH (format='PARQUET', compression='SNAPPY')"
    assert rows(athena, sql) == []
    (written,) = directory.list_objects("lake", "unloaded/")
    table = pq.read_table(directory.path("lake", written.key))
    assert table.to_pylist() == [
        {"city": "a", "n": 7, "points": Decimal("12.50"), "total": 9},
        {"city": "b", "n": 2, "points": None, "total": 9},
    ]
    assert str(table.schema.field("total").type) == "int64"


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UNLOAD (SELECT 1 AS a) TO 's3://lake/days/' WITH (format='PARQUET')", "HIVE_PATH_ALREADY_EXISTS"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format='AVRO')", "not AVRO"),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format='PARQUET', partitioned_by='a')",
            "partitioned_by takes ARRAY",
        ),
        ("UNLOAD (SELECT nothing FROM days) TO 's3://lake/out/' WITH (format='PARQUET')", "'nothing'"),
        ("UNLOAD SELECT 1", "REFUSED: line 1:8: mismatched input 'SELECT'"),
        ("UNLOAD (SELECT 1 AS a) TO '/tmp/out' WITH (format='PARQUET')", "SYNTAX_ERROR"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://nowhere/x/' WITH (format='PARQUET')", "NoSuchBucket"),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake//tmp/out/' WITH (format='PARQUET')",
            "has a part that is empty, '.' or '..'",
        ),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake/../out/' WITH (format='PARQUET')",
            "has a part that is empty, '.' or '..'",
        ),
    ],
)
def test_an_impossible_unload_fails_in_athenas_words(athena: AthenaService, sql: str, says: str) -> None:
    assert says in reason(athena, sql)
