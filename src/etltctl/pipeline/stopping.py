"""Cancelling a run: whatever it still has running remotely is stopped, and who did it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import Step, remote_runs
from etltctl.pipeline.services import Services
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings


def cancel_run(events: Sequence[Event], settings: Settings) -> list[Run]:
    """Stops what the run these events tell of still has running; returns each remote run as it was found.

    The process that drives the run, if there is one, sees its remote run end and fails.
    """
    services = Services(settings)
    ledger = Ledger(services.store, str(events[0]["run_id"]), settings.env)
    found = []
    for step, remote_id in remote_runs(events):
        run = _look(services, step, remote_id)
        found.append(run)
        if run.state is not State.RUNNING:
            continue
        if step.kind == "sync":
            services.airbyte.cancel(services.airbyte.look_at(remote_id, step.name))
        elif step.kind == "tableau":
            services.tableau.cancel(remote_id)
        else:
            services.glue.stop(services.glue.look_at(step.name, remote_id))
        ledger.append("remote.stopped", str(step), remote_id=remote_id, stopped_by="runs cancel")
    return found


def _look(services: Services, step: Step, remote_id: str) -> Run:
    if step.kind == "sync":
        return services.airbyte.look_at(remote_id, step.name)
    if step.kind == "tableau":
        return services.tableau.look_at(remote_id, step.name)
    return services.glue.look_at(step.name, remote_id)
