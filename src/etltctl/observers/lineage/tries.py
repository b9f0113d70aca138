"""The tries of a run and of its steps, from the run's events. Each try is one OpenLineage run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etltctl.ledger import Event


class Change(StrEnum):
    """What becomes of a try, in OpenLineage's words."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


# A detached step goes on without this try: the try that adopts its remote run is another OpenLineage run.
BY_OUTCOME = {"succeeded": Change.COMPLETE, "failed": Change.FAIL, "unverified": Change.FAIL}


@dataclass(frozen=True)
class Try:
    """One try of a run or of a step.

    Attributes:
        step: The step, `kind:name`; empty for the run itself.
        number: The tries are counted from 1.
        run_number: The number of the run's try that it belongs to; the same as `number` for the run itself.
    """

    step: str
    number: int
    run_number: int


@dataclass(frozen=True)
class Transition:
    """The start or the end of a try.

    Attributes:
        change: What becomes of the try.
        of: The try.
        at: The event that says so.
        events: The events of the step within the try up to that event; for the run itself, those of no step.
    """

    change: Change
    of: Try
    at: Event
    events: Sequence[Event]

    def newest(self, *types: str) -> Event | None:
        """Return the newest event of the try with one of these types."""
        return next((event for event in reversed(self.events) if event["type"] in types), None)

    @property
    def end(self) -> dict[str, Any]:
        """The event that ends the try, if it is the try's own; a try that was given up has no facts."""
        is_own = self.change is not Change.START and self.at["step"] == self.of.step
        return dict(self.at) if is_own and self.at["type"] in ("step.finished", "run.finished") else {}


def transitions(events: Sequence[Event]) -> Iterator[Transition]:
    """Yield the starts and ends of all tries, in the order of the events.

    A step is tried again with each `step.planned`. A run is tried again with `run.started`, and with the first
    `step.planned` after its end: Airflow resumes a run without a new `run.started`. A try that is still open when the
    next begins was killed, and is aborted.

    Args:
        events: All events of a run, oldest first.
    """
    tries = _Tries()
    for place in range(len(events)):
        yield from tries.changed_by(events, place)


class _Tries:
    """The tries that are open, and how many there were."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._open: dict[str, tuple[Try, int]] = {}  # by step: the try, and the place of its first event

    def changed_by(self, events: Sequence[Event], place: int) -> Iterator[Transition]:
        """Yield what the event at a place of the events changes."""
        event = events[place]
        kind, step = event["type"], event["step"]
        change = BY_OUTCOME.get(str(event.get("outcome")), Change.ABORT)
        if kind == "run.started" or (kind == "step.planned" and "" not in self._open):
            yield from self._close_run(events, place, Change.ABORT)
            yield self._begin("", event, place)
        if kind == "step.planned":
            yield from self._close(step, events, place, Change.ABORT)
            yield self._begin(step, event, place)
        elif kind == "step.finished":
            yield from self._close(step, events, place, change)
        elif kind == "run.finished":
            yield from self._close_run(events, place, change)

    def _begin(self, step: str, event: Event, place: int) -> Transition:
        number = self._counts[step] = self._counts.get(step, 0) + 1
        opened = Try(step, number, self._counts.get("", 1))
        self._open[step] = (opened, place)
        return Transition(Change.START, opened, event, [event])

    def _close_run(self, events: Sequence[Event], place: int, change: Change) -> Iterator[Transition]:
        # The steps first: a step that is still open has no end on record, whatever became of the run.
        for step in [step for step in self._open if step]:
            yield from self._close(step, events, place, Change.ABORT)
        yield from self._close("", events, place, change)

    def _close(self, step: str, events: Sequence[Event], place: int, change: Change) -> Iterator[Transition]:
        if step in self._open:
            ended, first = self._open.pop(step)
            own = [event for event in events[first : place + 1] if event["step"] == step]
            yield Transition(change, ended, events[place], own)
