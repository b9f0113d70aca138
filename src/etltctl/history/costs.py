"""What the remote runs of earlier runs cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etltctl.history.lookup import store_of
from etltctl.history.run_list import RunFilter, passes, summary_of
from etltctl.ledger import Event, Store, events_of_one
from etltctl.values import is_billed

if TYPE_CHECKING:
    from etltctl.settings import Settings

ACTUAL, ESTIMATED = "actual", "estimated"


@dataclass(frozen=True)
class Cost:
    """What a group of remote runs cost.

    Attributes:
        key: What is summed by: a pipeline, a step or a day.
        env: The environment.
        number: How many job runs and queries they are.
        queries: How many of them are queries of Athena.
        usd: US dollars.
        basis: `actual` if the services reported it, `estimated` if it is what earlier runs of the same job cost: a job
            run that still goes on, or whose cost its service never reported.
    """

    key: str
    env: str
    number: int
    usd: float
    basis: str
    queries: int = 0

    @property
    def job_runs(self) -> int:
        """How many job runs of Glue they are."""
        return self.number - self.queries


def costs(
    settings: Settings, by: str, run_filter: RunFilter | None = None, *, now: datetime | None = None
) -> list[Cost]:
    """Sum what runs cost, the dearest first.

    Args:
        settings: The settings, which say where the runs are kept.
        by: What to sum by: `pipeline`, `step` or `day`.
        run_filter: Which runs; all if None.
        now: The present time, for tests.

    Raises:
        UsageError: A time of `run_filter` is not valid.
    """
    sums: dict[tuple[str, str, str], Cost] = {}
    for events in _runs(store_of(settings), run_filter or RunFilter(), now or datetime.now(UTC)):
        for event, basis in costs_of(events):
            keys = {"pipeline": events[0].get("pipeline", ""), "step": event["step"], "day": event["ts"][:10]}
            group = (keys[by], str(event.get("env", "")), basis)
            known = sums.get(group) or Cost(group[0], group[1], 0, 0.0, basis)
            usd = known.usd + (event["usd"] if is_billed(known.env) else 0.0)
            queries = known.queries + ("scanned_bytes" in event)
            sums[group] = replace(known, number=known.number + 1, usd=usd, queries=queries)
    rows = [replace(cost, usd=round(cost.usd, 4)) for cost in sums.values()]
    return sorted(rows, key=lambda cost: -cost.usd)


def _runs(store: Store, run_filter: RunFilter, now: datetime) -> Iterator[Sequence[Event]]:
    """Yield the events of each run that the filter leaves."""
    since, until = run_filter.span(now)
    for run in store.stored_runs():
        # A run starts before it is written to last, so that the older ones need not be read.
        if since is not None and run.written < since.timestamp() - 1:
            continue
        events = events_of_one(store, run.run_id)
        if events and passes(summary_of(events), run_filter, since, until):
            yield events


def costs_of(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """Return every event with a cost that counts, and its basis: `actual` or `estimated`."""
    counted: list[tuple[Event, str]] = []
    estimates: dict[str, Event] = {}
    for event in events:
        if event["type"] == "cost.estimate" and "usd" in event:
            estimates[event["step"]] = event
        elif event["type"] == "cost.actual":
            # The actual cost takes the place of what was expected before the start.
            estimates.pop(event["step"], None)
            counted.append((event, ACTUAL))
    started = {event["step"] for event in events if event["type"] == "remote.started"}
    return counted + [(event, ESTIMATED) for step, event in estimates.items() if step in started]
