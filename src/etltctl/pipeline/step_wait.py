"""Wait for a step's remote run to end, within its budget: one loop for a process, one for an event loop.

Both enforce the budget by the same check after each poll. Only a process that drives the run stops it and records its
progress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from etltctl.errors import BudgetError, EtltctlError, NextStep, command
from etltctl.pipeline.budget import Budget
from etltctl.pipeline.interrupts import interruptible, stop_on_record
from etltctl.pipeline.model import StepHandle, ran_s
from etltctl.pipeline.step_kind import RemoteRun, StepKind
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.runs import Run, State
from etltctl.waiting import Waiter

R = TypeVar("R", bound=Run)

STOPS_WITHIN_S = 30.0


def record_start(step_run: StepRun, started: StartedRun, remote_run: RemoteRun[Run]) -> None:
    """Record what the start did; an interrupt meanwhile stops the run or leaves it."""
    with interruptible(step_run, started.run, remote_run if started.is_ours else None):
        step_run.append(f"remote.{started.verb}", **started.facts)


def wait_for_end(
    step_run: StepRun,
    run: R,
    remote_run: RemoteRun[R],
    *,
    is_ours: bool,
    budget: Budget | None = None,
) -> R:
    """Wait until the run has ended and record its progress.

    Args:
        step_run: The step.
        run: The run as last polled.
        remote_run: How to poll and stop it.
        is_ours: Whether etltctl started it; an interrupt leaves any other run running.
        budget: What it may cost; None for no limit.

    Returns:
        The run in its final state.

    Raises:
        BudgetError: The run cost more than the budget allows, and was stopped.
        WaitTimeoutError: The deadline passed. The run goes on.
    """
    if run.state is not State.RUNNING:
        return run

    def stop(polled: Run, reason: str) -> None:
        stop_on_record(step_run, remote_run, polled, by=budget.limit if budget else "max_usd", reason=reason)

    # One check for both drivers, so that the limit means the same in a process and in a triggerer.
    check = _budget_check(budget, stop, step_run.ledger.run_id)
    record = _progress_record(step_run)

    def on_poll(polled: Run) -> None:
        check(polled)  # first: writing an event can fail or be slow, and the run costs money meanwhile
        record(polled)
        if step_run.on_poll is not None:
            step_run.on_poll(str(step_run.step), polled)

    with interruptible(step_run, run, remote_run if is_ours else None):
        # Made inside the block: it asks the service for earlier durations, and an interrupt may come meanwhile.
        waiter = _waiter(remote_run, run, step_run.waited, budget)
        return waiter.wait(run, remote_run.poll, on_poll=on_poll)


async def wait_for_handle(step_run: StepRun, handle: StepHandle, kind: StepKind) -> None:
    """Wait until the handle's remote run, and every retry that its service makes, has ended; change nothing.

    It returns as well when the budget is spent: `finish_step` then stops the run and says why.
    """
    remote_id, waited = handle.remote_id, handle.elapsed
    while remote_id:
        remote_run = kind.remote_run(step_run.services, step_run.step.name, remote_id)
        # Every SDK call blocks, so each one goes to a thread: a triggerer runs thousands of waits in one loop.
        run = await asyncio.to_thread(remote_run.poll)
        if run.state is State.RUNNING:
            budget = await asyncio.to_thread(kind.budget, step_run)
            waiter = await asyncio.to_thread(_waiter, remote_run, run, waited, budget)
            check = _budget_check(budget, _leave, step_run.ledger.run_id)
            try:
                run = await waiter.wait_async(run, remote_run.poll, on_poll=check)
            # This process has no right to stop the run. `finish_step` polls again, sees the same overrun, and stops it.
            except BudgetError:
                return
        # Glue starts a retry under a new id: without this the wait would end with the first attempt.
        successor = await asyncio.to_thread(remote_run.successor, run)
        # The retry has its own timeout at the service, so the deadline counts from its start.
        remote_id, waited = (successor.id if successor else ""), 0.0


def await_stop(run: Run, remote_run: RemoteRun[Run]) -> None:
    """Give the service the time to stop the run, so that its bill is complete."""
    with suppress(EtltctlError):
        Waiter(timeout=STOPS_WITHIN_S, longest=2.0).wait(run, remote_run.poll)


def _waiter(remote_run: RemoteRun[Run], run: Run, waited: float, budget: Budget | None) -> Waiter:
    """Return how to wait for the run: polls come no later than when its budget is spent."""
    # A long pause near the limit would let the run spend more than it may.
    within = budget.seconds_left if budget else None
    return replace(remote_run.waiter(), waited=waited, ran=ran_s(run), poll_within=within)


def _budget_check(
    budget: Budget | None, on_overrun: Callable[[Run, str], None], run_id: str
) -> Callable[[Run], None]:
    """Return the check after each poll: over budget it calls `on_overrun`, then raises BudgetError."""

    def check(run: Run) -> None:
        if budget is None or not (reason := budget.overrun(run)):
            return
        # Stopped before the error is raised: the error alone would leave the run going on.
        on_overrun(run, reason)
        raise BudgetError(
            f"{run.service} run {run.id} of {run.name} was stopped: {reason}",
            hint=NextStep(f"raise {budget.limit}, or make the job smaller; then: ", command("retry", run_id)),
        )

    return check


def _leave(run: Run, reason: str) -> None:
    """Leave the run running: a process that only waits has no right to stop it."""


def _progress_record(step_run: StepRun) -> Callable[[Run], None]:
    """Return a function that records each new status once, and warns of a status that etltctl does not know."""
    # Per wait and not per run: a wait that is resumed records the status that it finds.
    seen: set[str] = set()

    def record(run: Run) -> None:
        if run.status in seen:
            return
        seen.add(run.status)
        step_run.note("step.progress", remote_id=run.id, state=run.status)
        if not run.is_known:
            step_run.warn(f"{run.service} reports the unknown state {run.status}; waiting on")

    return record
