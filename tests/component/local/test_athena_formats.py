"""Tables whose files are CSV, delimited text, JSON, ORC or Parquet, read as their SerDe reads them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from support.athena import Athena
from support.served import Served

SERDE = "ROW FORMAT SERDE '{}'"
CSV = SERDE.format("org.apache.hadoop.hive.serde2.OpenCSVSerde")
OPENX = SERDE.format("org.openx.data.jsonserde.JsonSerDe")
HCATALOG = SERDE.format("org.apache.hive.hcatalog.data.JsonSerDe")
REGEX = SERDE.format("org.apache.hadoop.hive.serde2.RegexSerDe")


@pytest.fixture(scope="module")
def files(server: Served) -> Iterator[Athena]:
    athena = Athena(server, "files-of-formats", "formats")
    athena.succeed("CREATE DATABASE formats")
    yield athena
    athena.succeed("DROP DATABASE formats CASCADE")


def put(athena: Athena, key: str, body: bytes | str) -> None:
    content = body.encode() if isinstance(body, str) else body
    athena.s3.put_object(Bucket="files-of-formats", Key=key, Body=content)


def table(athena: Athena, columns: str, clauses: str, *bodies: bytes | str, suffix: str = "") -> None:
    """Create the table `t` over new files with these bodies."""
    athena.succeed("DROP TABLE IF EXISTS t")
    for key in athena.keys("s3://files-of-formats/t/"):
        athena.s3.delete_object(Bucket="files-of-formats", Key=key)
    for number, body in enumerate(bodies):
        put(athena, f"t/{number}{suffix}", body)
    before, _, after = clauses.partition("TBLPROPERTIES")
    properties = f"TBLPROPERTIES{after}" if after else ""
    athena.succeed(
        f"CREATE EXTERNAL TABLE t ({columns}) {before} LOCATION 's3://files-of-formats/t/' {properties}"
    )


def test_csv_has_quotes_escapes_and_a_header_in_every_file(files: Athena) -> None:
    clauses = f"{CSV} TBLPROPERTIES ('skip.header.line.count' = '1')"
    table(files, "id int, name string, ok boolean", clauses,
          'id,name,ok\n1,"Doe, ""J""",true\n', "id,name,ok\r\n2,a\\,b,FALSE\r\n3\n")  # fmt: skip
    assert files.rows("SELECT * FROM t ORDER BY id") == [
        ("1", 'Doe, "J"', "true"), ("2", "a,b", "false"), ("3", None, None),
    ]  # fmt: skip


def test_csv_keeps_dates_as_days_and_times_as_milliseconds(files: Athena) -> None:
    properties = "WITH SERDEPROPERTIES ('separatorChar' = ';', 'quoteChar' = \"'\")"
    table(files, "d date, t timestamp, s string", f"{CSV} {properties}", "19000;1700000000123;'x;y'\n")
    assert files.rows("SELECT * FROM t") == [("2022-01-08", "2023-11-14 22:13:20.123", "x;y")]


def test_a_csv_value_that_is_no_number_ends_a_query_that_reads_its_column(files: Athena) -> None:
    table(files, "id int, name string", CSV, "x,a\n,b\n")
    assert files.rows("SELECT name FROM t") == [("a",), ("b",)]
    assert files.rows("SELECT count(*) FROM t") == [("2",)]
    assert files.reason("SELECT id FROM t") == (
        "HIVE_BAD_DATA: Error parsing field value 'x' for field 0: For input string: \"x\" (id) "
        "(s3://files-of-formats/t/0, row 1)"
    )


def test_delimited_text_has_nested_values_nulls_and_escapes(files: Athena) -> None:
    delimiters = r"'\t' ESCAPED BY '\\' COLLECTION ITEMS TERMINATED BY '|' MAP KEYS TERMINATED BY ':'"
    table(
        files, "n bigint, s string, a array<int>, m map<string,int>, r struct<x:int,y:string>",
        f"ROW FORMAT DELIMITED FIELDS TERMINATED BY {delimiters}",
        "1\ta\\\tb\t1|2\tk:1|l:2\t7|q\n2\t\\N\t\\N\t\\N\t\\N\textra\nx\t\t\t\n",
    )  # fmt: skip
    assert files.rows("SELECT * FROM t") == [
        ("1", "a\tb", "[1, 2]", "{k=1, l=2}", "{x=7, y=q}"),
        ("2", None, None, None, None),
        (None, "", "[]", "{}", None),
    ]


def test_delimited_text_that_does_not_fit_its_type_is_null(files: Athena) -> None:
    table(files, "i tinyint, d double, w date, b boolean, c varchar(2), e decimal(3,1)",
          "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','",
          "127,1.5e3,2024-02-29,TRUE,abc,1.25\n128,x,2023-02-29,yes,,100\n")  # fmt: skip
    assert files.rows("SELECT * FROM t") == [
        ("127", "1500.0", "2024-02-29", "true", "ab", "1.3"), (None, None, None, None, "", None),
    ]  # fmt: skip


def test_the_null_of_delimited_text_and_its_first_control_character_are_the_default(files: Athena) -> None:
    table(files, "a string, b string", "ROW FORMAT DELIMITED NULL DEFINED AS 'NA'", "NA\x01\\N\n")
    assert files.rows("SELECT * FROM t") == [(None, "\\N")]


def test_files_are_read_through_their_compression(files: Athena) -> None:
    table(files, "a int", "", gzip.compress(b"1\n2\n"), suffix=".gz")
    assert files.rows("SELECT sum(a) FROM t") == [("3",)]
    table(files, "a int", "", b"no gzip", suffix=".gz")
    reason = files.reason("SELECT a FROM t")
    assert reason.startswith("HIVE_CURSOR_ERROR: Failed to read file: s3://files-of-formats/t/0.gz: ")
    assert "/tmp" not in reason


OBJECTS = (
    '{"Id": 1, "name": "a", "tags": ["x"], "s": {"A": 1}, "m": {"K": 2}, "t": "2024-01-02T03:04:05Z", "f": 1.50}\n'
    '\n{"id": 2, "name": {"z": [1.0, true, null]}, "extra": 1}\n'
)
COLUMNS = "id int, name string, tags array<string>, s struct<a:int>, m map<string,int>, t timestamp, f double"


@pytest.mark.parametrize("serde", [OPENX, HCATALOG])
def test_json_has_an_object_on_every_line(files: Athena, serde: str) -> None:
    table(files, COLUMNS, serde, OBJECTS)
    assert files.rows("SELECT * FROM t") == [
        ("1", "a", "[x]", "{a=1}", "{k=2}", "2024-01-02 03:04:05.000", "1.5"),
        ("2", '{"z":[1.0,true,null]}', None, None, None, None, None),
    ]


def test_keys_of_json_are_renamed(files: Athena) -> None:
    properties = "'mapping.at' = 'ts', 'dots.in.keys' = 'true'"
    table(files, "at int, a_b int", f"{OPENX} WITH SERDEPROPERTIES ({properties})", '{"TS": 1, "a.b": 2}\n')
    assert files.rows("SELECT * FROM t") == [("1", "2")]


def test_malformed_json_ends_the_query_or_is_a_row_of_nulls(files: Athena) -> None:
    table(files, "id int", OPENX, '{"id": 1}\n{"id": \n')
    reason = files.reason("SELECT * FROM t")
    assert reason.startswith("HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: ")
    assert reason.endswith("(s3://files-of-formats/t/0, row 2)")
    lenient = "WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')"
    table(files, "id int", f"{OPENX} {lenient}", '{"id": 1}\n{"id": \n')
    assert files.rows("SELECT * FROM t") == [("1",), (None,)]


def test_a_json_value_of_another_type_ends_the_query_or_is_null(files: Athena) -> None:
    table(files, "id int", OPENX, '{"id": "x"}\n')
    assert files.reason("SELECT * FROM t").startswith(
        "HIVE_BAD_DATA: Error parsing field value 'x' for field 0"
    )
    lenient = "WITH SERDEPROPERTIES ('use.null.for.invalid.data' = 'true')"
    table(files, "id int", f"{OPENX} {lenient}", '{"id": "x"}\n')
    assert files.rows("SELECT * FROM t") == [(None,)]


def test_keys_of_json_that_differ_in_case_only_are_refused(files: Athena) -> None:
    table(files, "url string", OPENX, '{"url": "a", "URL": "b"}\n')
    assert 'JSONException: Duplicate key "url"' in files.reason("SELECT * FROM t")


def test_a_regular_expression_cuts_lines_into_columns(files: Athena) -> None:
    table(
        files,
        "a string, n int",
        rf"{REGEX} WITH SERDEPROPERTIES ('input.regex' = '(\\w+)=(\\d+)')",
        "x=12\n?\n",
    )
    assert files.rows("SELECT * FROM t") == [("x", "12"), (None, None)]


def test_orc_is_read(files: Athena) -> None:
    body = io.BytesIO()
    orc.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), body)
    table(files, "b string, a int, c int", "STORED AS ORC", body.getvalue())
    assert files.rows('SELECT *, "$path" FROM t') == [
        ("x", "1", None, "s3://files-of-formats/t/0"), (None, "2", None, "s3://files-of-formats/t/0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("string", [1], "BIGINT"),
        ("int", ["1"], "VARCHAR"),
        ("int", [1], "BIGINT"),
        ("array<int>", [1], "BIGINT"),
    ],
)
def test_a_parquet_column_of_another_type_is_bad_data(
    files: Athena, kind: str, values: list[object], wrong: str
) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table({"a": values, "b": [1.5]}), body)
    table(files, f"a {kind}, b double", "STORED AS PARQUET", body.getvalue())
    assert files.rows("SELECT b FROM t") == [("1.5",)]
    assert files.reason("SELECT a FROM t").startswith(
        f"HIVE_BAD_DATA: Field a's type {wrong} in parquet file s3://files-of-formats/t/0 is incompatible with type"
    )


@pytest.mark.parametrize(
    ("serde", "reason"),
    [
        (
            "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
            "NOT_SUPPORTED: the embedded Athena does not support",
        ),
        ("com.acme.Own", "HIVE_UNSUPPORTED_FORMAT: Unable to create input format for the SerDe com.acme.Own"),
    ],
)
def test_another_serde_is_refused_by_its_name(files: Athena, serde: str, reason: str) -> None:
    table(files, "a int", SERDE.format(serde), "1\n")
    refusal = files.reason("SELECT * FROM t")
    assert refusal.startswith(reason)
    assert serde in refusal


def test_the_path_of_a_row_is_its_file_s_location_and_no_column_of_a_star(files: Athena) -> None:
    table(files, "a int", "", "1\n", "2\n3\n")
    assert files.rows('SELECT "$path", count(*) FROM t GROUP BY 1 ORDER BY 1') == [
        ("s3://files-of-formats/t/0", "1"), ("s3://files-of-formats/t/1", "2"),
    ]  # fmt: skip
    assert files.rows("SELECT a FROM t WHERE \"$path\" LIKE '%/1' ORDER BY a") == [("2",), ("3",)]
    assert files.rows("SELECT * FROM t x JOIN t y ON x.a = y.a AND x.a = 1") == [("1", "1")]
