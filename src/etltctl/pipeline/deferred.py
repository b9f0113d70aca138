"""A step in the hands of several processes: one starts it, another waits for it, a third finishes it.

Strings and plain data cross the border between them, nothing else. The process that waits needs no right to drive the
run and writes nothing; `finish_step` polls for itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etltctl.ledger import Ledger
from etltctl.pipeline.kinds import kind_of
from etltctl.pipeline.model import Step, StepHandle
from etltctl.pipeline.options import Listener, RunOptions
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.run_record import scheduled_step
from etltctl.pipeline.runner import finish, start
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.pipeline.step_wait import wait_for_handle

if TYPE_CHECKING:
    from etltctl.settings import Settings


def start_step(
    pipeline: str,
    step: str,
    *,
    run_id: str,
    fresh: bool = False,
    fresh_for: str = "",
    max_usd: float | None = None,
    settings: Settings | None = None,
    on_event: Listener | None = None,
) -> StepHandle:
    """Start what the step runs remotely, or find it, and return at once; `finish_step` continues from there.

    The arguments are those of `run_step`.
    """
    options = RunOptions(run_id, fresh, fresh_for=fresh_for, max_usd=max_usd, on_event=on_event)
    with scheduled_step(pipeline, step, options, settings, is_finished=False) as step_run:
        # The remote run itself does not cross the border: the process that continues polls for it by its id.
        return start(step_run, options)[0]


async def wait_for_step(handle: StepHandle, settings: Settings | None = None) -> None:
    """Wait until the step's remote run has ended, without blocking the event loop.

    Args:
        handle: What `start_step` returned.
        settings: The settings; None loads them.

    Raises:
        EtltctlError: The remote run could not be polled, or the deadline passed. `finish_step` would raise the same.
    """
    # A step without a remote run does its whole work in `finish_step`: there is nothing to wait for.
    if handle.remote_id:
        step_run = await asyncio.to_thread(_step_run_of, handle, settings)
        await wait_for_handle(step_run, handle, kind_of(step_run.step))


def _step_run_of(handle: StepHandle, settings: Settings | None) -> StepRun:
    """Return the step for a process that only reads its run."""
    if settings is None:
        from etltctl.settings import load_settings

        settings = load_settings()
    services = Services(settings)
    # No lease is taken. The process that drives the run may hold it, and this one writes nothing.
    ledger = Ledger(services.store, RunId(handle.run_id).safe, settings.env)
    return StepRun(handle.pipeline, Step.parse(handle.step), services, ledger)


def finish_step(
    handle: StepHandle, settings: Settings | None = None, on_event: Listener | None = None
) -> dict[str, Any]:
    """Wait for what was started, prove or publish it, and return the step's result as plain data.

    Args:
        handle: What `start_step` returned, in any process.
        settings: The settings; None loads them.
        on_event: A function that is called with every event.
    """
    options = RunOptions(handle.run_id, on_event=on_event)
    with scheduled_step(handle.pipeline, handle.step, options, settings, is_started=True) as step_run:
        # The time in the triggerer belongs to the same wait, so the step's deadline does not begin again.
        return finish(replace(step_run, waited=handle.elapsed), handle).as_dict()
