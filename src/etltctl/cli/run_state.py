"""What is known of a run under way: its steps and their clocks, their likely ends, and what they moved so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from etltctl.ledger import REMOTE_KNOWN
from etltctl.moments import clock_text
from etltctl.runs import State
from etltctl.values import is_billed

if TYPE_CHECKING:
    from etltctl.runs import Run

Event = Mapping[str, Any]

TO_COME, STARTING, DONE, REUSED = "to come", "starting", "done", "reused"
LONGEST_ID = 16  # characters of an id on a line of the screen
STAGE = "stage"  # the first word of how far Spark has got
SMALLEST_USD = 0.005  # a smaller amount would be printed as 0.00
REMOTE_EVENTS = REMOTE_KNOWN | {"step.progress"}


@dataclass
class StepState:
    """One step of the run; times are readings of the run's clock, in seconds.

    Attributes:
        status: `to come`, `starting`, the service's own word, `done`, `reused`, or how the step failed.
        amount: The rows and bytes that it moved so far, or the stage of Spark that it works on.
        usual: How long it usually takes, in seconds; None if no earlier run is on record.
    """

    title: str
    status: str = TO_COME
    remote_id: str = ""
    amount: str = ""
    usual: float | None = None
    began: float | None = None
    ended: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has started and not ended."""
        return self.began is not None and self.ended is None

    def seconds(self, now: float) -> float | None:
        """Return how long it has run, or ran; None before its start."""
        return (
            None if self.began is None else max((now if self.ended is None else self.ended) - self.began, 0.0)
        )

    def left(self, now: float) -> float | None:
        """Return how many seconds it usually takes from here on; None if that is unknown or exceeded."""
        if self.ended is not None:
            return 0.0
        left = None if self.usual is None else self.usual - (self.seconds(now) or 0.0)
        return left if left is not None and left > 0 else None

    def expectation(self, now: float) -> str:
        """Return when it is likely to end: the time left, or the usual time if that has passed."""
        if not self.is_running or self.usual is None:
            return ""
        left = self.left(now)
        return f"~{clock_text(left)} left" if left is not None else f"usual {clock_text(self.usual)}"


@dataclass
class RunState:
    """A run as its events and the polls of its remote runs report it.

    Attributes:
        name: The run's pipeline, or what else is run.
        durations: How long earlier runs took, by step, in seconds.
        clock: A clock in seconds.
    """

    name: str
    durations: Mapping[str, Sequence[float]] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    run_id: str = ""
    steps: dict[str, StepState] = field(default_factory=dict)
    began: float | None = None
    _usd: dict[str, float] = field(
        default_factory=dict
    )  # by remote run, so that a bill replaces its estimate

    @property
    def usd(self) -> float:
        """What the run has cost so far, in US dollars."""
        # Copied: the thread that draws reads this while the run adds to it.
        return sum(list(self._usd.values()))

    @property
    def running(self) -> StepState | None:
        """The step that runs."""
        return next((step for step in list(self.steps.values()) if step.is_running), None)

    def left(self, now: float) -> float | None:
        """Return how many seconds the run usually takes from here on; None if that is unknown of a step."""
        each = [step.left(now) for step in list(self.steps.values())]
        known = [left for left in each if left is not None]
        return sum(known) if known and len(known) == len(each) else None

    def apply(self, event: Event, age: float = 0.0) -> None:
        """Follow an event.

        Args:
            event: The event as the ledger has it. A fact that is missing changes nothing.
            age: How many seconds ago it was written.
        """
        at = self.clock() - age
        name, kind = str(event.get("step", "")), event["type"]
        if kind == "run.started":
            self.run_id = str(event.get("run_id", ""))
            self.began = at if self.began is None else self.began
            for step in event.get("steps") or ():
                self._step(str(step))
        elif kind == "step.planned":
            step = self._step(name)
            step.began, step.ended, step.status = at, None, STARTING
            step.amount = step.remote_id = ""  # what an earlier try moved is not moved again yet
        elif kind in REMOTE_EVENTS:
            step = self._step(name)
            step.began = at if step.began is None else step.began
            step.status, step.remote_id = str(event.get("state", "")), str(event.get("remote_id", ""))
        elif kind == "cost.actual":
            self._pay(str(event.get("remote_id", "")), event.get("usd", 0.0), str(event.get("env", "")))
        elif kind == "step.finished":
            self._finish(self._step(name), event, at)

    def poll(self, name: str, run: Run, usd: float, env: str) -> None:
        """Follow a poll of a step's remote run.

        Args:
            name: The step, `kind:name`.
            run: The remote run.
            usd: What it has cost so far, in US dollars.
            env: The environment.
        """
        step = self._step(name)
        self._pay(run.id, usd, env)
        if step.ended is not None:
            return  # its end, which another process recorded, came before the answer to this poll
        step.status, step.remote_id = run.status, run.id
        amount = progress_text(run) or step.amount
        # The tables of a job that has ended are published now, and no task of Spark is left.
        step.amount = "" if run.state is not State.RUNNING and amount.startswith(STAGE) else amount

    def replay(self, events: Iterable[Event]) -> None:
        """Follow events that were written before, by their times."""
        now = datetime.now(UTC)
        for event in events:
            self.apply(event, max((now - datetime.fromisoformat(str(event["ts"]))).total_seconds(), 0.0))

    def line(self) -> str:
        """Return the running step in one line, for a log; empty if no step runs."""
        step, now = self.running, self.clock()
        if step is None:
            return ""
        cost = f"{self.usd:.2f} USD so far" if self.usd >= SMALLEST_USD else ""
        facts = (step.amount, step.expectation(now), cost)
        for_ = clock_text(step.seconds(now) or 0.0)
        line = f"{step.title} {step.status} {shortened(step.remote_id)}".rstrip() + f" for {for_}"
        return ", ".join((line, *filter(None, facts)))

    def _finish(self, step: StepState, event: Event, at: float) -> None:
        outcome = str(event.get("outcome", ""))
        is_reused = event.get("verb") == "reused"
        step.status = (REUSED if is_reused else DONE) if outcome == "succeeded" else outcome
        step.began = at - float(event.get("seconds") or 0.0) if step.began is None else step.began
        step.ended = at
        moved = amount_text(event.get("rows"), None)
        if event.get("incremental"):
            # Also of none: a sync without news must not look like a step that does not count.
            moved = f"{event.get('rows') or 0:,} new rows"
        # A stage says where a step stands, which no longer matters of one that has ended.
        step.amount = moved or ("" if step.amount.startswith(STAGE) else step.amount)

    def _pay(self, remote_id: str, usd: float, env: str) -> None:
        # The embedded services bill nothing, although a budget counts their work as if they did.
        if is_billed(env) and (usd or remote_id in self._usd):
            self._usd[remote_id] = usd

    def _step(self, name: str) -> StepState:
        from etltctl.pipeline import title_of

        if name not in self.steps:
            earlier = self.durations.get(name)
            self.steps[name] = StepState(title_of(name), usual=median(earlier) if earlier else None)
        return self.steps[name]


def progress_text(run: Run) -> str:
    """Return what a live run has done so far, as its service reports it; empty if that reports nothing.

    Args:
        run: The remote run, as a poll reported it.
    """
    if stage := getattr(run, "stage", None):
        # Spark plans its stages while the job runs, so that no one knows their number before the end.
        return f"{STAGE} {stage.number}, {stage.done:,} of {stage.tasks:,} tasks"
    if moved := amount_text(getattr(run, "rows", None), getattr(run, "bytes", None)):
        return moved
    if note := getattr(run, "note", ""):
        return str(note)
    scanned = getattr(run, "scanned_bytes", 0)
    return f"{_size_text(scanned)} scanned" if scanned else ""


def amount_text(rows: int | None, size: int | None) -> str:
    """Return rows and bytes for the screen; empty if nothing has moved yet."""
    return " ".join(([f"{rows:,} rows"] if rows else []) + ([_size_text(size)] if size else []))


def _size_text(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def shortened(text: str, longest: int = LONGEST_ID) -> str:
    """Return the two ends of an id, so that it stays on one line with what stands next to it."""
    return text if len(text) <= longest else f"{text[:7]}…{text[-4:]}"


def facts_line(event: Mapping[str, Any]) -> str:
    """Return the facts of an event on one line; of published tables their names, and no price of unbilled work.

    Args:
        event: The event as the ledger has it.
    """
    # They stand in separate columns, are the same in every event of the run, or are what `why` shows.
    common = {"ts", "seq", "run_id", "step", "env", "type", "evidence", "excerpt"}
    if event["type"] != "publish.switched":
        common.add("tables")
    facts = {name: value for name, value in event.items() if name not in common}
    if not is_billed(str(event.get("env", ""))):
        facts.pop("usd", None)  # a budget counts the work of this machine, which costs nothing
    return " ".join(
        f"{name}={_fact(name, value)}" for name, value in facts.items() if value not in ("", [], {}, None)
    )


def _fact(name: str, value: object) -> str:
    if name == "usd":
        return f"{value:.6f}"
    if isinstance(value, dict) and name != "tables":
        return ",".join(f"{key}:{_fact(key, each)}" for key, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | dict) else str(value)
