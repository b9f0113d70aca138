"""Hive's types as text: a written type can be read again, and other text is refused."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etltctl.catalog import hive_columns, widened
from etltctl.errors import BlockedError
from etltctl.hive import HiveType, parse_type
from etltctl.local.services.athena.types import duckdb_type

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N"]) | st.just("_"), min_size=1, max_size=8)
SCALARS = st.sampled_from(["int", "bigint", "string", "decimal(10,2)", "varchar(5)", "timestamp", "boolean"])
TYPES = st.recursive(
    SCALARS.map(HiveType),
    lambda inner: (
        inner.map(lambda one: HiveType("array", {"element": one}))
        | st.tuples(inner, inner).map(lambda two: HiveType("map", {"key": two[0], "value": two[1]}))
        | st.dictionaries(NAMES, inner, min_size=1, max_size=4).map(lambda fields: HiveType("struct", fields))
    ),
    max_leaves=8,
)


@given(TYPES)
def test_a_written_type_is_parsed_to_the_same_type(kind: HiveType) -> None:
    assert parse_type(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("struct<1h:double,order:string>", {"1h": "double", "order": "string"}),
        ("STRUCT< a : INT , `b c`:array< string >>", {"a": "int", "b c": "array<string>"}),
        ("struct<a-b:int,a.b:map<string,decimal(6, 2)>>", {"a-b": "int", "a.b": "map<string,decimal(6,2)>"}),
        ("struct<größe:struct<end:int>>", {"größe": "struct<end:int>"}),
    ],
)
def test_names_of_fields_may_be_digits_reserved_words_and_more(text: str, fields: dict[str, str]) -> None:
    assert {name: str(kind) for name, kind in parse_type(text).parts.items()} == fields


@pytest.mark.parametrize(
    "text",
    ["", "struct<>", "struct<a>", "struct<a:int", "array<int,int>", "map<int>", "int>", "struct<:int>",
     "struct<a:int,a:int>", "array<" * 500 + "int" + ">" * 500],
)  # fmt: skip
def test_a_text_that_is_not_a_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Hive type"):
        parse_type(text)


@pytest.mark.parametrize("name", ["1h", "order", "group", "end", "select", "_id", "größe", "a b", 'q"t'])
def test_duckdb_reads_a_struct_with_any_field_names(name: str) -> None:
    kind = duckdb_type(f"struct<{name}:double>")
    ((value,),) = duckdb.execute(f"select cast({{'{name}': 1}} as {kind})").fetchall()
    assert value == {name: 1.0}


@pytest.mark.parametrize("name", ["a-b", "a:b", "a,b", "a b", 'q"t', "a>b", "a.b", "", "tab\tb"])
def test_a_field_that_the_catalog_cannot_hold_is_refused_with_its_path(name: str) -> None:
    deep = pa.struct([("list", pa.list_(pa.struct([(name, pa.int32())])))])
    with pytest.raises(BlockedError) as refused:
        hive_columns(pa.schema([("rain", deep)]), "bronze.owm")
    assert f"bronze.owm.rain.list.{name} is the name of a field" in refused.value.message


def test_fields_that_differ_in_case_only_are_refused_with_their_path() -> None:
    twice = pa.struct([("a", pa.int32()), ("A", pa.int32())])
    with pytest.raises(BlockedError, match=r"bronze.owm.rain has the fields a and A"):
        hive_columns(pa.schema([("rain", twice)]), "bronze.owm")


def test_the_longest_column_name_is_glue_s() -> None:
    assert list(hive_columns(pa.schema([("c" * 255, pa.int32())]), "bronze.t")) == ["c" * 255]
    for name in ("c" * 256, "", "two\nlines"):
        with pytest.raises(BlockedError, match=r"bronze.t has (a|the) column"):
            hive_columns(pa.schema([(name, pa.int32())]), "bronze.t")


def test_nanoseconds_with_a_zone_are_refused_with_the_column() -> None:
    hive_columns(pa.schema([("t", pa.timestamp("ns"))]), "bronze.t")
    with pytest.raises(BlockedError, match=r"bronze.t.tz has the Parquet type timestamp\[ns, tz=UTC\]"):
        hive_columns(pa.schema([("tz", pa.timestamp("ns", "UTC"))]), "bronze.t")


def test_a_struct_without_fields_is_refused() -> None:
    with pytest.raises(BlockedError, match=r"bronze.t.s is a struct without fields"):
        hive_columns(pa.schema([("s", pa.struct([]))]), "bronze.t")


def test_a_struct_with_any_field_names_widens_field_by_field() -> None:
    both = widened("struct<1h:int,x:map<string,int>>", "struct<1h:bigint,x:map<string,int>,order:string>")
    assert both is not None
    assert (both.type, both.is_safe) == ("struct<1h:bigint,x:map<string,int>,order:string>", True)
    assert widened("array<int>", "array<string>") is None
