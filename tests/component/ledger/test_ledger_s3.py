"""The ledger in S3, over the wire: no event of any writer is lost, and a driver without its lease stops."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from etltctl.aws import Aws
from etltctl.errors import AlreadyRunningError
from etltctl.history.run_list import RunFilter, list_runs
from etltctl.ledger import Ledger, S3Store, read_events
from etltctl.ledger.leases import LeaseObject, _owner
from etltctl.waiting import Waiter
from support.served import Served, wait_until


@pytest.fixture
def store(server: Served, aws: Aws) -> S3Store:
    assert server.request("POST", "stack", {"buckets": ["state"]})[0] == 200
    return S3Store(aws, "state", "etltctl/runs")


def test_two_writers_lose_nothing_and_number_their_events_once(store: S3Store) -> None:
    driver = Ledger(store, "r1", "aws")
    driver.append("run.started")
    Ledger(store, "r1", "aws").append("remote.stopped", stopped_by="runs cancel")
    driver.append("step.planned", "glue:job")
    events = read_events(store, "r1")
    assert [(event["seq"], event["type"]) for event in events] == [
        (1, "run.started"), (2, "remote.stopped"), (3, "step.planned"),
    ]  # fmt: skip
    assert driver.last("", "remote.stopped") is not None, "the driver knows what the other wrote"
    assert store.read("r1").count('"version"') == 1


@pytest.mark.parametrize("rule", [{"lose": True}, {"refuse": {"status": 503}, "times": 2}])
def test_an_event_whose_answer_was_lost_is_written_once(
    server: Served, store: S3Store, rule: dict[str, object]
) -> None:
    run_id = f"r2-{next(iter(rule))}"
    ledger = Ledger(store, run_id, "aws")
    ledger.append("run.started")
    assert server.request("POST", "faults", [{"call": "PUT /state/*", **rule}])[0] == 200
    ledger.append("step.planned", "glue:job")
    assert [event["type"] for event in read_events(store, run_id)] == ["run.started", "step.planned"]


def test_runs_are_listed_by_their_last_event(store: S3Store) -> None:
    for run_id in ("b", "a"):
        Ledger(store, run_id, "aws").append("run.started")
        time.sleep(1.1)  # times in S3 are in whole seconds
    assert [run for run in store.run_ids() if run in "ab"] == ["b", "a"]


def test_a_stream_has_another_version_after_each_write_within_a_second(store: S3Store) -> None:
    ledger, versions = Ledger(store, "v1", "aws"), []
    for _ in range(5):  # more writes than seconds that they take
        ledger.append("remote.progress")
        versions += [run.version for run in store.stored_runs() if run.run_id == "v1"]
    assert len(set(versions)) == 5


def test_a_driver_that_lost_its_lease_writes_nothing_more(store: S3Store, aws: Aws) -> None:
    now = [0.0]
    watch = Waiter(clock=lambda: now[0])
    lease = LeaseObject(aws, "state", "etltctl/runs/r3.lock", "r3", watch, renewed_every=3600.0)
    with lease.held() as is_lost:
        ledger = Ledger(store, "r3", "aws", is_lost=is_lost)
        ledger.append("run.started")
        record, _ = lease._read()
        assert lease._put(_owner(), IfMatch=record), "another process takes the lease over"
        now[0] += 61.0  # the machine slept
        with pytest.raises(AlreadyRunningError, match="taken over by another process"):
            ledger.append("remote.intended", "glue:job")
    assert [event["type"] for event in read_events(store, "r3")] == ["run.started"]


def test_a_lease_is_renewed_while_its_owner_lives(store: S3Store, aws: Aws) -> None:
    lease = LeaseObject(aws, "state", "etltctl/runs/r4.lock", "r4", renewed_every=0.05)
    with lease.held() as is_lost:
        first, owner = lease._read()
        wait_until(lambda: lease._read()[0] != first)
        assert json.loads(owner)["pid"] == json.loads(lease._read()[1])["pid"]
        assert not is_lost()
    assert lease._read() == ("", "")


def test_a_listing_asks_once_for_all_runs_and_once_for_each_that_it_shows(store: S3Store, aws: Aws) -> None:
    for run_id in ("l1", "l2", "l3", "l4"):
        Ledger(store, run_id, "aws").append("run.started", pipeline="run_list")
    calls: list[str] = []
    aws.client("s3").meta.events.register(
        "before-call.s3", lambda model, **_: calls.append(model.name), unique_id="listing"
    )
    with store.lease("l4"):
        run_list = list_runs(store, 2, RunFilter(pipeline="run_list"), datetime.now(UTC))
        calls_of_listing = [name for name in calls if name in ("ListObjectsV2", "GetObject")]
    aws.client("s3").meta.events.unregister("before-call.s3", unique_id="listing")
    assert {run.run_id: run.outcome for run in run_list} == {"l4": "running", "l3": "unfinished"}
    assert calls_of_listing == ["ListObjectsV2", "GetObject", "GetObject"]
    (after,) = [run for run in store.stored_runs() if run.run_id == "l4"]
    assert not store.is_driven(after), "its lease was given back"
