"""What the remote runs of earlier runs cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.history.lookup import store_of
from etltctl.ledger import Event, events_of_one
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
        usd: US dollars.
        basis: `actual` if the services reported it, `estimated` if it is what earlier runs of the same job cost: a job
            run that still goes on, or whose cost its service never reported.
    """

    key: str
    env: str
    number: int
    usd: float
    basis: str


def costs(settings: Settings, by: str) -> list[Cost]:
    """Sum what runs cost, the dearest first.

    Args:
        settings: The settings, which say where the runs are kept.
        by: What to sum by: `pipeline`, `step` or `day`.
    """
    store = store_of(settings)
    sums: dict[tuple[str, str, str], tuple[int, float]] = {}
    for run_id in store.run_ids():
        events = events_of_one(store, run_id)
        for event, basis in costs_of(events):
            keys = {"pipeline": events[0].get("pipeline", ""), "step": event["step"], "day": event["ts"][:10]}
            group = (keys[by], str(event.get("env", "")), basis)
            number, usd = sums.get(group, (0, 0.0))
            sums[group] = (number + 1, usd + (event["usd"] if is_billed(group[1]) else 0.0))
    rows = [Cost(key, env, number, round(usd, 4), basis) for (key, env, basis), (number, usd) in sums.items()]
    return sorted(rows, key=lambda cost: -cost.usd)


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
