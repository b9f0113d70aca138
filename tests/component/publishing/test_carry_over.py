"""Versions whose job wrote only some partitions: what is copied, and what is refused before anything is copied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError, UnverifiedError
from etltctl.publishing import Published, VersionInputs
from support.lakes import SmallLake
from support.served import Served

TABLE = "gold.one"
BASE = {"s=a/part-0": 2, "s=b/part-0": 1, "s=b/sub/part-1": 1}


class Versions:
    """The versions of one table of a small lake; a file is named by its path, and given the number of its rows."""

    def __init__(self, small: SmallLake, table: str = TABLE, base: Mapping[str, int] = BASE) -> None:
        self.small, self.table = small, table
        self.write("base", base)
        self.publish("base")

    def write(self, version: str, files: Mapping[str, int], **report: Any) -> None:
        location = self.small.write(self.table, version, [{"n": 0}], **report)
        self.small.lake.s3.remove(f"{location}part-0.parquet")
        for path, rows in files.items():
            self.small.put(f"{location}{path}.parquet", [{"n": number} for number in range(rows)])

    def publish(self, version: str, base: str = "") -> Published:
        lake = self.small.another()
        bases = {self.table: lake.version_location(self.table, base)} if base else {}
        (published,) = lake.publish({self.table: lake.version_location(self.table, version)}, version, bases)
        return published

    def files(self, version: str) -> list[str]:
        location = self.small.lake.version_location(self.table, version)
        objects = self.small.lake.s3.objects(location)
        return [one.location.removeprefix(location).removesuffix(".parquet") for one in objects]


@pytest.fixture
def versions(server: Served, aws: Aws, tmp_path: Path) -> Versions:
    name = tmp_path.name.replace("-", "_")[-40:].lower()
    places = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
    return Versions(SmallLake(server, aws, tmp_path, places))


def test_the_other_partitions_are_copied_and_those_named_are_not(versions: Versions) -> None:
    versions.write("next", {"s=b/part-9": 5, "s=c/part-0": 1}, rows_out=8, replaces=["s=b/", "s=c"])
    assert versions.publish("next", "base").rows == 8
    assert versions.files("next") == ["s=a/part-0", "s=b/part-9", "s=c/part-0"]


def test_a_try_after_the_switch_copies_nothing_more(versions: Versions) -> None:
    versions.write("next", {"s=b/part-9": 5}, rows_out=7, replaces=["s=b"])
    versions.publish("next", "base")
    assert versions.publish("next", "base").change == "unchanged"
    assert versions.files("next") == ["s=a/part-0", "s=b/part-9"]


def test_a_try_after_some_copies_copies_the_rest(versions: Versions) -> None:
    versions.write("next", {"s=c/part-9": 1}, rows_out=9, replaces=["s=c"])
    with pytest.raises(UnverifiedError, match="says that it wrote 9 rows"):
        versions.publish("next", "base")
    location = versions.small.lake.version_location(TABLE, "next")
    versions.small.lake.s3.remove(f"{location}s=a/part-0.parquet")
    with pytest.raises(UnverifiedError, match="says that it wrote 9 rows"):
        versions.publish("next", "base")
    assert versions.files("next") == [*BASE, "s=c/part-9"]


@pytest.mark.parametrize(
    ("files", "report", "message"),
    [
        ({"s=c/part-9": 1}, {"replaces": []}, r"the job wrote the partition s=c of gold\.one"),
        ({"s=a/part-0": 1}, {"replaces": []}, r"the job wrote the partition s=a of gold\.one"),
        ({}, {"replaces": ["s=B"]}, r"replaces s=B, and no file lies in such a partition"),
        ({}, {"replaces": ["s3://pi-m3-gold/one/v=base/s=b"]}, r"no file lies in such a partition"),
        ({}, {"replaces": ["../v=base/s=b"]}, r"no file lies in such a partition"),
        ({}, {"replaces": [1]}, r"has no list of partitions as replaces"),
        ({"s=b/part-9": 1}, {"replaces": ["s=b"], "rows_out": None}, r"not how many rows the table has"),
    ],
)
def test_a_report_that_is_not_true_is_refused_before_a_copy(
    versions: Versions, files: dict[str, int], report: dict[str, Any], message: str
) -> None:
    said = {"rows_out": 3} | report
    versions.write("next", files, **{name: value for name, value in said.items() if value is not None})
    with pytest.raises(UnverifiedError, match=message):
        versions.publish("next", "base")
    assert versions.files("next") == list(files)
    assert versions.small.current(TABLE) == "base"


def test_a_version_made_from_one_that_is_not_current_any_more_is_refused(versions: Versions) -> None:
    versions.write("night", {"s=b/part-8": 1}, rows_out=3, replaces=["s=b"])
    versions.write("day", {"s=b/part-9": 5}, rows_out=7, replaces=["s=b"])
    versions.publish("day", "base")
    with pytest.raises(
        BlockedError, match="is version day now, and this run's version was made from version base"
    ):
        versions.publish("night", "base")
    versions.write("later", {"s=c/part-0": 1}, rows_out=8, replaces=["s=c"])
    versions.small.lake.rollback(TABLE)
    with pytest.raises(BlockedError, match="is version base now"):
        versions.publish("later", "day")
    assert versions.files("night") == ["s=b/part-8"]


def test_what_a_version_changed_is_what_it_wrote_and_what_it_names(versions: Versions) -> None:
    lake = versions.small.lake
    inputs = lake.input_records

    def record(version: str, base: str) -> None:
        inputs.write(TABLE, version, VersionInputs(base={TABLE: lake.version_location(TABLE, base)}))

    versions.write("next", {"s=c/part-0": 1}, rows_out=3, replaces=["s=b/", "s=c"])
    record("next", "base")
    assert inputs.touched(TABLE, "base", "next") is None  # it was not completed yet
    versions.publish("next", "base")
    assert inputs.touched(TABLE, "base", "next") == ["s=b", "s=c"]
    assert inputs.touched(TABLE, "next", "next") == []
    assert inputs.touched(TABLE, "other", "next") is None


def test_rows_added_to_a_table_without_partitions_are_a_change_of_all_of_it(versions: Versions) -> None:
    small, table = versions.small, "gold.two"
    flat = Versions(small, table, {"part-0": 2})
    flat.write("more", {"part-1": 1}, rows_out=3, replaces=[])
    inputs = small.lake.input_records
    inputs.write(table, "more", VersionInputs(base={table: small.lake.version_location(table, "base")}))
    flat.publish("more", "base")
    assert flat.files("more") == ["part-0", "part-1"]
    assert inputs.touched(table, "base", "more") is None


def test_a_file_that_would_take_the_place_of_one_of_the_base_is_refused(versions: Versions) -> None:
    flat = Versions(versions.small, "gold.three", {"part-0": 2})
    flat.write("more", {"part-0": 1}, rows_out=1, replaces=[])
    message = r"the job wrote part-0\.parquet of gold\.three, which the current version has too: its rows would be lost"
    with pytest.raises(UnverifiedError, match=message):
        flat.publish("more", "base")
    assert flat.small.current("gold.three") == "base"


def test_a_version_that_was_written_whole_changed_where_its_report_says_that_it_differs(
    versions: Versions,
) -> None:
    lake = versions.small.lake
    inputs = lake.input_records

    def make(version: str, base: str, files: Mapping[str, int], **report: Any) -> None:
        versions.write(version, files, **report)
        inputs.write(TABLE, version, VersionInputs(base={TABLE: lake.version_location(TABLE, base)}))
        versions.publish(version, base)

    make("whole", "base", {"s=a/part-0": 3}, differs=["s=a/", "s=b"])
    make("some", "whole", {"s=c/part-0": 1}, replaces=["s=c"], differs=["s=d"], rows_out=4)
    make("same", "some", {"s=a/part-0": 3, "s=c/part-0": 1}, differs=[])
    make("unknown", "same", {"s=a/part-0": 3})
    make("wrong", "unknown", {"s=a/part-0": 3}, differs="s=a")
    make("all", "wrong", {"s=a/part-0": 3}, differs=[""])
    assert inputs.touched(TABLE, "base", "same") == ["s=a", "s=b", "s=c"]
    assert inputs.touched(TABLE, "whole", "same") == ["s=c"]
    assert inputs.touched(TABLE, "some", "same") == []
    steps = [("same", "unknown"), ("unknown", "wrong"), ("wrong", "all"), ("same", "all")]
    assert [inputs.touched(TABLE, *step) for step in steps] == [None] * 4
    assert versions.files("whole") == ["s=a/part-0"], (
        "nothing is copied into a version that was written whole"
    )
