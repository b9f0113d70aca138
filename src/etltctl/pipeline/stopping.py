"""Cancelling a run: whatever it still has running remotely is stopped, and who did it is on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.ledger import Event, Ledger, read_events
from etltctl.pipeline.finding import open_start, take_up, unanswered
from etltctl.pipeline.model import Step, remote_runs
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import stop_on_record
from etltctl.runs import State

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Cancelled:
    """A remote run of a cancelled run, as it was found, and what was done; nothing of it but the name if not found."""

    name: str
    done: str
    service: str = ""
    remote_id: str = ""
    word: str = ""


def cancel_run(events: Sequence[Event], settings: Settings, reason: str = "") -> list[Cancelled]:
    """Stops what the run these events tell of still has running; what somebody else started goes on.

    The process that drives the run, if there is one, sees its remote run end and fails.
    """
    services = Services(settings)
    ledger = Ledger(services.store, str(events[0]["run_id"]), settings.env)
    started = dict.fromkeys(event["step"] for event in events if event["type"] == "remote.intended")
    unheard = [Step.parse(step) for step in started if unanswered(ledger, step)]
    lost = [step for step in unheard if take_up(ledger, step, services) is None]
    events = read_events(services.store, ledger.run_id)
    foreign = {event["remote_id"] for event in events if event.get("ours") is False}
    found = []
    for step, remote_id in remote_runs(events):
        remote = remote_of(step, services, remote_id)
        run, done = remote.look(), ""
        if run.state is State.RUNNING and remote_id in foreign:
            done = "goes on: somebody else started it"
        elif run.state is State.RUNNING:
            stop_on_record(ledger, str(step), remote, run, by="runs cancel", reason=reason)
            done = "stopped"
        found.append(Cancelled(run.name, done, run.service, run.id, run.word))
    return found + [Cancelled(step.name, open_start(ledger)) for step in lost]
