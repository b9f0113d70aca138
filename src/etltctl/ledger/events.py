"""The append-only event stream of every run (NDJSON), on disk or in S3: the record of what the console shows.

A run's file begins with `{"type": "version", "schema": "etltctl.events/1.0"}`; every further line is one event with
`ts` (UTC), `seq`, `run_id`, `step`, `env`, `type` and its own facts. A minor version adds fields or types, so readers
ignore what they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging import getLogger
from threading import Lock
from typing import Any

from etltctl.errors import AlreadyRunningError, EtltctlError, NextStep, UsageError, command
from etltctl.ledger.event_kinds import Event
from etltctl.ledger.facts import EVERY, wrong_fact
from etltctl.ledger.leases import IsLost
from etltctl.ledger.measures import driven_seconds, spent_usd_of
from etltctl.ledger.stores import Store, UnreadableRunError

SCHEMA = "etltctl.events/1.0"
VERSION_LINE = json.dumps({"type": "version", "schema": SCHEMA}) + "\n"

_WARNED: set[str] = set()

log = getLogger(__name__)


@dataclass
class Ledger:
    """The event stream of one run.

    `listen` is called with every event as it is written, and `observe` with all events so far, the new one last.
    `is_lost` returns whether another process drives the run now. From then on nothing is written, and so nothing done.
    """

    store: Store
    run_id: str
    env: str
    listen: Callable[[Event], None] | None = None
    is_lost: IsLost = lambda: False
    observe: Callable[[Sequence[Event]], None] | None = None
    _events: list[Event] = field(default_factory=list)
    _read: int = -1
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        """Read what earlier tries of the run wrote."""
        self._follow(self.store.read(self.run_id))

    def append(self, type_: str, step: str = "", **facts: Any) -> None:
        """Write one event, then pass it to the listener.

        Args:
            type_: The event's type.
            step: The step, `kind:name`; empty for an event of the whole run.
            facts: What the event says. `ts` replaces the event's own time.

        Raises:
            AlreadyRunningError: Another process took over the run.
            EtltctlError: The event could not be written.
        """
        if self.is_lost():
            raise AlreadyRunningError(
                f"run {self.run_id} was taken over by another process while this one slept or was cut off",
                hint=NextStep("follow it there: ", command("runs", "watch", self.run_id)),
                run=self.run_id,
            )
        event: Event = {}

        def compose(before: str) -> str:
            nonlocal event
            self._follow(before)
            event = {
                "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "seq": int(self._events[-1]["seq"]) + 1 if self._events else 1,
                "run_id": self.run_id,
                "step": step,
                "env": self.env,
                "type": type_,
                **facts,
            }
            # Facts may be dates or decimals of a service. As text they are still worth a line.
            line = json.dumps(event, default=str) + "\n"
            return line if before else VERSION_LINE + line

        with self._lock:
            # The store calls `compose` under its lock, and again after a conflict: the number follows what is
            # written by then.
            self.store.add(self.run_id, compose)
            self._events.append(event)
            events = tuple(self._events)
        # Before the listener, which may interrupt the run: an observer must not miss an event that is on record.
        if self.observe is not None:
            self.observe(events)
        self._notify(event)

    def catch_up(self) -> None:
        """Read what other processes have written since, if the store answers."""
        with self._lock, suppress(EtltctlError):
            self._follow(self.store.read(self.run_id))

    def _follow(self, text: str) -> None:
        """Take over what other processes have written: a run is cancelled from another process, for example."""
        # A stream only grows: the same length means that nothing was written since.
        if len(text) != self._read:
            self._events, self._read = _events_in(text, self.run_id, self.store.place(self.run_id)), len(text)

    def _notify(self, event: Event) -> None:
        if self.listen is None:
            return
        try:
            self.listen(event)
        except (
            OSError,
            ValueError,
        ):  # a closed terminal, or an encoding without a letter, must not fail the run
            self.listen = None

    def note(self, type_: str, step: str = "", **facts: Any) -> None:
        """Write an event that nothing depends on. If it cannot be written, the run goes on without it."""
        with suppress(EtltctlError):
            self.append(type_, step, **facts)

    def last(self, step: str, *types: str) -> Event | None:
        """Return the step's newest event of one of these types since its work was last started again."""
        return newest_event(self._events, step, *types)

    def generation(self, step: str) -> int:
        """Return how often the step's work was started fresh, whatever its result before."""
        return sum(
            e["type"] == "step.planned" and bool(e.get("fresh")) for e in self._events if e["step"] == step
        )

    def usd(self, step: str = "") -> float:
        """Return what the step's remote runs have cost so far, in US dollars; of the whole run without a step."""
        return spent_usd_of(self._events, step)

    def without_cost(self, step: str) -> list[str]:
        """Return the step's remote runs whose cost is not on record, in the order they were started."""
        return [remote_id for remote_id in self.remote_ids(step) if not self.has_cost(step, remote_id)]

    def remote_ids(self, step: str) -> list[str]:
        """Return the step's remote runs that were started or adopted, in that order."""
        events = [e for e in self._events if e["step"] == step and "remote_id" in e]
        return list(
            dict.fromkeys(e["remote_id"] for e in events if e["type"] in {"remote.started", "remote.adopted"})
        )

    def has_cost(self, step: str, remote_id: str) -> bool:
        """Return whether the cost of this remote run is on record."""
        billed = (e for e in self._events if e["type"] == "cost.actual" and e["step"] == step)
        return any(e.get("remote_id") == remote_id for e in billed)

    def was_fresh_for(self, step: str, name: str) -> bool:
        """Return whether the step's work was started fresh for this cause; False for an empty name."""
        return bool(name) and any(e["step"] == step and e.get("fresh_for") == name for e in self._events)

    @property
    def seconds(self) -> float:
        """How many seconds ago the run first began, by its first event."""
        first = datetime.fromisoformat(self._events[0]["ts"]) if self._events else datetime.now(UTC)
        return round((datetime.now(UTC) - first).total_seconds(), 2)

    @property
    def driven_seconds(self) -> float:
        """How long the run took so far, up to the end of its newest try."""
        return driven_seconds(self._events)

    @property
    def options(self) -> dict[str, Any]:
        """The options that the run was last started or resumed with; empty if an older etltctl recorded none."""
        recorded = (e["options"] for e in reversed(self._events) if isinstance(e.get("options"), dict))
        return dict(next(recorded, {}))

    @property
    def pipeline(self) -> str:
        """What the run was first started as; empty for a new one."""
        return next((e.get("pipeline", "") for e in self._events if e["type"] == "run.started"), "")


def newest_event(events: Sequence[Event], step: str, *types: str) -> Event | None:
    """Return the step's newest event of one of these types since its work was last started again.

    Args:
        events: The run's events, oldest first.
        step: The step, `kind:name`.
        types: The types of events.

    Returns:
        The event; None if there is none.
    """
    for event in reversed(events):
        if event["step"] != step:
            continue
        if event["type"] in types:
            return event
        # A result from before a fresh start does not count: the retry is to replace it.
        if event["type"] == "step.planned" and event.get("fresh"):
            return None
    return None


def read_events(store: Store, run_id: str) -> list[Event]:
    """Return the run's events, oldest first. A line that a crash cut off, or that is not an event, is left out.

    An event with facts that cannot be used, such as an invalid time, is left out with a warning in the log.
    """
    return _events_in(store.read(run_id), run_id, store.place(run_id))


def events_of_one(store: Store, run_id: str) -> list[Event]:
    """Return the events of one run among many, oldest first. A run that cannot be read must not hide the others.

    The events of a run that a later etltctl wrote are none here. A file that cannot be read is named in the log.
    """
    try:
        return read_events(store, run_id)
    except UnreadableRunError as error:
        _warn_of(error.message)
    except UsageError:
        pass  # `runs list` says that a later etltctl wrote it
    return []


def lost_events(events: Sequence[Event]) -> int:
    """Return how many events of a run are lost or damaged: numbers up to the highest that no event has.

    Args:
        events: The events of the run.
    """
    # Not by a range: a damaged file may hold a number that no memory could count up to.
    numbers = {event["seq"] for event in events if event["seq"] > 0}
    return max(numbers, default=0) - len(numbers)


def _events_in(text: str, run_id: str, place: str) -> list[Event]:
    events: list[Event] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a crash cut the line off
        if not isinstance(event, dict):
            continue
        if event.get("type") == "version":
            _refuse_newer(str(event.get("schema", "")), run_id)
        elif event.keys() >= EVERY:
            if fact := wrong_fact(event):
                wrong.append(f"{place}, line {number}, was left out: {fact} is not valid")
            else:
                events.append(event)
    if wrong:
        _warn_of(wrong[0], more=len(wrong) - 1)
    elif text.strip() and not events:
        _warn_of(f"{place} is damaged: no line of it is an event")
    return events


def _warn_of(text: str, more: int = 0) -> None:
    """Warn once per process: a stream is read again and again while a run goes on."""
    if text not in _WARNED:
        _WARNED.add(text)
        log.warning("%s%s", text, f"; so {'was' if more == 1 else 'were'} {more} more" if more else "")


def _refuse_newer(schema: str, run_id: str) -> None:
    if not schema.startswith("etltctl.events/1."):
        raise UsageError(
            f"run {run_id} was written with schema {schema}; this etltctl reads {SCHEMA}",
            hint="update etltctl to read it",
        )
