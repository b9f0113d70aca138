"""Descriptions of tables and comments of columns: from a job's audit into the catalog, contracts and `describe`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.querying import describe_table
from support.lakes import SmallLake
from support.served import Served

ROWS = pa.table({"N": pa.array([1, 2], pa.int32()), "note": pa.array(["a", None])})
TEXTS = {"description": "Things that were counted.", "comments": {"N": "Count, pieces", "day": "Day, UTC"}}


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake whose tables no earlier test has used."""
    name = f"t{uuid4().hex[:10]}"
    own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
    yield SmallLake(server, aws, tmp_path, own)
    server.request("POST", "faults", [])


def publish(small: SmallLake, version: str, **audit: Any) -> str:
    location = small.write("gold.one", version, ROWS, rows_out=4, **audit)
    for day in (1, 2):
        small.put(f"{location}day={day}/part-0.parquet", ROWS)
    client, bucket = small.aws.client("s3"), location.split("/")[2]
    client.delete_object(Bucket=bucket, Key=f"{location.removeprefix(f's3://{bucket}/')}part-0.parquet")
    (published,) = small.lake.publish({"gold.one": location}, version)
    assert set(published.row_counts) == {"rows_out"}  # events carry the counts alone
    return published.change


def comments(small: SmallLake) -> dict[str, str]:
    table = small.described("gold.one")
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    return {column["Name"]: column.get("Comment", "") for column in columns}


def versions_in_catalog(small: SmallLake) -> int:
    database, name = small.lake.places.in_catalog("gold.one")
    answer = small.aws.client("glue").get_table_versions(DatabaseName=database, TableName=name)
    return len(answer["TableVersions"])


def test_the_texts_of_a_job_reach_the_catalog_with_the_version(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    assert small.described("gold.one")["Description"] == "Things that were counted."
    assert comments(small) == {"n": "Count, pieces", "note": "", "day": "Day, UTC"}


def test_describe_shows_the_texts(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    rows = describe_table("gold.one", small.settings)
    assert ("table", "gold.one", "", "Things that were counted.") in rows
    assert ("column", "n", "int", "Count, pieces") in rows
    assert ("partition", "day", "int", "Day, UTC") in rows


def test_a_contract_shows_the_comments_and_is_read_as_before(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    book = small.lake.contract_checks.book
    assert '"n" = "int"  # Count, pieces\n"note" = "string"\n' in book.file("gold.one").read_text("utf-8")
    contract = book.find("gold.one")
    assert contract is not None
    assert contract.columns == {"n": "int", "note": "string", "day": "int"}
    book.file("gold.one").unlink()
    small.lake.contract_checks.accept("gold.one")
    assert "# Day, UTC" in book.file("gold.one").read_text("utf-8")


def test_a_refresh_and_a_version_without_texts_keep_them(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    (refreshed,) = small.another().refresh(["gold.one"])
    assert refreshed.change == "unchanged"
    publish(small, "v2")
    assert comments(small)["n"] == "Count, pieces"
    assert small.described("gold.one")["Description"] == "Things that were counted."


def test_a_table_that_the_catalog_lost_gets_its_texts_back(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    database, name = small.lake.places.in_catalog("gold.one")
    small.aws.client("glue").delete_table(DatabaseName=database, Name=name)
    (refreshed,) = small.another().refresh(["gold.one"])
    assert refreshed.change == "created"
    assert comments(small) == {"n": "Count, pieces", "note": "", "day": "Day, UTC"}


def test_changed_comments_come_with_the_one_call_that_switches_the_version(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    before = versions_in_catalog(small)
    publish(small, "v2", comments={"n": "Count of pieces"})
    assert comments(small) == {"n": "Count of pieces", "note": "", "day": "Day, UTC"}
    assert versions_in_catalog(small) == before + 1
    assert (
        small.lake.publish({"gold.one": small.lake.version_location("gold.one", "v2")})[0].change
        == "unchanged"
    )


def test_a_comment_of_another_writer_stays_where_the_job_says_nothing(small: SmallLake) -> None:
    publish(small, "v1", **TEXTS)
    table = small.described("gold.one")
    storage = table["StorageDescriptor"]
    storage["Columns"][1]["Comment"] = "by hand"
    kept = {name: table[name] for name in ("Name", "TableType", "Parameters", "PartitionKeys")}
    small.aws.client("glue").update_table(
        DatabaseName=table["DatabaseName"], TableInput={**kept, "StorageDescriptor": storage}
    )
    publish(small, "v2", **TEXTS)
    assert comments(small) == {"n": "Count, pieces", "note": "by hand", "day": "Day, UTC"}


@pytest.mark.parametrize(
    "audit",
    [
        {"description": 3, "comments": ["n"]},
        {"description": "a\nb" * 2_000, "comments": {"n": 3, "note": "line\nbreak " * 100, "gone": "x"}},
    ],
)
def test_texts_that_glue_does_not_take_stop_no_publish(small: SmallLake, audit: dict[str, Any]) -> None:
    assert publish(small, "v1", **audit) == "created"
    assert all(len(text) <= 255 and "\n" not in text for text in comments(small).values())


@pytest.mark.parametrize("text", ["", "  ", "\n\t\x00", {"a": 1}, ["a"], 3, True])
def test_what_says_nothing_takes_the_place_of_no_text(small: SmallLake, text: Any) -> None:
    publish(small, "v1", **TEXTS)
    publish(small, "v2", description=text, comments={"N": text, "day": text})
    assert small.described("gold.one")["Description"] == TEXTS["description"]
    assert comments(small) == {"n": "Count, pieces", "note": "", "day": "Day, UTC"}
