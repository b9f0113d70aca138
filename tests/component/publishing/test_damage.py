"""Files that are damaged, foreign, replaced or deleted: named clearly, and never a problem for other tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.diagnosis.jobs import check_published_files
from etltctl.diagnosis.probe import Probe
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    EtltctlError,
    ExitCode,
    RunFailedError,
    UnverifiedError,
)
from etltctl.pipeline import refresh
from etltctl.querying import run_query
from etltctl.testing import VirtualClock
from support.lakes import SmallLake
from support.served import Served

ONE = ("gold.one",)


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake with gold.one, gold.two, and bronze.a, bronze.b and bronze.c, which others write."""
    name = f"t{uuid4().hex[:10]}"
    lake = (
        f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\nbronze = "{name}b"\n'
    )
    lake += "".join(f'[tables."bronze.{t}"]\nlocation = "s3://pi-m3-bronze/{name}/{t}/"\n' for t in "abc")
    small = SmallLake(server, aws, tmp_path, lake)
    yield small
    small.spoil()


def place(small: SmallLake, table: str) -> str:
    return str(small.lake.places.fixed(f"bronze.{table}"))


def put(small: SmallLake, table: str, rows: Any = None, name: str = "part-0.parquet") -> str:
    location = f"{place(small, table)}{name}"
    small.put(location, rows if rows is not None else pa.table({"n": [1, 2]}))
    return location


def truncated(small: SmallLake, table: str) -> str:
    location = put(small, table, pa.table({"n": list(range(1000))}), "part-1.parquet")
    small.lake.s3.write(location, small.lake.s3.read(location)[:-100])
    return location


def test_one_bad_table_stops_no_other_and_all_bad_tables_are_reported(small: SmallLake) -> None:
    put(small, "a", pa.table({"s": [{"a-b": 1}]}))
    broken = truncated(small, "b")
    put(small, "c")
    with pytest.raises(UnverifiedError) as error:
        refresh(["bronze.a", "bronze.b", "bronze.c"], small.settings)
    assert error.value.exit_code == ExitCode.UNVERIFIED
    assert error.value.message == "2 of 3 tables could not be refreshed: bronze.a, bronze.b"
    assert "bronze.a.s.a-b" in str(error.value.facts["bronze.a"])
    assert broken in str(error.value.facts["bronze.b"])
    assert [small.described(f"bronze.{t}") != {} for t in "abc"] == [False, False, True]


def test_the_error_of_the_only_bad_table_stays_as_it_is(small: SmallLake) -> None:
    put(small, "a", pa.table({"t": pa.array([1], pa.timestamp("ns", "UTC"))}))
    put(small, "b")
    with pytest.raises(BlockedError, match=r"bronze.a.t has the Parquet type timestamp\[ns, tz=UTC\]"):
        small.lake.refresh(["bronze.a", "bronze.b"])
    assert small.described("bronze.b")


@pytest.mark.parametrize("content", [b"", b"id\n9\n", b"PAR1" + b"x" * 40 + b"\xff\xff\xff\x7fPAR1", b"PAR1"])
def test_an_incomplete_parquet_file_is_unverified(small: SmallLake, content: bytes) -> None:
    location = put(small, "a", name="part-0.parquet")
    small.lake.s3.write(location, content)
    with pytest.raises(UnverifiedError) as error:
        small.lake.refresh(["bronze.a"])
    assert location in error.value.message
    assert small.described("bronze.a") == {}


def test_an_object_without_a_parquet_name_is_named_by_refresh_publish_and_athena(
    small: SmallLake,
) -> None:
    put(small, "a")
    small.lake.refresh(["bronze.a"])
    foreign = f"{place(small, 'a')}readme.csv"
    small.lake.s3.write(foreign, b"id\n9\n")
    small.put(f"{place(small, 'a')}part-1.parquet", [{"n": 3}])
    with pytest.raises(BlockedError) as error:
        small.lake.refresh(["bronze.a"])
    assert foreign in error.value.message
    with pytest.raises(RunFailedError, match="Malformed Parquet file") as failed:
        run_query("select * from a", small.settings, database=small.settings.athena.databases["bronze"])
    assert foreign in failed.value.message
    assert str(small.server.state) not in failed.value.message
    location = small.write("gold.one", "v1", [{"n": 1}])
    small.lake.s3.write(f"{location}part-1.csv", b"id\n9\n")
    with pytest.raises(
        BlockedError, match=r"gold.one lies an object that is not called \*.parquet.*part-1.csv"
    ):
        small.lake.publish({"gold.one": location})


def test_empty_and_hidden_objects_do_not_disturb_anyone(small: SmallLake) -> None:
    put(small, "a")
    for name in ("000000", "_SUCCESS", ".part.crc", "_meta/x.json"):
        small.lake.s3.write(f"{place(small, 'a')}{name}", b"" if name in ("000000", "_SUCCESS") else b"{}")
    assert small.lake.refresh(["bronze.a"])[0].rows == 2


def changed(small: SmallLake) -> None:
    location = small.lake.current_location("gold.one")
    small.put(f"{location}extra.parquet", [{"version": "v1", "n": 9}])
    small.put(f"{location}part-0.parquet", [{"version": "v1", "n": 0}])


def test_changed_files_of_a_published_version_are_reported_with_the_next_step(small: SmallLake) -> None:
    small.publish("v0", ONE)
    small.publish("v1", ONE)
    before = small.described("gold.one")
    changed(small)
    with pytest.raises(UnverifiedError) as error:
        small.another().refresh(ONE)
    assert error.value.facts == {
        "table": "gold.one", "version": "v1", "added": "extra.parquet", "replaced": "part-0.parquet",
    }  # fmt: skip
    assert "etltctl rollback gold.one" in error.value.hint
    findings = list(check_published_files(Probe(small.settings)))
    assert [(one.subject, one.status) for one in findings] == [
        ("gold.one", "fail"),
        ("published files", "ok"),
    ]
    assert "extra.parquet" in findings[0].evidence
    assert small.described("gold.one") == before, "the catalog does not follow the change"
    small.lake.rollback("gold.one")
    assert small.another().refresh(ONE)[0].change == "unchanged"
    with pytest.raises(UnverifiedError, match=r"the files of version v1 of gold\.one are not those"):
        small.lake.rollback("gold.one", "v1")
    assert small.current("gold.one") == "v0"


def test_a_deleted_file_is_reported(small: SmallLake) -> None:
    location = small.lake.version_location("gold.one", "v1")
    for number in range(2):
        small.put(f"{location}part-{number}.parquet", [{"n": number}])
    small.lake.publish({"gold.one": location})
    small.lake.s3.remove(f"{location}part-1.parquet")
    with pytest.raises(UnverifiedError) as error:
        small.another().refresh(ONE)
    assert error.value.facts["missing"] == "part-1.parquet"


def test_a_change_in_a_version_without_a_file_list_is_detected(small: SmallLake) -> None:
    small.publish("v1", ONE)
    small.lake.s3.remove(f"{small.lake.places.record('gold.one', 'v1')}files.json")
    assert small.another().refresh(ONE)[0].change == "unchanged"
    changed(small)
    with pytest.raises(UnverifiedError, match="not those that were published"):
        small.another().refresh(ONE)


def test_files_that_a_sync_replaces_meanwhile_are_listed_again(small: SmallLake) -> None:
    put(small, "a")
    not_found = {"status": 404, "body": "<Error><Code>NoSuchKey</Code><Message>not_found</Message></Error>"}
    small.spoil({"call": "GET */a/part-0.parquet", "refuse": not_found, "times": 3})
    with VirtualClock() as clock:
        assert small.lake.refresh(["bronze.a"])[0].rows == 2
    assert len(clock.slept) == 3
    small.spoil({"call": "GET */a/part-*.parquet", "refuse": not_found, "times": 0})
    put(small, "a", pa.table({"n": [3]}), "part-1.parquet")
    with VirtualClock(), pytest.raises(AlreadyRunningError) as error:
        small.lake.refresh(["bronze.a"])
    assert error.value.exit_code == ExitCode.ALREADY_RUNNING
    assert "etltctl runs watch" in error.value.hint


def test_a_footer_is_never_used_for_another_object_of_the_same_name(small: SmallLake) -> None:
    put(small, "a")
    (data_file,) = small.lake.inspector.files(place(small, "a"))
    put(small, "a", pa.table({"n": [1, 2, 3]}))
    with pytest.raises(EtltctlError) as error:
        small.lake.footers("bronze.a", [data_file])
    assert getattr(error.value, "code", "") == "PreconditionFailed"


def test_nan_is_outside_every_range(small: SmallLake) -> None:
    strict = SmallLake(
        small.server, small.aws, small.folder, f'{small.more}[tables."gold.one".ranges]\nx = {{ min = 0 }}\n'
    )
    location = strict.write("gold.one", "v1", pa.table({"x": [1.0, float("nan"), None]}))
    with pytest.raises(BlockedError, match=r"x is NaN \(1\)"):
        strict.lake.publish({"gold.one": location})
    fine = strict.write("gold.one", "v2", pa.table({"x": [1.0, float("inf"), None]}))
    assert strict.lake.publish({"gold.one": fine})[0].change == "created"
