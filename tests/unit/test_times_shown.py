"""Times on the screen: one zone, so that lines of a job, of the server and of etltctl can be put in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from etltctl.tabulating import cell_text, hour_text, time_text


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_shown_in_utc_wherever_the_reader_is() -> None:
    at = "2026-11-23T03:01:44.5+02:00"
    assert time_text(at) == "2026-11-23T01:01:44Z"
    assert hour_text(at) == "01:01:44Z"
    assert cell_text(datetime.fromisoformat(at)) == "2026-11-23T01:01:44Z"


def test_a_time_without_a_zone_is_data_and_stays_as_it_is() -> None:
    at = datetime.fromisoformat("2026-11-23T03:01:44")
    assert (time_text(at), hour_text(at)) == ("2026-11-23 03:01:44", "03:01:44")
