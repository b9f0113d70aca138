"""The runs before a failed one: what readers see of its tables, and how it compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from etltctl.explanation.model import TableState
from etltctl.ledger import Event, is_publish, spent_usd_of
from etltctl.moments import duration_text
from etltctl.tabulating import money_text

COMPARED = 10  # runs of the same pipeline
DIFFERS = 1.5  # times the median, or a fraction of it, from which a figure is worth a sentence


@dataclass
class EarlierRuns:
    """What the runs before a failed one did, as far as it explains the failure.

    Attributes:
        pipeline: The pipeline of the failed run.
        before: The time until which the runs began, in UTC.
        run_id: The id of the failed run, which is not compared with itself.
    """

    pipeline: str
    before: str
    run_id: str
    tables: dict[str, TableState] = field(default_factory=dict)
    tables_of: dict[str, dict[str, None]] = field(default_factory=dict)  # by step, in their order
    runs: list[Sequence[Event]] = field(default_factory=list)

    def add(self, events: Sequence[Event]) -> None:
        """Add a run. The order of the calls does not matter."""
        self._note_publishes(events)
        # Not by time alone: two runs may begin within one millisecond.
        is_older = events[0]["ts"] <= self.before and events[0]["run_id"] != self.run_id
        of_pipeline = any(e.get("pipeline") == self.pipeline for e in events if e["type"] == "run.started")
        if is_older and of_pipeline:
            self.runs.append(events)

    def _note_publishes(self, events: Sequence[Event]) -> None:
        for event in events:
            if not is_publish(event):
                continue
            self.tables_of.setdefault(event["step"], {}).update(dict.fromkeys(event["tables"]))
            for table, facts in event["tables"].items():
                rows = facts.get("rows")
                # A rollback names the version that it made current again, any other publish made that of its run.
                run_id = str(event.get("version") or event["run_id"])
                state = TableState(table, run_id, event["ts"], rows if isinstance(rows, int) else None)
                if table not in self.tables or self.tables[table].since < state.since:
                    self.tables[table] = state

    def states(self, steps: Sequence[str]) -> tuple[TableState, ...]:
        """Return what readers see of the tables that these steps publish, as far as a publish is on record."""
        tables = {table: None for step in steps for table in self.tables_of.get(step, ())}
        return tuple(self.tables[table] for table in tables)

    def newest(self, step: str = "") -> list[Sequence[Event]]:
        """Return the runs to compare with, the newest first.

        Args:
            step: The step that they have; any if it is empty. A run of other steps says nothing of this one.
        """
        runs = [run for run in self.runs if not step or any(event["step"] == step for event in run)]
        return sorted(runs, key=lambda events: events[0]["ts"], reverse=True)[:COMPARED]

    def step_usd(self, step: str) -> float | None:
        """Return the median of what the step cost in a run; None if no cost is on record."""
        sums = [spent_usd_of(events, step) for events in self.newest(step)]
        billed = [usd for usd in sums if usd]
        return round(median(billed), 4) if billed else None

    def comparison(
        self, events: Sequence[Event], step: str, seconds: float | None, code: str
    ) -> Iterator[str]:
        """Yield a sentence for duration, rows, cost and cause of the failed run next to those before.

        Args:
            events: The events of the failed run.
            step: The step that failed.
            seconds: How long it ran.
            code: The code of the cause.
        """
        runs = self.newest(step)
        if not runs:
            of = f"with {step}" if step and self.runs else f"of {self.pipeline or 'this kind'}"
            yield f"no earlier run {of} is on record to compare with"
        # Each sentence counts the runs that it compares with: not every run got as far.
        took = [e["seconds"] for run in runs for e in _ended_well(run, step) if e.get("seconds")]
        if seconds and took:
            usual = f"in {_named(len(took))} it took {duration_text(median(took))}"
            yield f"{step} failed after {duration_text(seconds)}; {usual}"
        yield from self._rows(events)
        costs = [usd for run in runs if (usd := spent_usd_of(run))]
        if costs and (spent := spent_usd_of(events)):
            yield f"the run cost {money_text(spent)} so far; {_named(len(costs))} cost {money_text(median(costs))}"
        if same := sum(any(event.get("cause") == code for event in run) for run in runs):
            times = f"{same} of {_named(len(runs))}" if len(runs) > 1 else _named(1)
            yield f"{times} failed for the same cause, {code}"

    def _rows(self, events: Sequence[Event]) -> Iterator[str]:
        for step, rows in _rows_of(events).items():
            usual = [count for run in self.newest(step) if (count := _rows_of(run).get(step))]
            if not usual or not rows:
                continue
            ratio = rows / median(usual)
            change = f", {ratio:.1f}x" if ratio >= DIFFERS or ratio <= 1 / DIFFERS else ", about"
            yield f"{step} brought {rows:,} rows{change} the {median(usual):,.0f} of {_named(len(usual))}"


def _named(number: int) -> str:
    return f"the last {number} runs" if number > 1 else "the run before"


def _ended_well(events: Sequence[Event], step: str) -> Iterator[Event]:
    # A step whose remote run was reused took no time, and says nothing of its work.
    for event in events:
        is_good = event["type"] == "step.finished" and event.get("outcome") == "succeeded"
        if is_good and event["step"] == step and event.get("verb") != "reused":
            yield event


def _rows_of(events: Sequence[Event]) -> dict[str, int]:
    """Return the rows that each sync of a run brought."""
    return {
        event["step"]: event["rows"]
        for event in events
        if event["type"] == "step.finished"
        and event["step"].startswith("sync:")
        and isinstance(event.get("rows"), int)
    }
