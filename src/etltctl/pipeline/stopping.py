"""Cancelling a run: whatever it still has running remotely is stopped, and who did it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import remote_runs
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import stop_on_record
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings


def cancel_run(events: Sequence[Event], settings: Settings, reason: str = "") -> list[Run]:
    """Stops what the run these events tell of still has running; returns each remote run as it was found.

    The process that drives the run, if there is one, sees its remote run end and fails.
    """
    services = Services(settings)
    ledger = Ledger(services.store, str(events[0]["run_id"]), settings.env)
    found: list[Run] = []
    for step, remote_id in remote_runs(events):
        remote = remote_of(step, services, remote_id)
        run = remote.look()
        found.append(run)
        if run.state is State.RUNNING:
            stop_on_record(ledger, str(step), remote, run, by="runs cancel", reason=reason)
    return found
