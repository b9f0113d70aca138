"""The runs on record, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.errors import UsageError, command
from etltctl.ledger import Event, events_of_one, open_store

if TYPE_CHECKING:
    from etltctl.settings import Settings

UNSUCCESSFUL = frozenset({"failed", "unverified", "interrupted"})


def failed_run(settings: Settings) -> list[dict[str, Any]]:
    """Return the events of the newest run that failed.

    Args:
        settings: The settings, which say where the runs are kept.

    Raises:
        UsageError: No run has failed.
    """
    for events in newest_runs(settings):
        if events[-1]["type"] == "run.finished" and events[-1].get("outcome") in UNSUCCESSFUL:
            return [dict(event) for event in events]
    raise UsageError("no run has failed, so there is nothing to explain", hint=command("runs", "list"))


def newest_runs(settings: Settings, limit: int | None = None) -> Iterator[list[Event]]:
    """Yield the events of each run, the run written to last first. A run that cannot be read is left out.

    Args:
        settings: The settings, which say where the runs are kept.
        limit: How many runs at most; None for all.
    """
    store = open_store(settings.state, Aws.from_settings(settings))
    for run_id in islice(reversed(store.run_ids()), limit):
        if events := events_of_one(store, run_id):
            yield events
