"""Publishing over the wire: one winner, no half version and no lost table after lost answers, kills and races."""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from etltctl.aws import Aws
from etltctl.errors import AlreadyRunningError, BlockedError, EtltctlError
from etltctl.querying import describe_table
from etltctl.waiting import Waiter
from support.lakes import SmallLake, publish_with_kills
from support.served import Served

PUBLISHES = int(os.environ.get("ETLTCTL_PUBLISHES", "40"))  # the documents say 500
KILLS = 8


@pytest.fixture
def small(server: Served, aws: Aws, tmp_path: Path) -> Iterator[SmallLake]:
    """A lake whose tables no earlier test has used."""
    name = f"t{uuid4().hex[:10]}"
    small = SmallLake(
        server,
        aws,
        tmp_path,
        f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n',
    )
    yield small
    small.spoil()


def test_the_first_version_creates_the_table_and_the_next_replaces_it_with_one_call(small: SmallLake) -> None:
    assert [table.change for table in small.publish("v1")] == ["created", "created"]
    small.aws.client("glue")  # the client must exist before its calls are recorded
    calls: list[str] = []
    small.aws.client("glue").meta.events.register(
        "before-call.glue", lambda model, **_: calls.append(model.name)
    )
    assert [table.change for table in small.publish("v2")] == ["updated", "updated"]
    assert [name for name in calls if not name.startswith("Get")] == ["UpdateTable", "UpdateTable"]
    parameters = small.described("gold.one")["Parameters"]
    assert parameters["etltctl_run_id"] == "v2"
    assert len(parameters["etltctl_schema_hash"]) == 16
    assert small.lake.versions("gold.one") == ["v2", "v1"]


def test_a_publish_keeps_description_and_parameters_of_others(small: SmallLake) -> None:
    small.publish("v1")
    described = small.described("gold.one")
    table_input = {k: described[k] for k in ("Name", "StorageDescriptor", "TableType", "PartitionKeys")}
    table_input |= {"Description": "ours", "Parameters": {**described["Parameters"], "team": "wind"}}
    small.aws.client("glue").update_table(DatabaseName=described["DatabaseName"], TableInput=table_input)
    small.publish("v2")
    after = small.described("gold.one")
    assert (after["Description"], after["Parameters"]["team"]) == ("ours", "wind")


def test_a_rollback_restores_the_same_bytes(small: SmallLake) -> None:
    def bytes_of_current() -> list[bytes]:
        location = small.lake.current_location("gold.one")
        return [small.lake.s3.read(stored.location) for stored in small.lake.s3.objects(location)]

    small.publish("v1")
    before = bytes_of_current()
    small.publish("v2", rows=7)
    assert bytes_of_current() != before
    done = small.lake.rollback("gold.one")
    assert (done.version, done.rows) == ("v1", 3)
    assert bytes_of_current() == before
    assert small.current("gold.two") == "v2"
    small.lake.rollback("gold.one", "v2")
    assert small.current("gold.one") == "v2"


def test_exactly_one_of_two_publishers_wins_and_the_other_says_so(small: SmallLake) -> None:
    small.publish("v0")
    outcomes: list[str] = []
    for lap in range(3):
        versions = [
            {
                table: small.write(table, f"{lap}{publisher}", [{"version": f"{lap}{publisher}", "n": 1}])
                for table in ("gold.one", "gold.two")
            }
            for publisher in "ab"
        ]
        together = threading.Barrier(2)

        def publish(
            which: int, versions: list[dict[str, str]] = versions, together: threading.Barrier = together
        ) -> None:
            lake = small.another()
            together.wait()
            try:
                lake.publish(versions[which], f"run-{which}")
                outcomes.append("won")
            except (BlockedError, AlreadyRunningError) as error:
                outcomes.append(error.message)

        threads = [threading.Thread(target=publish, args=(which,)) for which in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("won") == lap + 1, outcomes
        assert small.current("gold.one") == small.current("gold.two")
    lost = [outcome for outcome in outcomes if outcome != "won"]
    assert all(
        "was published by run-" in outcome or "being published by process" in outcome for outcome in lost
    ), lost


def test_a_lost_answer_to_the_switch_is_not_a_conflict(small: SmallLake) -> None:
    small.lake.catalog.ensure_database(small.settings.athena.databases["gold"])
    small.spoil({"call": "CreateTable", "lose": True})
    assert [table.change for table in small.publish("v1")] == ["created", "created"]
    assert small.met() == 1
    small.spoil({"call": "UpdateTable", "lose": True})
    assert [table.change for table in small.publish("v2")] == ["updated", "updated"]
    assert small.met() == 1


def test_a_simultaneous_change_by_another_caller_is_reported_and_kept(small: SmallLake) -> None:
    small.publish("v1")
    location = small.write("gold.one", "v2", [{"version": "v2", "n": 1}])
    fresh = small.described("gold.one")
    table_input = {
        k: fresh[k] for k in ("Name", "StorageDescriptor", "Parameters", "TableType", "PartitionKeys")
    }
    stale = small.lake.catalog.table

    def read_before_change(database: str, name: str) -> object:
        table = stale(database, name)
        small.aws.client("glue").update_table(
            DatabaseName=database, TableInput={**table_input, "Description": f"changed {uuid4()}"}
        )
        return table

    object.__setattr__(small.lake.catalog, "table", read_before_change)
    with pytest.raises(BlockedError, match="in the same moment"):
        small.lake.publish({"gold.one": location}, "mine")
    object.__delattr__(small.lake.catalog, "table")
    assert small.current("gold.one") == "v1"


def test_a_half_switched_set_is_detected_and_completed_by_its_re_run(small: SmallLake) -> None:
    small.publish("v1")
    versions = {t: small.write(t, "v2", [{"version": "v2", "n": 1}]) for t in ("gold.one", "gold.two")}
    small.spoil(
        {
            "call": "UpdateTable",
            "skip": 1,
            "times": 0,
            "refuse": {"status": 400, "body": {"__type": "InternalServiceException"}},
        }
    )
    with pytest.raises(EtltctlError):
        small.lake.publish(versions, "run-2")
    assert (small.current("gold.one"), small.current("gold.two")) == ("v2", "v1")
    unfinished = small.lake.unfinished("gold.two")
    assert unfinished is not None
    assert unfinished["run"] == "run-2"
    assert describe_table("gold.one", small.settings)[-1][:2] == ("publish", "run-2")
    small.spoil()
    assert [table.change for table in small.lake.publish(versions, "run-2")] == ["unchanged", "updated"]
    assert (small.current("gold.one"), small.current("gold.two")) == ("v2", "v2")
    assert small.lake.unfinished("gold.two") is None


def test_a_run_that_is_resumed_late_does_not_replace_a_newer_version(small: SmallLake) -> None:
    small.publish("v1")
    late = small.write("gold.one", "late", [{"version": "late", "n": 1}])
    time.sleep(0.01)
    small.publish("newer", tables=["gold.one"])
    with pytest.raises(BlockedError, match="written after this run's"):
        small.lake.publish({"gold.one": late}, "late")
    assert small.current("gold.one") == "newer"


def test_a_publisher_that_lost_its_lock_while_asleep_switches_nothing_more(small: SmallLake) -> None:
    small.publish("v1")
    versions = {t: small.write(t, "v2", [{"version": "v2", "n": 1}]) for t in ("gold.one", "gold.two")}
    staged = [small.lake._stage(table, location) for table, location in versions.items()]
    lock, now = small.lake.places.lock("gold.one"), [0.0]

    def sleep_too_long(**_: Any) -> None:
        small.lake.s3.write(lock, b"theirs")
        now[0] += 3600

    events = small.aws.client("glue").meta.events
    events.register("after-call.glue.UpdateTable", sleep_too_long, unique_id="oversleep")
    whole = small.lake.switch
    switch = replace(whole, lock=replace(whole.lock, watch=Waiter(clock=lambda: now[0])))
    with pytest.raises(AlreadyRunningError, match="was taken over by another process"):
        switch.publish(staged, "v2")
    events.unregister("after-call.glue.UpdateTable", unique_id="oversleep")
    assert (small.current("gold.one"), small.current("gold.two")) == ("v2", "v1")
    assert small.lake.s3.read(lock) == b"theirs"
    small.lake.s3.remove(lock)


def test_a_publish_keeps_comments_on_columns(small: SmallLake) -> None:
    small.publish("v1")
    described = small.described("gold.one")
    number = {"Name": "n", "Type": "bigint", "Comment": "which row", "Parameters": {"unit": "1"}}
    columns = [number if one["Name"] == "n" else one for one in described["StorageDescriptor"]["Columns"]]
    storage = {**described["StorageDescriptor"], "Columns": columns}
    table_input = {
        **{k: described[k] for k in ("Name", "Parameters", "TableType")},
        "StorageDescriptor": storage,
    }
    table_input["PartitionKeys"] = [{"Name": "day", "Type": "int", "Comment": "local"}]
    glue = small.aws.client("glue")
    glue.update_table(DatabaseName=described["DatabaseName"], TableInput=table_input)
    location = small.lake.version_location("gold.one", "v2")
    small.put(f"{location}day=1/part-0.parquet", [{"version": "v2", "n": 1, "new": 1}])
    small.lake.publish({"gold.one": location}, "v2")
    table = small.described("gold.one")
    new = {"Name": "new", "Type": "bigint"}
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "version", "Type": "string"}, number, new]
    assert table["PartitionKeys"] == table_input["PartitionKeys"]


def test_a_foreign_change_without_a_new_version_is_not_a_conflict(small: SmallLake) -> None:
    small.publish("v1")
    staged = small.lake._stage("gold.one", small.write("gold.one", "v2", [{"version": "v2", "n": 1}]))
    described = small.described("gold.one")
    table_input = {
        k: described[k] for k in ("Name", "StorageDescriptor", "Parameters", "TableType", "PartitionKeys")
    }
    small.aws.client("glue").update_table(
        DatabaseName=described["DatabaseName"], TableInput={**table_input, "Description": "x"}
    )
    assert small.lake.switch.publish([staged], "v2")[staged.name].change == "updated"
    assert small.described("gold.one")["Description"] == "x"


def test_a_reader_never_sees_an_empty_table_or_two_versions_of_one(small: SmallLake) -> None:
    """A reader queries in a loop while versions are published and their publisher is killed at random moments."""
    small.publish("first", rows=4)
    seen: list[tuple[str, ...]] = []
    wrong: list[object] = []
    over = threading.Event()
    reader = threading.Thread(target=_read_until, args=(small, over, seen, wrong))
    reader.start()
    try:
        context = multiprocessing.get_context("spawn")
        done = context.Value("i", 0)
        place = (small.server.port, str(small.server.state), str(small.folder), small.more)
        publisher = context.Process(target=publish_with_kills, args=(place, PUBLISHES, KILLS, 7, done))
        publisher.start()
        publisher.join()
    finally:
        over.set()
        reader.join()
    assert wrong == []
    assert (publisher.exitcode, done.value) == (0, PUBLISHES)
    assert len(set(seen)) > PUBLISHES // 10
    assert small.current("gold.one") == small.current("gold.two") == f"{PUBLISHES:06}"
    assert small.lake.unfinished("gold.one") is None


def _read_until(
    small: SmallLake, over: threading.Event, seen: list[tuple[str, ...]], wrong: list[object]
) -> None:
    lake = small.another()
    while not over.wait(0.005):
        for table in ("gold.one", "gold.two"):
            described = lake.catalog.table(*lake.places.in_catalog(table))
            location = described["StorageDescriptor"]["Location"] if described else "none"
            rows = [
                row["version"]
                for file in lake.inspector.files(location)
                for row in pq.read_table(io.BytesIO(lake.s3.read(file.location))).to_pylist()
            ]
            seen.append((table, *set(rows)))
            if len(rows) != 4 or len(set(rows)) != 1:
                wrong.append((table, location, rows))
