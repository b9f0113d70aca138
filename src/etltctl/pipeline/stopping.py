"""Cancelling a run: whatever it still has running remotely is stopped, and who did it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import remote_runs
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import stop_on_record
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Cancelled:
    """A remote run of a cancelled run, as it was found, and what was done about it."""

    run: Run
    done: str


def cancel_run(events: Sequence[Event], settings: Settings, reason: str = "") -> list[Cancelled]:
    """Stops what the run these events tell of still has running; what somebody else started goes on.

    The process that drives the run, if there is one, sees its remote run end and fails.
    """
    services = Services(settings)
    ledger = Ledger(services.store, str(events[0]["run_id"]), settings.env)
    foreign = {event["remote_id"] for event in events if event.get("ours") is False}
    cancelled = []
    for step, remote_id in remote_runs(events):
        remote = remote_of(step, services, remote_id)
        run, done = remote.look(), ""
        if run.state is State.RUNNING and remote_id in foreign:
            done = "goes on: somebody else started it"
        elif run.state is State.RUNNING:
            stop_on_record(ledger, str(step), remote, run, by="runs cancel", reason=reason)
            done = "stopped"
        cancelled.append(Cancelled(run, done))
    return cancelled
