"""Lost starts: a start has no answer on record, and its run is found again.

The process was killed or interrupted before it read the answer, or the answer was lost and the service listed no run
for a while. A lost answer within one try is the business of the service's client (`Glue.start_or_adopt`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from etltctl.errors import EtltctlError, command
from etltctl.pipeline.interrupts import interruptible, is_interrupt
from etltctl.pipeline.kinds import kind_of, remote_run_of
from etltctl.pipeline.model import now
from etltctl.pipeline.step_run import StartedRun, StepRun, unanswered_start
from etltctl.runs import Run, State, Verb

LISTED_WITHIN_S = 60.0  # a service's listing shows a new run at most this late
INTERRUPT_PATIENCE_S = 3.0  # a person who interrupts does not wait longer


def wait_until_listed(step_run: StepRun) -> None:
    """Wait until the run of an unanswered start must be listed, so that the start that follows finds it."""
    intended = unanswered_start(step_run)
    # Counted from the intent on record, so a retry an hour later waits for nothing.
    left = LISTED_WITHIN_S - (now() - datetime.fromisoformat(intended["ts"]).timestamp()) if intended else 0.0
    if left <= 0 or _find_lost_run(
        step_run, within=0.0
    ):  # one request first: mostly the run is listed already
        return
    step_run.warn(
        f"an earlier try may have started it: its run is searched for, up to {left:.0f} s, before another is started"
    )
    # The result is not needed: the start that follows lists the runs again and adopts the one that is there now.
    _find_lost_run(step_run, within=min(left, LISTED_WITHIN_S))


@contextmanager
def interruptible_start(step_run: StepRun) -> Iterator[None]:
    """Stop the run that a start began, or leave it running, if an interrupt ends the block before the answer."""
    try:
        yield
    except BaseException as interrupt:
        if not is_interrupt(interrupt):
            raise
        try:
            step_run.ledger.catch_up()  # a scheduler's `on_kill` may have found and stopped it a moment ago
            started = find_remote_run(step_run)
        except EtltctlError as error:
            _warn_of_open_start(step_run, error.message)
            # The interrupt decides how the process ends; what went wrong while it was handled is its cause.
            raise interrupt from error
        # Nothing runs that could be stopped: either the start never went out, or its run has ended meanwhile.
        if started is None or started.run.state is not State.RUNNING:
            raise
        remote_run = remote_run_of(step_run.step, step_run.services, started.run.id)
        # Raised again inside the block, so that stop and detach are decided by the same code as during the wait.
        with interruptible(step_run, started.run, remote_run if started.is_ours else None):
            raise


def find_remote_run(step_run: StepRun) -> StartedRun | None:
    """Return the step's newest remote run as it is now, whether its start was answered or not; None without one."""
    if unanswered_start(step_run):
        return adopt_lost_start(step_run)
    started = step_run.last("remote.started", "remote.adopted")
    if started is None:
        return None
    run = remote_run_of(step_run.step, step_run.services, started["remote_id"]).poll()
    return StartedRun(Verb.ADOPTED, run, started.get("ours", True))


def adopt_lost_start(step_run: StepRun) -> StartedRun | None:
    """Record the run that an unanswered start began and return it; warn and return None if it is not listed."""
    intended = unanswered_start(step_run)
    # Only looked for: the callers stop the run or leave it, and must not begin one for that.
    within = INTERRUPT_PATIENCE_S
    run = kind_of(step_run.step).look_for_lost_start(step_run, intended, within=within) if intended else None
    if run is None:
        _warn_of_open_start(step_run, "no run of it is listed")
        return None
    started = StartedRun(Verb.ADOPTED, run)
    # From here on the start has an answer on record, and no later try searches for it again.
    step_run.note(f"remote.{started.verb}", **started.facts)
    return started


def open_start_text(run_id: str) -> str:
    """Return what a person has to know of a start that may have gone out."""
    return f"a start may have gone out; {command('retry', run_id)} finds it"


def _warn_of_open_start(step_run: StepRun, why: str) -> None:
    step_run.warn(f"{step_run.step}: {open_start_text(step_run.ledger.run_id)} ({why})")


def _find_lost_run(step_run: StepRun, *, within: float) -> Run | None:
    """Return the run that the unanswered start began, searched for `within` seconds."""
    intended = unanswered_start(step_run)
    if intended is None:
        return None
    return kind_of(step_run.step).find_lost_start(step_run, intended, within=within)
