"""The append-only event stream of every run (NDJSON), on disk or in S3: what the console shows, kept.

A run's file begins with `{"type": "version", "schema": "etltctl.events/1.0"}`; every further line is one event with
`ts` (UTC), `seq`, `run_id`, `step`, `env`, `type` and its own facts. A minor version adds fields or types, so readers
ignore what they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from etltctl.errors import EtltctlError, UsageError
from etltctl.ledger.stores import Store

SCHEMA = "etltctl.events/1.0"
VERSION_LINE = json.dumps({"type": "version", "schema": SCHEMA}) + "\n"

Event = Mapping[str, Any]


@dataclass
class Ledger:
    """The event stream of one run; `listen` hears every event as it is written."""

    store: Store
    run_id: str
    env: str
    listen: Callable[[Event], None] | None = None
    _events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Reads what earlier tries of the run wrote."""
        self._events = read_events(self.store, self.run_id)

    def append(self, type_: str, step: str = "", **facts: Any) -> None:
        """Writes one event, then tells the listener."""
        event = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seq": len(self._events) + 1,
            "run_id": self.run_id,
            "step": step,
            "env": self.env,
            "type": type_,
            **facts,
        }
        line = json.dumps(event, default=str) + "\n"
        self.store.append(self.run_id, line if self._events else VERSION_LINE + line)
        self._events.append(event)
        if self.listen:
            try:
                self.listen(event)
            except (
                OSError,
                ValueError,
            ):  # a closed terminal, an encoding without the letter: no reason to fail
                self.listen = None

    def note(self, type_: str, step: str = "", **facts: Any) -> None:
        """Writes an event nothing depends on: where it cannot be kept, the run goes on without it."""
        with suppress(EtltctlError):
            self.append(type_, step, **facts)

    def last(self, step: str, *types: str) -> Event | None:
        """The step's newest event of one of these types, since it was last begun afresh."""
        for event in reversed(self._events):
            if event["step"] != step:
                continue
            if event["type"] in types:
                return event
            if event["type"] == "step.planned" and event.get("fresh"):
                return None
        return None

    def generation(self, step: str) -> int:
        """How often the step was begun afresh, whatever had come of it before."""
        return sum(
            e["type"] == "step.planned" and bool(e.get("fresh")) for e in self._events if e["step"] == step
        )

    def was_fresh_for(self, step: str, name: str) -> bool:
        """Whether the step was begun afresh for what the name stands for; never for no name."""
        return bool(name) and any(e["step"] == step and e.get("fresh_for") == name for e in self._events)

    @property
    def seconds(self) -> float:
        """How long ago the run first began, by its own events."""
        first = datetime.fromisoformat(self._events[0]["ts"]) if self._events else datetime.now(UTC)
        return round((datetime.now(UTC) - first).total_seconds(), 2)

    @property
    def pipeline(self) -> str:
        """What the run was first started as; empty for a new one."""
        return next((e["pipeline"] for e in self._events if e["type"] == "run.started"), "")


def read_events(store: Store, run_id: str) -> list[Event]:
    """The run's events, oldest first; a last line cut off by a crash is left out."""
    events = []
    for line in store.read(run_id).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("type") == "version":
            _refuse_newer(event.get("schema", ""), run_id)
        else:
            events.append(event)
    return events


def _refuse_newer(schema: str, run_id: str) -> None:
    if not schema.startswith("etltctl.events/1."):
        raise UsageError(
            f"run {run_id} was written with schema {schema}; this etltctl reads {SCHEMA}",
            hint="update etltctl to read it",
        )
