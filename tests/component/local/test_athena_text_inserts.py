"""INSERT INTO tables of text files: rows are written as the table's SerDe reads them, like those of Athena."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from support.athena import Athena
from support.served import Served

COLUMNS = (
    "(i int, t string, d decimal(5,2), b boolean, day date, at timestamp, l array<int>, m map<string,int>, "
    "s struct<x:int,y:string>)"
)
ROW = (
    "1, 'a b', CAST(1.5 AS decimal(5,2)), true, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.678', "
    "ARRAY[1, 2], MAP(ARRAY['k'], ARRAY[3]), CAST(ROW(4, 'z') AS ROW(x integer, y varchar))"
)
READ = ("1", "a b", "1.50", "true", "2026-01-02", "2026-01-02 03:04:05.678", "[1, 2]", "{k=3}", "{x=4, y=z}")
JSON = "org.openx.data.jsonserde.JsonSerDe"


@pytest.fixture(scope="module")
def athena(server: Served) -> Iterator[Athena]:
    athena = Athena(server, "text-inserts", "texts")
    athena.succeed("CREATE DATABASE texts")
    yield athena
    athena.succeed("DROP DATABASE texts CASCADE")


def create(athena: Athena, name: str, form: str, columns: str = COLUMNS) -> str:
    athena.succeed(f"CREATE EXTERNAL TABLE {name} {columns} {form} LOCATION 's3://text-inserts/{name}/'")
    return name


def texts(athena: Athena, name: str) -> list[str]:
    """Return the lines of the files of a table."""
    files = [athena.read(f"s3://text-inserts/{key}") for key in athena.keys(f"s3://text-inserts/{name}/")]
    return [line for file in files for line in gzip.decompress(file).decode().splitlines()]


@pytest.mark.parametrize(
    ("name", "form", "line"),
    [
        (
            "plain",
            "",
            "1\x01a b\x011.50\x01true\x012026-01-02\x012026-01-02 03:04:05.678\x011\x022\x01k\x033\x014\x02z",
        ),
        (
            "commas",
            "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' COLLECTION ITEMS TERMINATED BY '|' "
            "MAP KEYS TERMINATED BY ':'",
            "1,a b,1.50,true,2026-01-02,2026-01-02 03:04:05.678,1|2,k:3,4|z",
        ),
    ],
)
def test_a_row_is_written_with_the_separators_of_the_table(
    athena: Athena, name: str, form: str, line: str
) -> None:
    create(athena, name, form)
    athena.succeed(f"INSERT INTO {name} SELECT {ROW}")
    assert texts(athena, name) == [line]
    assert athena.rows(f"SELECT * FROM {name}") == [READ]


def test_a_null_is_written_as_the_table_marks_it(athena: Athena) -> None:
    create(
        athena,
        "nulls",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' NULL DEFINED AS '-'",
        "(a int, b string)",
    )
    create(athena, "slashes", "ROW FORMAT DELIMITED FIELDS TERMINATED BY ','", "(a int, b string)")
    for name, line in (("nulls", "-\tx"), ("slashes", "\\N,x")):
        athena.succeed(f"INSERT INTO {name} VALUES (NULL, 'x')")
        assert texts(athena, name) == [line]
        assert athena.rows(f"SELECT a, b FROM {name}") == [(None, "x")]


def test_a_row_of_json_is_an_object_a_line(athena: Athena) -> None:
    create(athena, "objects", f"ROW FORMAT SERDE '{JSON}'")
    athena.succeed(f"INSERT INTO objects SELECT {ROW}")
    (line,) = texts(athena, "objects")
    assert json.loads(line)["t"] == "a b"
    assert json.loads(line)["s"] == {"x": 4, "y": "z"}
    assert athena.rows("SELECT * FROM objects") == [READ]
