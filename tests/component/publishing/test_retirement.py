"""Retirement: old versions are deleted when no reader can need them, and nothing else is ever deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError, ConfigurationError, ServiceError
from etltctl.publishing import History
from etltctl.publishing.retirement import require_free
from etltctl.settings import load_settings
from support.lakes import SmallLake
from support.sample_settings import on_sample
from support.served import Served

Make = Callable[[str], SmallLake]
ONE = ("gold.one",)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def make(server: Served, aws: Aws, tmp_path: Path) -> Make:
    """Return a function that makes a lake with these settings of `[lake]`."""

    def make_lake(settings: str) -> SmallLake:
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n{settings}\n[athena.databases]\ngold = "{name}"\n'
        return SmallLake(server, aws, tmp_path, own)

    return make_lake


def folders(small: SmallLake) -> list[str]:
    return small.lake.s3.folders(small.lake.places.root("gold.one"))


def test_surplus_versions_are_deleted_after_the_grace_period(make: Make) -> None:
    small = make("keep_versions = 2\ngrace_minutes = 0")
    for number in range(3):
        (done,) = small.publish(f"v{number}", ONE)
    assert list(done.retired) == [f"{small.lake.places.root('gold.one')}v=v0/"]
    assert folders(small) == ["v=v1", "v=v2"]
    assert small.lake.versions("gold.one") == ["v2", "v1"]
    with pytest.raises(BlockedError, match="has no published version v0") as raised:
        small.lake.rollback("gold.one", "v0")
    assert raised.value.hint == "etltctl rollback gold.one --to v1  # published: v2, v1"


def test_within_the_grace_period_nothing_is_deleted(make: Make) -> None:
    small = make("keep_versions = 1\ngrace_minutes = 60")
    for number in range(3):
        small.publish(f"v{number}", ONE)
    assert folders(small) == ["v=v0", "v=v1", "v=v2"]


def test_no_version_is_forgotten_before_it_is_retired() -> None:
    history = History()
    for minute in range(150):
        history = history.switched(f"v{minute}", NOON + timedelta(minutes=minute))
    assert len(history.versions) == 150
    retired = history.retirable(100, timedelta(minutes=30), NOON + timedelta(minutes=150))
    assert retired == [f"v{minute}" for minute in reversed(range(50))]
    assert len(history.without(retired).versions) == 100


def test_grace_counts_from_the_last_use_of_a_version_and_the_current_one_always_stays() -> None:
    history = History()
    for hour, version in enumerate("abc"):
        history = history.switched(version, NOON + timedelta(hours=hour))
    history = history.switched("a", NOON + timedelta(hours=3))  # a rollback
    assert history.versions == ("c", "b", "a")
    assert history.retirable(1, timedelta(hours=1), NOON + timedelta(hours=3)) == ["b"]
    assert history.retirable(0, timedelta(hours=1), NOON + timedelta(hours=3, minutes=59)) == ["b"]
    assert history.retirable(0, timedelta(hours=1), NOON + timedelta(hours=4)) == ["c", "b"]


def test_an_unpublished_version_is_deleted_after_a_long_time_without_a_write(make: Make) -> None:
    small = make("keep_unpublished_days = 7")
    small.publish("v1", ONE)
    for name in ("old", "young"):
        small.write("gold.one", name, [{"n": 1}])
    root = small.server.state / "s3" / "pi-m3-gold" / small.lake.places.root("gold.one").key
    week_ago = datetime.now(UTC).timestamp() - 8 * 86_400
    os.utime(root / "v=old" / "part-0.parquet", (week_ago, week_ago))
    small.publish("v2", ONE)
    assert folders(small) == ["v=v1", "v=v2", "v=young"]


def test_a_version_that_another_table_uses_is_not_deleted(make: Make) -> None:
    small = make("keep_versions = 1\ngrace_minutes = 0")
    small.publish("v1", ONE)
    described = small.described("gold.one")
    other_table = {"Name": "theirs", "StorageDescriptor": described["StorageDescriptor"], "Parameters": {}}
    small.aws.client("glue").create_table(DatabaseName=described["DatabaseName"], TableInput=other_table)
    (done,) = small.publish("v2", ONE)
    assert "a table lies there" in done.warnings[0]
    assert folders(small) == ["v=v1", "v=v2"]


@pytest.mark.parametrize(
    "location", ["s3://b/one/", "s3://b/one/v=1", "s3://b/", "s3://b/one/v=1/day=2/", "s3://b/one_more/v=1/"]
)
def test_only_the_folder_of_a_version_may_be_deleted(location: str) -> None:
    with pytest.raises(BlockedError):
        require_free(location, "s3://b/one/", [])


def test_an_object_that_s3_does_not_delete_is_reported_and_the_publish_succeeds(make: Make) -> None:
    small = make("keep_versions = 1\ngrace_minutes = 0")
    small.publish("v1", ONE)
    events = small.aws.client("s3").meta.events

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Errors"] = [{"Key": "part-0.parquet", "Code": "AccessDenied", "Message": "Access Denied"}]

    events.register("after-call.s3.DeleteObjects", refuse, unique_id="refuse")
    (done,) = small.publish("v2", ONE)
    assert "did not delete 1 objects" in done.warnings[0]
    assert small.current("gold.one") == "v2"
    with pytest.raises(ServiceError):
        small.lake.s3.delete_folder(f"{small.lake.places.root('gold.one')}v=v2/")
    events.unregister("after-call.s3.DeleteObjects", unique_id="refuse")


def test_a_folder_without_its_slash_is_never_deleted(make: Make) -> None:
    for location in ("s3://pi-m3-gold/one", "s3://pi-m3-gold/", "s3://pi-m3-gold"):
        with pytest.raises(ValueError, match="is not a folder"):
            make("").lake.s3.delete_folder(location)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[lake]\ngold = "s3://pi-m3-silver/f1_race"', "inside silver.f1_race"),
        ('[glue.jobs.x]\nscript = "x.py"\nwrites = ["silver.rejects"]', "lies inside silver.rejects"),
        (
            '[tables."bronze.mine"]\nlocation = "s3://pi-m3-gold/weather_daily/x/"',
            "inside gold.weather_daily",
        ),
        ('[tables."gold.weather_dayly"]\nmin_rows = 1', "did you mean gold.weather_daily?"),
    ],
)
def test_nested_locations_and_rules_for_unknown_tables_are_settings_errors(
    tmp_path: Path, settings: str, message: str
) -> None:
    (tmp_path / "etltctl.toml").write_text(on_sample(settings))
    with pytest.raises(ConfigurationError) as error:
        load_settings(config=tmp_path / "etltctl.toml", env="local", environ={})
    assert message in "\n".join(error.value.problems)
