"""Each run in one line: how it ended, or whether a process still drives it; and the listing of many runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from etltctl.atomic_files import write_atomically
from etltctl.errors import UsageError
from etltctl.ledger import Event, Store, StoredRun, UnreadableRunError, driven_seconds, read_events
from etltctl.moments import moment_of
from etltctl.runs import JobRun, Outcome, QueryExecution, RefreshJob, State, SyncJob

MOST_READ = 200  # streams that one listing reads where no summaries are kept: each costs a request
WORTH_KEEPING = 20  # new summaries: fewer are made faster than the file of them is written
FORMAT = 1  # of the file of summaries; with another number it is made again
LATER, UNREADABLE = "written by a later etltctl", "unreadable"
POLLED = frozenset({"remote.started", "remote.adopted", "step.progress"})
FINAL = frozenset(
    status
    for kind in (SyncJob, JobRun, QueryExecution, RefreshJob)
    for status, meaning in kind.states.items()
    if meaning is not State.RUNNING
)


@dataclass(frozen=True)
class RunSummary:
    """A run in one line.

    Attributes:
        outcome: A word of `Outcome`, as the record has it; a later etltctl may have written another.
        seconds: How long it was driven, as `driven_seconds` counts it; None if it has not ended.
        stopped_at: The step at which it stopped; empty if none failed.
    """

    run_id: str
    pipeline: str
    started: str
    outcome: str
    seconds: float | None
    stopped_at: str


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list.

    Attributes:
        outcomes: Their outcomes; any if it is empty.
        pipeline: Their pipeline; any if it is empty.
        since: The earliest start: `12h`, `2d` before now or a date; any if it is empty.
        until: The latest start, in the same way.
    """

    outcomes: Sequence[str] = ()
    pipeline: str = ""
    since: str = ""
    until: str = ""

    @property
    def has_filter(self) -> bool:
        """Whether a run may be left out."""
        return bool(self.outcomes or self.pipeline or self.since or self.until)

    def span(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Return the earliest and the latest start; None for any.

        Args:
            now: The present time.

        Raises:
            UsageError: One of them is not a valid time.
        """
        since = moment_of(self.since, now, "since") if self.since else None
        return since, moment_of(self.until, now, "until") if self.until else None


@dataclass(frozen=True)
class RunList:
    """The runs of a listing.

    Attributes:
        runs: The runs, newest first.
        unread: How many older runs were not read, because each costs a request.
    """

    runs: tuple[RunSummary, ...]
    unread: int = 0

    def __iter__(self) -> Iterator[RunSummary]:
        """Return the runs, newest first."""
        return iter(self.runs)


def list_runs(store: Store, limit: int, run_filter: RunFilter, now: datetime) -> RunList:
    """Return the runs written to last, newest first.

    Args:
        store: Where the runs are kept.
        limit: How many runs at most.
        run_filter: Which runs.
        now: The present time.

    Raises:
        UsageError: A time of `run_filter` is not valid.
    """
    since, until = run_filter.span(now)
    # A short listing reads its streams sooner than the file of all summaries.
    summaries = _Summaries(store, is_long=limit > WORTH_KEEPING or run_filter.has_filter)
    chosen: list[RunSummary] = []
    stored = store.stored_runs()
    for position, run in reversed(list(enumerate(stored))):
        # A run starts before it is written to last, so none of the older ones started since then.
        is_older = since is not None and run.written < since.timestamp() - 1
        if is_older or len(chosen) == limit:
            break
        if summaries.read == MOST_READ and store.index is None:
            return RunList(_newest_first(chosen), unread=position + 1)
        summary = summaries.of(run)
        if summary is not None and passes(summary, run_filter, since, until):
            chosen.append(summary)
    summaries.keep(stored)
    return RunList(_newest_first(chosen))


def summary_of(events: Sequence[Event]) -> RunSummary:
    """Return a run in one line, by its events alone.

    Args:
        events: The run's events, oldest first; at least one.
    """
    first = events[0]
    last = next((event for event in reversed(events) if event["type"] == "run.finished"), None)
    failed = [e for e in events if e["type"] == "step.finished" and e.get("outcome") != "succeeded"]
    # A run that was resumed has events after its end, and is under way again.
    is_over = last is not None and last is events[-1]
    return RunSummary(
        run_id=first["run_id"],
        pipeline=first.get("pipeline", ""),
        started=first["ts"],
        outcome=str(last.get("outcome") or Outcome.UNFINISHED) if last and is_over else Outcome.UNFINISHED,
        seconds=driven_seconds(events) if is_over else None,
        stopped_at=failed[-1]["step"] if failed and not (last and last.get("outcome") == "succeeded") else "",
    )


def _standing(events: Sequence[Event]) -> Outcome:
    """Return how a run stands whose end is not on record, if no process drives it."""
    live: dict[str, bool] = {}
    for event in events:
        if event["type"] in POLLED:
            live[event["step"]] = event.get("state") not in FINAL
        elif event["type"] in {"step.finished", "remote.stopped"}:
            live[event["step"]] = False
    return Outcome.UNATTENDED if any(live.values()) else Outcome.UNFINISHED


def passes(
    summary: RunSummary, run_filter: RunFilter, since: datetime | None, until: datetime | None
) -> bool:
    """Return whether a run is one of those that the filter leaves.

    Args:
        summary: The run.
        run_filter: Which runs.
        since: The earliest start that the filter means; None for any.
        until: The latest start.
    """
    if run_filter.outcomes and summary.outcome not in run_filter.outcomes:
        return False
    if run_filter.pipeline and summary.pipeline != run_filter.pipeline:
        return False
    if since is None and until is None:
        return True
    if not summary.started:
        return False
    started = datetime.fromisoformat(summary.started)
    return (since is None or started >= since) and (until is None or started <= until)


def _newest_first(runs: Sequence[RunSummary]) -> tuple[RunSummary, ...]:
    # Runs come by their last event; the start on record orders them, also those with ids of other makers.
    return tuple(sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True))


@dataclass
class _Summaries:
    """Summaries of runs: those that were kept, and those that are made from the streams."""

    store: Store
    is_long: bool
    read: int = 0  # streams that were read
    _kept: dict[str, list[Any]] = field(
        default_factory=dict
    )  # of each run its version and its summary's fields

    def __post_init__(self) -> None:
        self._kept = _kept_in(self.store.index) if self.store.index and self.is_long else {}

    def of(self, run: StoredRun) -> RunSummary | None:
        """Return the run in one line; None if it has no event yet. A run that cannot be read hides no other."""
        summary = self._kept_of(run)
        if summary is None:
            self.read += 1
            try:
                events = read_events(self.store, run.run_id)
            except UsageError:
                return RunSummary(run.run_id, "", "", LATER, None, "")
            except UnreadableRunError:
                return RunSummary(run.run_id, "", "", UNREADABLE, None, "")
            if not events:
                return None
            summary = summary_of(events)
            if summary.outcome == Outcome.UNFINISHED:
                summary = replace(summary, outcome=_standing(events))
            self._kept[run.run_id] = [run.version, *asdict(summary).values()]
        # Never kept: a process may end without another event.
        is_open = summary.outcome in (Outcome.UNATTENDED, Outcome.UNFINISHED)
        return replace(summary, outcome=Outcome.RUNNING) if is_open and self.store.is_driven(run) else summary

    def keep(self, stored: Sequence[StoredRun]) -> None:
        """Write the summaries for the next listing, if that saves it work."""
        file = self.store.index
        if file is None or not self.is_long or self.read < WORTH_KEEPING:
            return
        there = {run.run_id for run in stored}
        runs = {run_id: kept for run_id, kept in self._kept.items() if run_id in there}
        with suppress(
            OSError
        ):  # a folder that this user may only read: the next listing reads the streams again
            write_atomically(file, json.dumps({"format": FORMAT, "runs": runs}))

    def _kept_of(self, run: StoredRun) -> RunSummary | None:
        match self._kept.get(run.run_id):
            case [run.version, str(), str(), str(started), str(), None | int() | float(), str()] as kept:
                # A time that a damaged file has is no more valid than one of a damaged stream.
                with suppress(ValueError):
                    if datetime.fromisoformat(started).tzinfo is not None:
                        return RunSummary(*kept[1:])
        return None


def _kept_in(file: Path) -> dict[str, list[Any]]:
    """Return what is kept in a file; nothing if it is damaged, because it can always be made again."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    is_known = isinstance(document, dict) and document.get("format") == FORMAT
    return document["runs"] if is_known and isinstance(document.get("runs"), dict) else {}
