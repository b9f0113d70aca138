"""Leases in S3: one driver a run, and a dead one's lease is taken over."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import AlreadyRunningError
from etltctl.ledger.leases import LeaseObject, _owner
from etltctl.waiting import Waiter
from support.served import Served


@dataclass
class Place:
    """A bucket for leases, and a clock that only sleeping moves."""

    aws: Aws
    now: float = 0.0

    def lease(self, meanwhile: Any = None) -> LeaseObject:
        def sleep(seconds: float) -> None:
            self.now += seconds
            if meanwhile:
                meanwhile()

        watch = Waiter(timeout=60.0, longest=5.0, clock=lambda: self.now, sleep=sleep)
        return LeaseObject(self.aws, "leases", "runs/r1.lock", "r1", watch)


@pytest.fixture
def place(server: Served, aws: Aws) -> Place:
    assert server.request("POST", "stack", {"buckets": ["leases"]})[0] == 200
    aws.client("s3").delete_object(Bucket="leases", Key="runs/r1.lock")  # left by the test before
    return Place(aws)


def test_a_lease_ends_with_its_block(place: Place) -> None:
    for _ in range(2):
        with place.lease().held():
            pass
    assert place.now == 0.0


def test_a_renewed_lease_belongs_to_another_owner(place: Place) -> None:
    owner = place.lease()
    etag = owner._take()
    with pytest.raises(AlreadyRunningError, match="driven by process"):
        place.lease(meanwhile=lambda: owner._put(_owner(), IfMatch=etag))._take()
    assert place.now < 60.0


def test_a_dead_owner_s_lease_is_taken_over(place: Place) -> None:
    place.lease()._take()
    with place.lease().held():
        assert place.now >= 60.0


def test_only_one_of_two_processes_can_take_over(place: Place) -> None:
    place.lease()._take()
    late = place.lease()
    lease, _ = late._read()
    assert place.lease()._take()
    assert late._put(_owner(), IfMatch=lease) == ""


def test_the_lease_of_an_ended_process_is_taken_over_at_once(place: Place) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left = {**json.loads(_owner()), "pid": process.pid}
    assert place.lease()._put(json.dumps(left), IfNoneMatch="*")
    with place.lease().held():
        assert place.now == 0.0


def test_a_lease_that_was_taken_over_is_not_ended_by_its_first_owner(place: Place) -> None:
    with place.lease().held():
        lease, _ = place.lease()._read()
        taken_over = place.lease()._put(_owner(), IfMatch=lease)
    assert place.lease()._read()[0] == taken_over


def test_a_lost_answer_is_not_a_conflict_with_oneself(place: Place, server: Served) -> None:
    assert server.request("POST", "faults", [{"call": "PUT *", "lose": True}])[0] == 200
    with place.lease().held():
        assert place.now == 0.0
    assert server.request("GET", "faults")[1][0]["met"] == 1
