"""Observers that hang, raise or cannot be started keep no event from the others, and the end of a run is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.ledger import Event
from etltctl.observers import Observation, Observer, observed
from etltctl.settings import load_settings

EVENTS: list[Event] = [{"seq": seq, "type": f"type.{seq}"} for seq in (1, 2, 3)]


class Recorder:
    """An observer that keeps the types of what it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_closed = False

    def see(self, events: Sequence[Event]) -> None:
        """Keep the type of the newest event."""
        self.seen.append(events[-1]["type"])

    def close(self) -> None:
        """Note the end."""
        self.is_closed = True


class Hanging(Recorder):
    """An observer that never returns."""

    def see(self, events: Sequence[Event]) -> None:
        """Wait for ever."""
        threading.Event().wait()


class Raising(Recorder):
    """An observer that always fails."""

    def see(self, events: Sequence[Event]) -> None:
        """Fail."""
        raise ZeroDivisionError(f"event {events[-1]['seq']}")


class FailingThenHanging(Recorder):
    """An observer that fails at the first event and never returns from the second."""

    def see(self, events: Sequence[Event]) -> None:
        """Fail, then wait for ever."""
        if len(events) > 1:
            threading.Event().wait()
        raise ZeroDivisionError("first")


def hang(_: Observation) -> Observer:
    """Never open."""
    threading.Event().wait()
    raise AssertionError


@pytest.fixture
def observation() -> Observation:
    return Observation("r", load_settings(env="local", environ={}), Aws(), lambda _: ((), ()))


def pass_all(observation: Observation, openers: list[tuple[str, Any]], longest: float = 0.5) -> None:
    with observed(observation, openers, longest) as observe:
        for count in range(1, len(EVENTS) + 1):
            observe(EVENTS[:count])


def test_one_observer_that_hangs_or_raises_keeps_no_event_from_another(
    observation: Observation, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    openers = [
        ("a", lambda _: Hanging()), ("b", lambda _: Raising()), ("c", hang), ("d", lambda _: 1 / 0),
        ("recorder", lambda _: recorder),
    ]  # fmt: skip
    pass_all(observation, openers)
    assert recorder.seen == [event["type"] for event in EVENTS]
    assert recorder.is_closed
    assert "not everything was sent to a, c within 0.5 s" in caplog.text
    assert caplog.text.count("b was not sent: event 1") == 1
    assert "d is off for this run: division by zero" in caplog.text


def test_all_observers_together_delay_the_end_by_no_more_than_the_limit(observation: Observation) -> None:
    began = time.monotonic()
    pass_all(observation, [(str(number), lambda _: Hanging()) for number in range(5)], longest=0.3)
    assert 0.3 <= time.monotonic() - began < 1.2


def test_an_observer_that_has_failed_is_not_reported_again_when_it_is_late(
    observation: Observation, caplog: pytest.LogCaptureFixture
) -> None:
    pass_all(observation, [("a", lambda _: FailingThenHanging())])
    assert [record.getMessage() for record in caplog.records] == ["a was not sent: first"]


def test_a_machine_without_a_free_thread_turns_observers_off_and_fails_no_run(
    observation: Observation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    recorder = Recorder()
    pass_all(observation, [("a", lambda _: recorder)])
    assert recorder.seen == []
    assert caplog.messages == ["a is off for this run: can't start new thread"]
