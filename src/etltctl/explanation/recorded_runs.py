"""The runs on record, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from etltctl.errors import UsageError, command
from etltctl.explanation.failed_step import UNSUCCESSFUL
from etltctl.history import store_of
from etltctl.ledger import Event, events_of_one

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_READ = 200


def failed_run(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """Return the failure that is meant if no run is named: the run of steps that failed last.

    The failure of a command without steps, such as a refresh, hides no failed run of a pipeline.

    Args:
        settings: The settings, which say where the runs are kept.

    Returns:
        The events of the run of steps that failed last; without one, of the command that failed last. Of a run of steps
        also the id of a newer command that failed, which may be the one that the caller means; else an empty text.

    Raises:
        UsageError: No run has failed.
    """
    newer: list[dict[str, Any]] = []
    for number, events in enumerate(newest_runs(settings)):
        if newer and number >= MOST_READ:
            break  # each run is a read, and there is something to explain
        if events[-1]["type"] != "run.finished" or events[-1].get("outcome") not in UNSUCCESSFUL:
            continue
        if any(event.get("steps") for event in events):
            return [dict(event) for event in events], str(newer[0]["run_id"]) if newer else ""
        newer = newer or [dict(event) for event in events]
    if newer:
        return newer, ""
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
