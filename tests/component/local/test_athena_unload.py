"""UNLOAD over the wire: partitions in Hive's folders, options by name, and a manifest of the files."""

from __future__ import annotations

import gzip
import io

import pyarrow.parquet as pq
import pytest

from support.athena import Athena
from support.served import Served

RESULTS, LAKE = "unload-results", "unload-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    client = Athena(server, RESULTS)
    client.s3.create_bucket(Bucket=LAKE)
    return client


def keys(athena: Athena, prefix: str) -> list[str]:
    return athena.keys(f"s3://{LAKE}/{prefix}")


def unload(inner: str, place: str, **options: str) -> str:
    properties = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"UNLOAD ({inner}) TO 's3://{LAKE}/{place}' WITH ({properties})"


def test_a_partition_is_a_folder_and_not_a_column(athena: Athena) -> None:
    inner = "SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (3, 'x')) t(a, b)"
    execution = athena.run(unload(inner, "parts/", format="'PARQUET'", partitioned_by="ARRAY['b']"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    names = keys(athena, "parts/")
    assert sorted(key.split("/")[1] for key in names) == ["b=x", "b=y"]
    tables = {key.split("/")[1]: athena.parquet(f"s3://{LAKE}/{key}") for key in names}
    assert {name: table.to_pylist() for name, table in tables.items()} == {
        "b=x": [{"a": 1}, {"a": 3}],
        "b=y": [{"a": 2}],
    }


def test_folders_are_named_as_hive_names_them(athena: Athena) -> None:
    inner = "SELECT 1 AS a, d, b FROM (VALUES ('a:b/c=%', date '2024-01-02'), (null, null)) t(b, d)"
    athena.run(unload(inner, "escaped/", format="'PARQUET'", partitioned_by="ARRAY['d', 'b']"))
    assert sorted(key.removeprefix("escaped/").rpartition("/")[0] for key in keys(athena, "escaped/")) == [
        "d=2024-01-02/b=a%3Ab%2Fc%3D%25",
        "d=__HIVE_DEFAULT_PARTITION__/b=__HIVE_DEFAULT_PARTITION__",
    ]


def test_a_manifest_next_to_the_results_lists_the_files(athena: Athena) -> None:
    execution = athena.run(unload("SELECT 1 AS a", "listed/", format="'PARQUET'"))
    place = execution["Statistics"]["DataManifestLocation"]
    assert place == f"s3://{RESULTS}/q/{execution['QueryExecutionId']}-manifest.csv"
    assert execution["StatementType"] == "DML"
    assert sorted(athena.keys(place.removesuffix("-manifest.csv"))) == [
        f"q/{execution['QueryExecutionId']}-manifest.csv",
        f"q/{execution['QueryExecutionId']}.metadata",
    ]
    assert athena.manifest(execution) == [f"s3://{LAKE}/{key}" for key in keys(athena, "listed/")]


def test_no_rows_produce_no_file_and_an_empty_manifest(athena: Athena) -> None:
    execution = athena.run(unload("SELECT 1 AS a WHERE false", "none/", format="'PARQUET'"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert not keys(athena, "none/")
    assert athena.manifest(execution) == []


def test_a_query_has_no_manifest(athena: Athena) -> None:
    assert "DataManifestLocation" not in athena.run("SELECT 1")["Statistics"]


@pytest.mark.parametrize("codec", ["GZIP", "SNAPPY", "ZSTD", "NONE"])
def test_the_compression_is_that_of_the_option(athena: Athena, codec: str) -> None:
    athena.run(unload("SELECT 1 AS a", f"codec-{codec}/", format="'PARQUET'", compression=f"'{codec}'"))
    (key,) = keys(athena, f"codec-{codec}/")
    body = athena.s3.get_object(Bucket=LAKE, Key=key)["Body"].read()
    column = pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0)
    assert column.compression == {"NONE": "UNCOMPRESSED"}.get(codec, codec)


@pytest.mark.parametrize(
    ("place", "options", "code"),
    [
        ("x/", {"format": "'PARQUET'", "compression": "'LZ4'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'PARQUET'", "compression": "'FOO'"}, "INVALID_PROPERTY"),
        ("x/", {"format": "'ORC'", "compression": "'BZIP2'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'AVRO'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'JSON'", "compression": "'BZIP2'"}, "NOT_SUPPORTED"),
        ("x/", {"format": "'JSON'", "field_delimiter": "','"}, "INVALID_PROPERTY"),
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
        ("x/", {"format": "PARQUET"}, "REFUSED"),
        ("/tmp/loot/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("a//b/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("../b/", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
        ("", {"format": "'PARQUET'"}, "INVALID_PROPERTY"),
    ],
)
def test_an_unsupported_unload_is_refused_by_name(
    athena: Athena, place: str, options: dict[str, str], code: str
) -> None:
    assert athena.reason(unload("SELECT 1 AS a, 'x' AS b", place, **options)).startswith(f"{code}: ")
    assert not keys(athena, "x/")


@pytest.mark.parametrize("inner", ["SELECT 1 AS a, 2 AS a", "SELECT null AS a", "SELECT now() AS a"])
def test_a_column_type_that_hive_lacks_is_refused(athena: Athena, inner: str) -> None:
    assert athena.run(unload(inner, "typed/", format="'PARQUET'"))["Status"]["State"] == "FAILED"
    assert not keys(athena, "typed/")


def test_the_location_must_be_empty(athena: Athena) -> None:
    athena.run(unload("SELECT 1 AS a", "full/", format="'PARQUET'"))
    status = athena.run(unload("SELECT 2 AS a", "full", format="'PARQUET'"))["Status"]
    assert status["StateChangeReason"].startswith("HIVE_PATH_ALREADY_EXISTS: ")
    assert len(keys(athena, "full/")) == 1


def test_json_and_text_are_written_as_hive_writes_them(athena: Athena) -> None:
    inner = "SELECT 1 AS a, ARRAY['x', null] AS b, cast(null AS varchar) AS c"
    athena.succeed(unload(inner, "json/", format="'JSON'"))
    (key,) = keys(athena, "json/")
    assert key.endswith(".gz")
    assert gzip.decompress(athena.read(f"s3://{LAKE}/{key}")) == b'{"a": 1, "b": ["x", null], "c": null}\n'
    athena.succeed(unload(inner, "text/", format="'TEXTFILE'", field_delimiter="','", compression="'NONE'"))
    (key,) = keys(athena, "text/")
    assert athena.read(f"s3://{LAKE}/{key}") == b"1,x\x02\\N,\\N\n"


def test_more_than_a_hundred_partitions_are_refused(athena: Athena) -> None:
    inner = "SELECT 1 AS a, p FROM UNNEST(sequence(1, 101)) t(p)"
    reason = athena.reason(unload(inner, "many/", format="'PARQUET'", partitioned_by="ARRAY['p']"))
    assert reason.startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: ")
    assert not keys(athena, "many/")


def test_an_error_keeps_its_place_in_the_whole_statement(athena: Athena) -> None:
    reason = athena.reason(unload("SELECT 1 AS a,\n  nope", "x/", format="'PARQUET'"))
    assert reason.startswith("COLUMN_NOT_FOUND: line 2:3: ")
