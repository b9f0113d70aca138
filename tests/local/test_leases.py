"""Leases in S3: one driver a run, and a dead one's lease is taken over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from served import Served

from etltctl.aws import Aws
from etltctl.errors import AlreadyRunningError
from etltctl.ledger.leases import LeaseObject
from etltctl.waiting import Waiter


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
    return Place(aws)


def test_a_lease_ends_with_its_block(place: Place) -> None:
    for _ in range(2):
        with place.lease().held():
            pass
    assert place.now == 0.0


def test_a_lease_that_is_renewed_belongs_to_somebody_else(place: Place) -> None:
    owner = place.lease()
    etag = owner._take()
    with pytest.raises(AlreadyRunningError, match="driven by process"):
        place.lease(meanwhile=lambda: owner._put(IfMatch=etag))._take()
    assert place.now < 60.0


def test_a_dead_owner_s_lease_is_taken_over(place: Place) -> None:
    place.lease()._take()
    with place.lease().held():
        assert place.now >= 60.0


def test_of_two_who_take_over_one_wins(place: Place) -> None:
    place.lease()._take()
    late = place.lease()
    found, _ = late._read()
    assert place.lease()._take()
    assert late._put(IfMatch=found) == ""
