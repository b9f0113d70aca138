"""UNLOAD over the wire: partitions in Hive's folders, options by name, and a manifest of the files."""

from __future__ import annotations

import io
import time
from typing import Any

import pyarrow.parquet as pq
import pytest

from support.served import Served

RESULTS, LAKE = "unload-results", "unload-lake"


class Athena:
    """A client that runs a statement to its end."""

    def __init__(self, server: Served) -> None:
        self.athena, self.s3 = server.client("athena"), server.client("s3")

    def run(self, sql: str) -> dict[str, Any]:
        place = {"OutputLocation": f"s3://{RESULTS}/q/"}
        query_id = self.athena.start_query_execution(QueryString=sql, ResultConfiguration=place)[
            "QueryExecutionId"
        ]
        while True:
            execution: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=query_id)[
                "QueryExecution"
            ]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.05)

    def keys(self, prefix: str) -> list[str]:
        listing = self.s3.list_objects_v2(Bucket=LAKE, Prefix=prefix)
        return [entry["Key"] for entry in listing.get("Contents", [])]

    def table(self, key: str) -> Any:
        return pq.read_table(io.BytesIO(self.s3.get_object(Bucket=LAKE, Key=key)["Body"].read()))


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    client = Athena(server)
    for bucket in (RESULTS, LAKE):
        client.s3.create_bucket(Bucket=bucket)
    return client


def unload(inner: str, place: str, **options: str) -> str:
    properties = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"UNLOAD ({inner}) TO 's3://{LAKE}/{place}' WITH ({properties})"


def test_a_partition_is_a_folder_and_not_a_column(athena: Athena) -> None:
    inner = "SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (3, 'x')) t(a, b)"
    execution = athena.run(unload(inner, "parts/", format="'PARQUET'", partitioned_by="ARRAY['b']"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    keys = athena.keys("parts/")
    assert sorted(key.split("/")[1] for key in keys) == ["b=x", "b=y"]
    tables = {key.split("/")[1]: athena.table(key) for key in keys}
    assert {name: table.to_pylist() for name, table in tables.items()} == {
        "b=x": [{"a": 1}, {"a": 3}],
        "b=y": [{"a": 2}],
    }


def test_folders_are_named_as_hive_names_them(athena: Athena) -> None:
    inner = "SELECT 1 AS a, d, b FROM (VALUES ('a:b/c=%', date '2024-01-02'), (null, null)) t(b, d)"
    athena.run(unload(inner, "escaped/", format="'PARQUET'", partitioned_by="ARRAY['d', 'b']"))
    assert sorted(key.removeprefix("escaped/").rpartition("/")[0] for key in athena.keys("escaped/")) == [
        "d=2024-01-02/b=a%3Ab%2Fc%3D%25",
        "d=__HIVE_DEFAULT_PARTITION__/b=__HIVE_DEFAULT_PARTITION__",
    ]


def test_a_manifest_next_to_the_results_lists_the_files(athena: Athena) -> None:
    execution = athena.run(unload("SELECT 1 AS a", "listed/", format="'PARQUET'"))
    place = execution["Statistics"]["DataManifestLocation"]
    assert place == f"s3://{RESULTS}/q/{execution['QueryExecutionId']}-manifest.csv"
    assert execution["StatementType"] == "DML"
    body = (
        athena.s3.get_object(Bucket=RESULTS, Key=place.removeprefix(f"s3://{RESULTS}/"))["Body"]
        .read()
        .decode()
    )
    assert body.splitlines() == [f"s3://{LAKE}/{key}" for key in athena.keys("listed/")]


def test_no_rows_produce_no_file_and_an_empty_manifest(athena: Athena) -> None:
    execution = athena.run(unload("SELECT 1 AS a WHERE false", "none/", format="'PARQUET'"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert not athena.keys("none/")
    key = execution["Statistics"]["DataManifestLocation"].removeprefix(f"s3://{RESULTS}/")
    assert athena.s3.get_object(Bucket=RESULTS, Key=key)["Body"].read() == b""


def test_a_query_has_no_manifest(athena: Athena) -> None:
    assert "DataManifestLocation" not in athena.run("SELECT 1")["Statistics"]


@pytest.mark.parametrize("codec", ["GZIP", "SNAPPY", "ZSTD", "NONE"])
def test_the_compression_is_that_of_the_option(athena: Athena, codec: str) -> None:
    athena.run(unload("SELECT 1 AS a", f"codec-{codec}/", format="'PARQUET'", compression=f"'{codec}'"))
    (key,) = athena.keys(f"codec-{codec}/")
    body = athena.s3.get_object(Bucket=LAKE, Key=key)["Body"].read()
    column = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0)
    assert column.compression == {"NONE": "UNCOMPRESSED"}.get(codec, codec)


@pytest.mark.parametrize(
    ("place", "options", "code"),
    [
        ("x/", {"format": "'PARQUET'", "compression": "'LZ4'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'PARQUET'", "compression": "'FOO'"}, "INVALID_PROPERTY"),
        ("x/", {"format": "'ORC'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'JSON'", "compression": "'GZIP'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'TEXTFILE'", "field_delimiter": "','"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'XML'"}, "INVALID_PROPERTY"),
        ("x/", {"compression": "'GZIP'"}, "INVALID_PROPERTY"),
        ("x/", {"format": "'PARQUET'", "bucketed_by": "ARRAY['a']"}, "INVALID_PROPERTY"),
        (
            "x/",
            {"format": "'PARQUET'", "compression": "'GZIP'", "compression_level": "3"},
            "INVALID_PROPERTY",
        ),
        ("x/", {"format": "'PARQUET'", "partitioned_by": "'b'"}, "INVALID_PROPERTY"),
        ("x/", {"format": "'PARQUET'", "partitioned_by": "ARRAY['zz']"}, "INVALID_PROPERTY"),
        ("x/", {"format": "'PARQUET'", "partitioned_by": "ARRAY['a']"}, "HIVE_COLUMN_ORDER_MISMATCH"),
        ("x/", {"format": "'PARQUET'", "partitioned_by": "ARRAY['a', 'b']"}, "INVALID_PROPERTY"),
        ("x/", {"format": "PARQUET"}, "SYNTAX_ERROR"),
        ("/tmp/loot/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("a//b/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("../b/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
    ],
)
def test_an_unsupported_unload_is_refused_by_name(
    athena: Athena, place: str, options: dict[str, str], code: str
) -> None:
    status = athena.run(unload("SELECT 1 AS a, 'x' AS b", place, **options))["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(f"{code}: ")
    assert not athena.keys("x/")


@pytest.mark.parametrize("inner", ["SELECT 1 AS a, 2 AS a", "SELECT null AS a", "SELECT now() AS a"])
def test_a_column_type_that_hive_lacks_is_refused(athena: Athena, inner: str) -> None:
    assert athena.run(unload(inner, "typed/", format="'PARQUET'"))["Status"]["State"] == "FAILED"
    assert not athena.keys("typed/")


def test_the_location_must_be_empty(athena: Athena) -> None:
    athena.run(unload("SELECT 1 AS a", "full/", format="'PARQUET'"))
    status = athena.run(unload("SELECT 2 AS a", "full", format="'PARQUET'"))["Status"]
    assert status["StateChangeReason"].startswith("HIVE_PATH_ALREADY_EXISTS: ")
    assert len(athena.keys("full/")) == 1
