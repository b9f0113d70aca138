"""How long the steps of earlier runs took, from which the live view expects when a step ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etltctl.history.lookup import store_of
from etltctl.ledger import Event, events_of_one

if TYPE_CHECKING:
    from etltctl.settings import Settings

LEARNS_FROM_RUNS = 10  # the newest: each of them is a read, which takes time where they are kept in S3


def step_seconds(settings: Settings, *, limit: int = LEARNS_FROM_RUNS) -> dict[str, list[float]]:
    """Return how long the steps of the newest runs took, by step, in seconds.

    Args:
        settings: The settings, which say where the runs are kept.
        limit: How many runs are read at most.
    """
    store = store_of(settings)
    seconds: dict[str, list[float]] = {}
    for run_id in store.run_ids()[-limit:]:
        for event in events_of_one(store, run_id):
            if _is_whole_step(event, settings.env):
                seconds.setdefault(event["step"], []).append(float(event["seconds"]))
    return seconds


def _is_whole_step(event: Event, env: str) -> bool:
    """Return whether the event is the end of a step whose work began in the same try, so that its time counts."""
    return (
        event["type"] == "step.finished"
        and event.get("outcome") == "succeeded"
        and event.get("verb") in ("", "started")
        and event.get("env") == env
        and isinstance(event.get("seconds"), int | float)
    )
