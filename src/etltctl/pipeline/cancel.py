"""Cancel: stop what a run, or one step of it, still has running remotely, and record who did it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.ledger import Event, Ledger, read_events
from etltctl.observers import observed
from etltctl.pipeline.interrupts import decision_on_record, detach_on_record, stop_on_record
from etltctl.pipeline.kinds import remote_run_of
from etltctl.pipeline.lost_starts import adopt_lost_start, find_remote_run, open_start_text
from etltctl.pipeline.model import Step
from etltctl.pipeline.recorded_result import remote_runs
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.run_record import observation_of
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun, unanswered_start
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Cancelled:
    """A remote run of a cancelled run as it was found, and what was done; only its name if it was not found."""

    name: str
    done: str
    service: str = ""
    remote_id: str = ""
    status: str = ""


def cancel_run(events: Sequence[Event], settings: Settings, reason: str = "") -> list[Cancelled]:
    """Stop what the run still has running. A remote run that etltctl did not start goes on.

    The process that drives the run, if there is one, sees its remote run end, and fails.

    Args:
        events: The run's events.
        settings: The settings.
        reason: Why, for the record.

    Returns:
        Every remote run of the run as it was found.
    """
    services, run_id = Services(settings), str(events[0]["run_id"])
    with observed(observation_of(services, run_id)) as observe:
        return _cancelled(
            events, Ledger(services.store, run_id, settings.env, observe=observe), services, reason
        )


def _cancelled(events: Sequence[Event], ledger: Ledger, services: Services, reason: str) -> list[Cancelled]:
    intended = dict.fromkeys(event["step"] for event in events if event["type"] == "remote.intended")
    steps = [StepRun(ledger.pipeline, Step.parse(step), services, ledger) for step in intended]
    # Before anything is stopped: a start without an answer may have started the run that costs most.
    lost = [step for step in steps if unanswered_start(step) and adopt_lost_start(step) is None]
    events = read_events(
        services.store, ledger.run_id
    )  # again, with the lost starts that were adopted just now
    # Stopping the run of another caller would fail that caller's work, so it is only reported.
    foreign = {event["remote_id"] for event in events if event.get("ours") is False}
    cancelled = []
    for step, remote_id in remote_runs(events):
        # The service is asked, because the record may end before the run did.
        remote_run = remote_run_of(step, services, remote_id)
        run, done = remote_run.poll(), ""
        if run.state is State.RUNNING and remote_id in foreign:
            done = "goes on: another caller started it"
        elif run.state is State.RUNNING:
            step_run = StepRun(ledger.pipeline, step, services, ledger)
            stop_on_record(step_run, remote_run, run, by="runs cancel", reason=reason)
            done = "stopped"
        cancelled.append(Cancelled(run.name, done, run.service, run.id, run.status))
    # Listed last and without an id: whether there is a run at all is not known.
    return cancelled + [Cancelled(step.step.name, open_start_text(ledger.run_id)) for step in lost]


def stop_step(
    step: str, *, run_id: str, by: str, detach: bool = False, settings: Settings | None = None
) -> Run | None:
    """Stop what the step still has running remotely, or leave it running, and record who decided that.

    It is for a scheduler that ends the process that waits. It takes no lease, because that process may still hold it.

    Args:
        step: The step, `kind:name`.
        run_id: The run's id, as the step was started with.
        by: What ends the process, for the record.
        detach: Whether the remote run goes on.
        settings: The settings; None loads them.

    Returns:
        The remote run as it was found. None if nothing that etltctl started runs, or if it was decided before
        whether it stops.
    """
    from etltctl.settings import load_settings

    settings = settings or load_settings()
    services, safe_id = Services(settings), RunId(run_id).safe
    with observed(observation_of(services, safe_id)) as observe:
        ledger = Ledger(services.store, safe_id, settings.env, observe=observe)
        return _stopped(StepRun(ledger.pipeline, Step.parse(step), services, ledger), by, detach=detach)


def _stopped(step_run: StepRun, by: str, *, detach: bool) -> Run | None:
    services = step_run.services
    started = find_remote_run(step_run)
    if started is None or not started.is_ours or started.run.state is not State.RUNNING:
        return None
    run = started.run
    # The process that waits may have decided a moment ago; two decisions would contradict each other.
    if decision_on_record(step_run, run) is not None:
        return None
    if detach:
        detach_on_record(step_run, run, by=by)
    else:
        stop_on_record(step_run, remote_run_of(step_run.step, services, run.id), run, by=by)
    outcome = "detached" if detach else "interrupted"
    step_run.note("step.finished", outcome=outcome, error=by)
    step_run.ledger.note("run.finished", outcome=outcome, seconds=step_run.ledger.seconds)
    return run
