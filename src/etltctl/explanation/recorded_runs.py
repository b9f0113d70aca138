"""The runs on record, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from etltctl.errors import UsageError, command
from etltctl.history import store_of
from etltctl.ledger import Event, events_of_one

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_READ = 200
UNSUCCESSFUL = frozenset({"failed", "unverified", "interrupted"})


def failed_run(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """Return the newest failure: the events of the run that failed last, a rollback or a refresh included.

    Args:
        settings: The settings, which say where the runs are kept.

    Returns:
        The events. If the run has no steps, also the id of the run with steps that failed last, which may be the one
        that the caller means; else an empty text.

    Raises:
        UsageError: No run has failed.
    """
    newest: list[dict[str, Any]] = []
    for number, events in enumerate(newest_runs(settings)):
        if newest and number >= MOST_READ:
            break  # it is a hint alone, and each run is a read
        if events[-1]["type"] != "run.finished" or events[-1].get("outcome") not in UNSUCCESSFUL:
            continue
        has_steps = any(event.get("steps") for event in events)
        if newest and has_steps:
            return newest, str(events[0]["run_id"])
        if not newest:
            newest = [dict(event) for event in events]
            if has_steps:
                return newest, ""
    if newest:
        return newest, ""
    raise UsageError("no run has failed, so there is nothing to explain", hint=command("runs", "list"))


def newest_runs(settings: Settings, limit: int | None = None) -> Iterator[list[Event]]:
    """Yield the events of each run, the run written to last first. A run that cannot be read is left out.

    Args:
        settings: The settings, which say where the runs are kept.
        limit: How many runs at most; None for all.
    """
    store = store_of(settings)
    for run_id in islice(reversed(store.run_ids()), limit):
        if events := events_of_one(store, run_id):
            yield events
