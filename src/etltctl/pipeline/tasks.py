"""What a scheduler's tasks call: one step of a run, in one piece or begun and finished by different processes.

Strings and plain data cross the border, nothing else. Whoever waits in between needs no right to drive the run and
writes nothing: `finish_step` looks for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from etltctl.errors import BudgetError, UsageError
from etltctl.ledger import Ledger
from etltctl.pipeline.budget import Budget, budget_of
from etltctl.pipeline.finding import find_remote
from etltctl.pipeline.model import Begun, Step, ran_s, safe_run_id, steps
from etltctl.pipeline.permitting import refusals_named
from etltctl.pipeline.preflight import require_permissions
from etltctl.pipeline.readiness import require_ready, unstarted
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.running import driven, failure_ends, record_resumed
from etltctl.pipeline.services import Services
from etltctl.pipeline.stepping import begin, finish, run_recorded
from etltctl.pipeline.wishes import Listener, Wish, told
from etltctl.pipeline.work import Work, decided_before, stop_on_record, who
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.settings import Settings


def run_step(
    pipeline: str,
    step: str,
    *,
    run_id: str,
    fresh: bool = False,
    fresh_for: str = "",
    max_usd: float | None = None,
    settings: Settings | None = None,
    on_event: Listener | None = None,
) -> dict[str, Any]:
    """Run one step of the pipeline as part of the run `run_id`.

    A retry of the same run adopts or reuses what the first try started.

    Args:
        pipeline: The pipeline's name.
        step: The step, `kind:name`.
        run_id: The run's id, the same for every step and every try. An id that is new begins a run.
        fresh: Start the step's work again, whatever came of it.
        fresh_for: What `fresh` is for. The work starts again once for each value: tries that repeat one another
            pass the same.
        max_usd: The most that the whole run may cost, in US dollars. The run keeps it for its later steps and tries.
        settings: The settings; None loads them.
        on_event: A function that hears every event.

    Returns:
        The step's result as plain data.
    """
    wish = Wish(_required(run_id), fresh, fresh_for=fresh_for, max_usd=max_usd, on_event=on_event)
    with _step_of_run(pipeline, step, wish, settings) as (work, is_last):
        result = run_recorded(work, wish)
        _end(work.ledger, is_last)
        return result.as_dict()


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
) -> Begun:
    """Start what the step runs remotely, or find it, and return at once; `finish_step` continues from there.

    The arguments are those of `run_step`.
    """
    wish = Wish(_required(run_id), fresh, fresh_for=fresh_for, max_usd=max_usd, on_event=on_event)
    with _step_of_run(pipeline, step, wish, settings) as (work, _):
        return begin(work, wish)[0]


async def wait_for_step(begun: Begun, settings: Settings | None = None) -> None:
    """Waits until what was begun has ended, without blocking the event loop.

    Raises what looking raises, and WaitTimeoutError; `finish_step` would tell the same.
    """
    services = Services(await asyncio.to_thread(_load) if settings is None else settings)
    step, remote_id, waited = Step.parse(begun.step), begun.remote_id, begun.waited
    while remote_id:
        remote = remote_of(step, services, remote_id)
        run: Run = await asyncio.to_thread(remote.look)
        if run.state is State.RUNNING:
            budget = await asyncio.to_thread(_budget_of, begun, step, services)
            within = budget.seconds_left if budget else None
            waiter = await asyncio.to_thread(remote.waiter)
            waiter = replace(waiter, waited=waited, ran=ran_s(run), look_within=within)
            try:
                run = await waiter.wait_async(run, remote.look, on_look=partial(_require_within, budget))
            except BudgetError:
                return  # `finish_step` stops it, and says why
        successor = await asyncio.to_thread(remote.successor, run)
        remote_id, waited = (successor.id if successor else ""), 0.0


def _required(run_id: str) -> str:
    if not run_id:
        raise UsageError(
            "a step needs the id of the run it belongs to", hint="pass run_id, the same for every try"
        )
    return run_id


def _budget_of(begun: Begun, step: Step, services: Services) -> Budget | None:
    if step.kind != "glue":
        return None
    ledger = Ledger(services.store, safe_run_id(begun.run_id), services.settings.env)
    return budget_of(Work(begun.pipeline, step, services, ledger))


def _require_within(budget: Budget | None, run: Run) -> None:
    if budget is not None and run.state is State.RUNNING and not budget.seconds_left(run):
        raise BudgetError(f"run {run.id} costs more than {budget.named}")


def finish_step(
    begun: Begun, settings: Settings | None = None, on_event: Listener | None = None
) -> dict[str, Any]:
    """Sees through what was begun, proves or publishes it, and returns the step's result as plain data."""
    wish = Wish(begun.run_id, on_event=on_event)
    with _step_of_run(begun.pipeline, begun.step, wish, settings, starts=False) as (work, is_last):
        result = finish(replace(work, waited=begun.waited), begun)
        _end(work.ledger, is_last)
        return result.as_dict()


def stop_step(
    step: str, *, run_id: str, by: str, detach: bool = False, settings: Settings | None = None
) -> Run | None:
    """Stops what the step still has running remotely, or lets it go on (`detach`); puts on record who wanted it.

    For whoever ends the process that waits: it takes no lease, for that process may still hold it. Returns the run
    as found; None if nothing of ours runs, or what becomes of it is decided already.
    """
    settings = settings or _load()
    services = Services(settings)
    ledger = Ledger(services.store, safe_run_id(run_id), settings.env)
    found = find_remote(ledger, Step.parse(step), services)
    if found is None or not found.is_ours or found.run.state is not State.RUNNING:
        return None
    run = found.run
    if decided_before(ledger, step, run) is not None:
        return None
    if detach:
        ledger.note("remote.detached", step, remote_id=run.id, detached_by=by, who=who())
    else:
        stop_on_record(ledger, step, remote_of(Step.parse(step), services, run.id), run, by=by)
    ledger.note("step.finished", step, outcome="detached" if detach else "interrupted", error=by)
    ledger.note("run.finished", outcome="detached" if detach else "interrupted", seconds=ledger.seconds)
    return run


@contextmanager
def _step_of_run(
    pipeline: str, step: str, wish: Wish, settings: Settings | None, *, starts: bool = True
) -> Iterator[tuple[Work, bool]]:
    """Yield the step at work as part of its run, driven by nobody else, and whether it is the pipeline's last.

    Args:
        pipeline: The pipeline.
        step: One of its steps.
        wish: What the caller asks for.
        settings: The settings; None loads them.
        starts: Whether the step may start work, which is checked before; a step that only ends what runs is not.
    """
    settings = settings or _load()
    walk = steps(pipeline, settings)
    wanted = next((found for found in walk if str(found) == step), None)
    if wanted is None:
        raise UsageError(f"pipeline {pipeline} has no step {step}", hint=told(walk))
    services = Services(settings)
    with refusals_named(step, services), driven(services, wish, pipeline) as ledger:
        is_fresh = wish.fresh and not ledger.was_fresh_for(step, wish.fresh_for)
        starting = [wanted] if ledger.pipeline else _checked_first(walk, wanted)
        if starts:
            require_ready(settings, unstarted(starting, ledger.last, fresh=is_fresh))
        record_resumed(ledger, pipeline, walk, wish)
        with failure_ends(ledger):
            if starts:
                require_permissions(starting, pipeline, services, ledger, fresh=is_fresh)
            work = Work(pipeline, wanted, services, ledger, partial(_decide, settings.airflow.on_kill))
            yield work, wanted == walk[-1]


def _checked_first(walk: Sequence[Step], wanted: Step) -> list[Step]:
    """Return the steps to check when a run begins: the first, and the Glue jobs after it.

    Of the other steps nothing is checked: their tasks may run on other machines, which have other secrets.
    """
    later = walk[walk.index(wanted) + 1 :]
    return [wanted, *(step for step in later if step.kind == "glue")]


def _decide(on_kill: str, run: Run, may_ask: bool) -> str:  # noqa: ARG001 - nobody sits there to be asked
    return on_kill


def _end(ledger: Ledger, is_last: bool) -> None:
    if is_last:
        ledger.note("run.finished", outcome="succeeded", seconds=ledger.seconds)


def _load() -> Settings:
    from etltctl.settings import load_settings

    return load_settings()
