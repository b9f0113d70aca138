"""Refresh: the catalog matches the files, and unchanged tables cost no extra call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.errors import AccessError, BlockedError, ServiceError, UnverifiedError
from etltctl.s3 import S3
from support.lakes import SmallLake
from support.served import Served


@pytest.fixture
def events(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake with bronze.events, which another program writes, partitioned by day."""
    name = f"t{uuid4().hex[:10]}"
    own = f'[athena.databases]\nbronze = "{name}"\n[tables."bronze.events"]\nlocation = "s3://pi-m3-bronze/{name}/"\n'
    yield SmallLake(server, aws, tmp_path, own)
    server.request("POST", "faults", [])


def day(small: SmallLake, value: int, number: int = 0, rows: Any = None) -> str:
    location = f"{small.lake.places.fixed('bronze.events')}day={value}/part-{number}.parquet"
    small.put(location, rows if rows is not None else pa.table({"n": pa.array([1, 2], pa.int32())}))
    return location


def refreshed(small: SmallLake) -> Any:
    (done,) = small.another().refresh(["bronze.events"])
    return done


def partitions(small: SmallLake) -> dict[str, dict[str, Any]]:
    place = dict(
        zip(("DatabaseName", "TableName"), small.lake.places.in_catalog("bronze.events"), strict=True)
    )
    partitions_of_table = small.aws.client("glue").get_partitions(**place)["Partitions"]
    return {"/".join(one["Values"]): one["StorageDescriptor"] for one in partitions_of_table}


def record_calls(small: SmallLake, service: str, calls: list[str]) -> None:
    events = small.aws.client(service).meta.events
    events.register(
        f"before-call.{service}", lambda model, **_: calls.append(model.name), unique_id="recorded"
    )


def test_only_partitions_that_differ_are_registered_changed_or_removed(events: SmallLake) -> None:
    for value in (20260101, 20260102):
        day(events, value)
    done = refreshed(events)
    assert (done.change, done.rows, done.partitions.created) == ("created", 4, 2)
    assert events.described("bronze.events")["PartitionKeys"] == [{"Name": "day", "Type": "int"}]
    deleted = day(events, 20260103)
    done = refreshed(events)
    assert (done.change, done.partitions.created, done.partitions.updated) == ("updated", 1, 0)
    events.lake.s3.remove(deleted)
    assert refreshed(events).partitions.deleted == 1
    assert list(partitions(events)) == ["20260101", "20260102"]


def test_an_unchanged_table_costs_one_listing_and_one_read_of_the_catalog(events: SmallLake) -> None:
    day(events, 20260101)
    refreshed(events)
    calls: list[str] = []
    for service in ("s3", "glue"):
        record_calls(events, service, calls)
    assert refreshed(events).change == "unchanged"
    assert sorted(calls) == ["GetTable", "ListObjectsV2"]


def test_only_new_files_are_opened(events: SmallLake) -> None:
    for number in range(10):
        day(events, 20260101, number)
    refreshed(events)
    day(events, 20260101, 10)
    day(events, 20260101, 3, pa.table({"n": pa.array([7], pa.int32())}))  # written again: another ETag
    calls: list[str] = []
    record_calls(events, "s3", calls)
    assert refreshed(events).rows == 9 * 2 + 2 + 1
    assert calls.count("GetObject") == 2


def test_a_widened_column_is_widened_in_every_partition(events: SmallLake) -> None:
    day(events, 20260101)
    refreshed(events)
    day(events, 20260102, 0, pa.table({"n": pa.array([2**40], pa.int64()), "new": ["x"]}))
    done = refreshed(events)
    assert (done.partitions.created, done.partitions.updated) == (1, 1)
    columns = [{"Name": "n", "Type": "bigint"}, {"Name": "new", "Type": "string"}]
    assert {name: partition["Columns"] for name, partition in partitions(events).items()} == dict.fromkeys(
        ("20260101", "20260102"), columns
    )


def test_a_comment_on_a_column_costs_no_further_update(events: SmallLake) -> None:
    day(events, 20260101)
    refreshed(events)
    glue, described = events.aws.client("glue"), events.described("bronze.events")
    said = {"Name": "n", "Type": "int", "Comment": "which row"}
    table_input = {k: described[k] for k in ("Name", "Parameters", "TableType", "PartitionKeys")}
    table_input["StorageDescriptor"] = {**described["StorageDescriptor"], "Columns": [said]}
    glue.update_table(DatabaseName=described["DatabaseName"], TableInput=table_input)
    day(events, 20260102)
    calls: list[str] = []
    record_calls(events, "glue", calls)
    refreshed(events)
    assert calls.count("UpdateTable") == 1
    assert events.described("bronze.events")["StorageDescriptor"]["Columns"] == [said]


def test_types_that_no_reader_reads_together_are_refused_and_named(events: SmallLake) -> None:
    day(events, 20260101)
    refreshed(events)
    odd = day(events, 20260102, 0, pa.table({"n": ["text"]}))
    with pytest.raises(BlockedError, match="disagree about n: int in one, string in another") as error:
        refreshed(events)
    assert error.value.facts["another"] == odd
    assert list(partitions(events)) == ["20260101"]


def test_an_unsafe_widening_is_refused_unless_the_settings_allow_it(events: SmallLake) -> None:
    day(events, 20260101)
    day(events, 20260102, 0, pa.table({"n": pa.array([0.5])}))
    with pytest.raises(BlockedError, match="int in one, double in another") as error:
        refreshed(events)
    assert "allow_widening" in error.value.hint
    allowed = SmallLake(events.server, events.aws, events.folder, f"{events.more}allow_widening = true\n")
    assert refreshed(allowed).rows == 3


def test_names_that_differ_in_case_only_are_refused(events: SmallLake) -> None:
    day(events, 20260101, 0, pa.table({"n": [1], "N": [2]}))
    with pytest.raises(BlockedError, match="n and N, which differ in case only"):
        refreshed(events)


def test_a_partition_value_that_its_column_cannot_hold_is_refused(events: SmallLake) -> None:
    day(events, 20260101)
    refreshed(events)
    small = pa.table({"n": pa.array([1], pa.int32())})
    events.put(f"{events.lake.places.fixed('bronze.events')}day=unknown/part-0.parquet", small)
    with pytest.raises(BlockedError, match="day=unknown"):
        refreshed(events)


def test_a_batch_that_was_refused_in_part_is_an_error_and_the_next_refresh_completes_it(
    events: SmallLake,
) -> None:
    for value in (20260101, 20260102):
        day(events, value)
    glue = events.aws.client("glue")

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        detail = {"ErrorCode": "InternalServiceException", "ErrorMessage": "try again"}
        parsed["Errors"] = [{"PartitionValues": ["20260102"], "ErrorDetail": detail}]

    glue.meta.events.register("after-call.glue.BatchCreatePartition", refuse, unique_id="refuse")
    with pytest.raises(ServiceError, match="refused partition 20260102"):
        refreshed(events)
    glue.meta.events.unregister("after-call.glue.BatchCreatePartition", unique_id="refuse")
    glue.batch_delete_partition(
        DatabaseName=events.settings.athena.databases["bronze"],
        TableName="events",
        PartitionsToDelete=[{"Values": ["20260102"]}],
    )
    assert refreshed(events).partitions.created == 1


def test_damaged_footers_are_read_again(events: SmallLake) -> None:
    for number in range(9):
        day(events, 20260101, number)
    refreshed(events)
    (kept,) = (events.folder / "state" / "footers").glob("*.json")
    kept.write_text('{"format": "etltctl.footers/1", "files": 3')
    day(events, 20260102)
    assert refreshed(events).rows == 20


@pytest.fixture
def separate_lake(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    """A separate lake, whose gold.one must have two rows."""
    name = f"t{uuid4().hex[:10]}"
    places = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
    return SmallLake(server, aws, tmp_path, f'{places}[tables."gold.one"]\nmin_rows = 2\n')


def drop_from_catalog(small: SmallLake, name: str = "one") -> None:
    database = small.settings.athena.databases["gold"]
    small.aws.client("glue").delete_table(DatabaseName=database, Name=name)


def test_a_lost_table_is_restored_at_its_last_published_version(
    separate_lake: SmallLake,
) -> None:
    for version in ("v2", "v10", "v9"):
        separate_lake.publish(version, ["gold.one"])
    separate_lake.lake.rollback("gold.one", "v10")
    separate_lake.write("gold.one", "v99", [{"version": "v99", "n": 1}])
    separate_lake.lake.s3.write(f"{separate_lake.lake.places.version('gold.one', 'v99')}_SUCCESS", b"")
    drop_from_catalog(separate_lake)
    (done,) = separate_lake.another().refresh(["gold.one"])
    assert (done.change, done.rows, separate_lake.current("gold.one")) == ("created", 3, "v10")


def test_a_first_version_that_was_blocked_stays_invisible(separate_lake: SmallLake) -> None:
    location = separate_lake.write("gold.one", "v1", [{"n": 1}])
    separate_lake.lake.s3.write(f"{location}_SUCCESS", b"")
    with pytest.raises(BlockedError, match="fewer than min_rows"):
        separate_lake.lake.publish({"gold.one": location})
    (done,) = separate_lake.another().refresh(["gold.one"])
    assert (done.change, done.rows, separate_lake.described("gold.one")) == ("not published", 0, {})
    assert separate_lake.another().refresh(["gold.two"]) == []


def test_a_publish_that_was_cut_off_before_its_mark_is_completed_on_resume(
    separate_lake: SmallLake,
) -> None:
    separate_lake.spoil(
        {"call": "PUT *published", "refuse": {"status": 403, "body": {"__type": "AccessDenied"}}}
    )
    versions = {"gold.one": separate_lake.write("gold.one", "v1", [{"n": 1}, {"n": 2}])}
    with pytest.raises(AccessError):
        separate_lake.lake.publish(versions)
    separate_lake.spoil()
    assert separate_lake.current("gold.one") == "v1"
    assert separate_lake.lake.publish(versions)[0].change == "unchanged"
    drop_from_catalog(separate_lake)
    assert separate_lake.another().refresh(["gold.one"])[0].change == "created"


def test_a_table_whose_files_are_gone_is_reported_and_stays(events: SmallLake) -> None:
    day(events, 20260101)
    assert refreshed(events).change == "created"
    S3(events.aws).delete_folder(str(events.lake.places.fixed("bronze.events")))
    again = refreshed(events)
    assert (again.change, again.rows) == ("files are gone", 0)


def test_an_empty_file_is_named(events: SmallLake) -> None:
    day(events, 20260101)
    S3(events.aws).write(f"{events.lake.places.fixed('bronze.events')}empty.parquet", b"")
    with pytest.raises(UnverifiedError, match=r"empty\.parquet is not a whole Parquet file"):
        refreshed(events)
