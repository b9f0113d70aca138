"""The value types: a table's name, a location in S3, and quoted SQL."""

from __future__ import annotations

import duckdb
import pytest

from etltctl.errors import ConfigurationError, UsageError
from etltctl.values import S3Location, TableName, quoted_name, quoted_text


def test_a_table_is_named_by_layer_and_name() -> None:
    table = TableName.parse("gold.weather_daily")
    assert (table.layer, table.name, str(table)) == ("gold", "weather_daily", "gold.weather_daily")
    assert TableName.parse(table) is table


def test_only_the_first_dot_separates_the_layer_from_the_name() -> None:
    assert TableName.parse("bronze.api.races").name == "api.races"


@pytest.mark.parametrize("text", ["", "gold", "gold.", ".weather", "."])
def test_a_name_without_a_layer_or_a_table_is_refused(text: str) -> None:
    assert not TableName.is_one(text)
    with pytest.raises(UsageError, match="is not the name of a table"):
        TableName.parse(text)


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://lake/gold/one/", "lake", "gold/one/"),
        ("s3a://lake/gold", "lake", "gold"),
        ("s3n://lake", "lake", ""),
        ("s3://lake/", "lake", ""),
        ("s3://lake//twice", "lake", "/twice"),
    ],
)
def test_a_location_is_a_bucket_and_a_key(text: str, bucket: str, key: str) -> None:
    assert S3Location.parse(text) == S3Location(bucket, key)


@pytest.mark.parametrize("text", ["", "/tmp/lake", "s3:/lake/x", "s3:///x", "https://lake/x", "hdfs://n/x"])
def test_a_text_that_is_not_an_s3_url_is_refused(text: str) -> None:
    assert not S3Location.is_one(text)
    with pytest.raises(ConfigurationError, match="is not an S3 location"):
        S3Location.parse(text)


def test_a_folder_ends_with_one_slash_and_a_joined_key_has_one_slash_between() -> None:
    for root in ("s3://lake/gold", "s3://lake/gold/"):
        place = S3Location.parse(root)
        assert str(place.folder("one", "v=1")) == "s3://lake/gold/one/v=1/"
        assert str(place.folder()) == "s3://lake/gold/"
        assert str(place.object("one/part-0.parquet")) == "s3://lake/gold/one/part-0.parquet"
    assert str(S3Location("lake").folder("gold")) == "s3://lake/gold/"


@pytest.mark.parametrize("path", ["", "..", "a/../b", "/a", "a//b", "a/"])
def test_no_join_leads_out_of_a_folder(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path below"):
        S3Location("lake", "gold/").object(path)


@pytest.mark.parametrize("text", ["plain", "with space", 'a"b', '""', "it's", "''", "back\\slash", "ö\n"])
def test_a_quoted_name_and_a_quoted_text_keep_their_value(text: str) -> None:
    answer = duckdb.sql(f"select {quoted_text(text)} as {quoted_name(text)}")
    assert (answer.columns, answer.fetchall()) == ([text], [(text,)])
