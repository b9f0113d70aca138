"""Objects that are not called *.parquet in the folder of a published version: Athena reads them as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from etltctl.aws import Aws
from etltctl.diagnosis.jobs import check_published_files
from etltctl.diagnosis.probe import Probe
from etltctl.errors import BlockedError, UnverifiedError
from support.lakes import SmallLake
from support.served import Served

ONE = ("gold.one",)


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake with the versions v0 and v1 of gold.one, and bronze.a, which another program writes."""
    name = f"t{uuid4().hex[:10]}"
    lake = (
        f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\nbronze = "{name}b"\n'
        f'[tables."bronze.a"]\nlocation = "s3://pi-m3-bronze/{name}/a/"\n'
    )
    small = SmallLake(server, aws, tmp_path, lake)
    small.publish("v0", ONE)
    small.publish("v1", ONE)
    yield small
    small.spoil()


def disturb(small: SmallLake, location: str) -> None:
    small.lake.s3.write(f"{location}x.txt", b"not Parquet")


def test_refresh_and_doctor_report_a_foreign_object_as_added(small: SmallLake) -> None:
    disturb(small, small.lake.current_location("gold.one"))
    with pytest.raises(UnverifiedError) as error:
        small.another().refresh(ONE)
    assert error.value.facts["added"] == "x.txt"
    findings = list(check_published_files(Probe(small.settings)))
    assert ("gold.one", "fail") in [(one.subject, one.status) for one in findings]


def test_rollback_does_not_make_a_version_current_that_athena_cannot_read(small: SmallLake) -> None:
    disturb(small, small.lake.version_location("gold.one", "v0"))
    with pytest.raises(UnverifiedError) as error:
        small.lake.rollback("gold.one")
    assert error.value.facts["added"] == "x.txt"
    assert small.current("gold.one") == "v1"


def test_a_foreign_object_is_noticed_in_a_version_without_a_file_list(small: SmallLake) -> None:
    small.lake.s3.remove(f"{small.lake.places.record('gold.one', 'v1')}files.json")
    assert small.another().refresh(ONE)[0].change == "unchanged"
    disturb(small, small.lake.current_location("gold.one"))
    with pytest.raises(UnverifiedError):
        small.another().refresh(ONE)


@pytest.mark.parametrize("name", ["_SUCCESS", ".part.crc", "day=1/_x/y.txt"])
def test_hidden_objects_change_no_published_version(small: SmallLake, name: str) -> None:
    small.lake.s3.write(f"{small.lake.version_location('gold.one', 'v0')}{name}", b"hidden")
    small.lake.s3.write(f"{small.lake.version_location('gold.one', 'v0')}empty", b"")
    small.lake.rollback("gold.one")
    assert small.another().refresh(ONE)[0].change == "unchanged"


def test_a_foreign_object_in_an_unchanged_bronze_table_is_reported(small: SmallLake) -> None:
    location = str(small.lake.places.fixed("bronze.a"))
    small.put(f"{location}part-0.parquet", [{"n": 1}])
    small.lake.refresh(["bronze.a"])
    disturb(small, location)
    with pytest.raises(BlockedError) as error:
        small.another().refresh(["bronze.a"])
    assert "etltctl athena refresh" in error.value.hint


def test_a_refused_version_is_published_by_the_command_that_was_refused(small: SmallLake) -> None:
    location = small.write("gold.one", "v2", [{"version": "v2", "n": 1}])
    disturb(small, location)
    with pytest.raises(BlockedError) as error:
        small.lake.publish({"gold.one": location})
    assert "athena refresh" not in error.value.hint
    small.lake.s3.remove(f"{location}x.txt")
    assert small.lake.publish({"gold.one": location})[0].change == "updated"
