"""Interrupts: whether the remote run of an interrupted step stops or goes on, on record either way."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from etltctl.errors import DetachedError, EtltctlError, ExitCode, NextStep, command
from etltctl.ledger import Event
from etltctl.pipeline.options import DETACH
from etltctl.pipeline.step_kind import RemoteRun
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import Run


@contextmanager
def interruptible(step_run: StepRun, run: Run, remote_run: RemoteRun[Run] | None) -> Iterator[None]:
    """Stop the run, or leave it running, if an interrupt ends the block.

    Args:
        step_run: The step. Its `on_interrupt` decides.
        run: The run as last polled.
        remote_run: How to stop it; None for a run that etltctl did not start, which goes on.

    Raises:
        DetachedError: The run was left running.
    """
    try:
        yield
    except BaseException as interrupt:
        if not is_interrupt(interrupt):
            raise
        # Another caller started the run and waits for it: an interrupt of this process must not stop it.
        if remote_run is None:
            step_run.warn(f"{run.id} goes on: it is not of this run")
        else:
            _stop_or_detach(step_run, run, remote_run, interrupt)
        raise


def _stop_or_detach(
    step_run: StepRun, run: Run, remote_run: RemoteRun[Run], interrupt: BaseException
) -> None:
    """Stop the run, or raise DetachedError if it is left. A decision on record is kept."""
    by = interrupt_name(interrupt)
    # A scheduler may stop the run from another process while it ends this one; the first decision counts.
    before = decision_on_record(step_run, run)
    if before is not None and before["type"] == "remote.detached":
        raise _detached(step_run, run, interrupt) from interrupt
    if before is not None:
        step_run.warn(f"{run.id} is being stopped already, by {before['stopped_by']}")
        return
    # Only a person at the keyboard can be asked. A signal from a supervisor gets the decision of the options.
    if step_run.on_interrupt(run, isinstance(interrupt, KeyboardInterrupt)) == DETACH:
        detach_on_record(step_run, run, by=by)
        raise _detached(step_run, run, interrupt) from interrupt
    try:
        stop_on_record(step_run, remote_run, run, by=by)
    # The process ends in any case. A run that could not be stopped must not go on unnoticed.
    except EtltctlError as error:
        step_run.warn(f"{run.id} may go on: {error.message}")


def _detached(step_run: StepRun, run: Run, interrupt: BaseException) -> DetachedError:
    error = DetachedError(
        f"detached: {run.service} run {run.id} of {run.name} goes on",
        hint=NextStep("follow it: ", command("runs", "watch", step_run.ledger.run_id)),
    )
    if isinstance(interrupt, SystemExit):
        error.exit_code = ExitCode.TERMINATED  # a supervisor that sent SIGTERM expects 143
    return error


def decision_on_record(step_run: StepRun, run: Run) -> Event | None:
    """Return the event by which any process decided to stop or leave the run; None if it is undecided.

    A decision from before the run was last started or adopted does not count.
    """
    # Another process may have written since: only the file, not this process's memory, has its decision.
    step_run.ledger.catch_up()
    newest = step_run.last("remote.stopping", "remote.detached", "remote.started", "remote.adopted")
    if newest is None or newest["type"] not in {"remote.stopping", "remote.detached"}:
        return None
    # A retry that the service made is another run, which no one has decided about yet.
    return newest if newest["remote_id"] == run.id else None


def stop_on_record(
    step_run: StepRun, remote_run: RemoteRun[Run], run: Run, *, by: str, reason: str = ""
) -> None:
    """Stop the run; record before and after who stops it and why.

    Args:
        step_run: The step.
        remote_run: How to stop the run.
        run: The run as last polled.
        by: What stops it: a command, a signal, a limit, a scheduler.
        reason: Why.
    """
    facts = {"remote_id": run.id, "stopped_by": by, "who": _user_and_host(), "reason": reason}
    facts = {name: value for name, value in facts.items() if value}
    # Recorded first: the process that waits for the run sees it end, and then looks up who stopped it.
    step_run.note("remote.stopping", **facts)
    # If this raises, `remote.stopping` stands alone on record: the stop was sent and its effect is not known.
    remote_run.stop()
    step_run.note("remote.stopped", **facts)


def detach_on_record(step_run: StepRun, run: Run, *, by: str) -> None:
    """Record that the run is left running, and by whom."""
    step_run.note("remote.detached", remote_id=run.id, detached_by=by, who=_user_and_host())


def _user_and_host() -> str:
    """Return the user and the machine of this process."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    # A container may run under a user id that no account has.
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def is_interrupt(error: BaseException) -> bool:
    """Return whether the error came from outside, such as a signal or a scheduler's time limit."""
    # GeneratorExit ends a generator that is no longer read, and means no interrupt by a person or a scheduler.
    return not isinstance(error, Exception | GeneratorExit)


def interrupt_name(error: BaseException) -> str:
    """Return what broke the step off, in one word: an interrupt, SIGTERM, or the kind of error."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupt"
    return "SIGTERM" if isinstance(error, SystemExit) else type(error).__name__
