"""The stretches of a run's time: the tries of its steps, and their remote runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from etltctl.ledger import REMOTE_KNOWN, Event
from etltctl.runs import Outcome


@dataclass(frozen=True)
class Span:
    """A stretch of the run's time: one try of a step, or one remote run of it.

    Attributes:
        is_timed: Whether its end is on record, so that its time is known.
    """

    step: str
    began: datetime
    ended: datetime
    outcome: str
    service: str = ""
    remote_id: str = ""
    verb: str = ""
    is_timed: bool = True

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max((self.ended - self.began).total_seconds(), 0.0)


def tries_of(name: str, own: Sequence[Event]) -> Iterator[Span]:
    """Yield each try of a step. One without an end on record lasts until the step's last event."""
    began: datetime | None = None
    last: datetime | None = None
    for event in own:
        at = datetime.fromisoformat(event["ts"])
        if event["type"] == "step.planned" and began is not None:
            yield Span(name, began, last or at, Outcome.UNFINISHED)
            began = None
        began, last = began or at, at
        if event["type"] == "step.finished":
            yield Span(name, began, at, str(event.get("outcome") or Outcome.UNFINISHED))
            began = None
    if began is not None and last is not None:
        yield Span(name, began, last, Outcome.UNFINISHED)


def remote_runs_of(name: str, own: Sequence[Event]) -> Iterator[Span]:
    """Yield each remote run of a step, from the event that names it to the last one that does."""
    ids = dict.fromkeys(str(e["remote_id"]) for e in own if e["type"] in REMOTE_KNOWN and e.get("remote_id"))
    for remote_id in ids:
        events = [event for event in own if str(event.get("remote_id")) == remote_id]
        opened = next(event for event in events if event["type"] in REMOTE_KNOWN)
        # A cost is billed, and the step finished, after the remote run has ended.
        # A later try that reuses its result says nothing of the time that it took.
        lived = [
            opened,
            *(e for e in events if e["type"] in ("step.progress", "remote.adopted") and e is not opened),
        ]
        state = next((str(e["state"]) for e in reversed(lived) if e.get("state")), "")
        yield Span(
            step=name,
            began=datetime.fromisoformat(opened["ts"]),
            ended=datetime.fromisoformat(lived[-1]["ts"]),
            outcome=state,
            service=str(opened.get("service", "")),
            remote_id=remote_id,
            verb=opened["type"].removeprefix("remote."),
            is_timed=len(lived) > 1,
        )
