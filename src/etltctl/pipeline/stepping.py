"""One step of a run, on record from its plan to its end: begun and finished, by one process or by two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from etltctl.errors import AccessError, EtltctlError
from etltctl.pipeline.dashboards import finish_tableau, start_refresh
from etltctl.pipeline.finding import await_listing, starting
from etltctl.pipeline.jobs import finish_glue, start_glue
from etltctl.pipeline.model import Begun, StepResult, now, outcome_of
from etltctl.pipeline.permitting import name_refusal
from etltctl.pipeline.refreshing import refresh_pipeline
from etltctl.pipeline.remotes import remote_of
from etltctl.pipeline.syncing import finish_sync, start_sync
from etltctl.pipeline.wishes import Wish
from etltctl.pipeline.work import Found, Work, is_interrupt, named
from etltctl.runs import Run, State


@dataclass(frozen=True)
class StepKind:
    """How a kind of step starts its remote run, None if it has none, and what is done once that has ended."""

    start: Callable[[Work], Found | None] | None
    finish: Callable[[Work, Begun, Any], StepResult]


STEP_KINDS = {
    "sync": StepKind(start_sync, finish_sync),
    "glue": StepKind(start_glue, finish_glue),
    "athena": StepKind(None, refresh_pipeline),
    "tableau": StepKind(start_refresh, finish_tableau),
}


def run_recorded(work: Work, wish: Wish) -> StepResult:
    """Runs the step from its start to its end."""
    begun, run = begin(work, wish)
    return finish(work, begun, run)


def begin(work: Work, wish: Wish) -> tuple[Begun, Run | None]:
    """Starts what the step runs remotely, or finds it; a step that runs nothing remotely is only planned."""
    begun = Begun(work.pipeline, str(work.step), work.ledger.run_id, now())
    plan(work, wish)
    start = STEP_KINDS[work.step.kind].start
    with _failure_recorded(work, begun):
        if start is None:
            return begun, None
        with starting(work):
            await_listing(work)
            found = start(work)
        if found is None:
            return begun, None
        run = found.run
        work.record_start(found, remote_of(work.step, work.services, run.id))
    begun = replace(begun, verb=str(found.verb), remote_id=run.id, is_ours=found.is_ours)
    return replace(begun, is_running=run.state is State.RUNNING), run


def finish(work: Work, begun: Begun, run: Run | None = None) -> StepResult:
    """Waits for what was begun, proves or publishes it; looks for the run first if it is not at hand."""
    with _failure_recorded(work, begun):
        if run is None and begun.remote_id:
            run = remote_of(work.step, work.services, begun.remote_id).look()
        result = STEP_KINDS[work.step.kind].finish(work, begun, run)
    result = replace(result, seconds=_since(begun))
    facts = {name: value for name, value in result.as_dict().items() if name != "step"}
    work.ledger.append("step.finished", result.step, outcome="succeeded", **facts)
    return result


def plan(work: Work, wish: Wish) -> None:
    """Puts on record that the step begins, and whether it begins its work anew."""
    step = str(work.step)
    is_fresh = wish.fresh and not work.ledger.was_fresh_for(step, wish.fresh_for)
    facts = {"fresh": True} if is_fresh else {}
    named = {"fresh_for": wish.fresh_for} if is_fresh and wish.fresh_for else {}
    work.ledger.append("step.planned", step, **facts, **named)


@contextmanager
def _failure_recorded(work: Work, begun: Begun) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        message = error.message if isinstance(error, EtltctlError) else named(error)
        if isinstance(error, EtltctlError):
            error.name_retry(f"etltctl retry {work.ledger.run_id}")
        if isinstance(error, AccessError):
            name_refusal(error, str(work.step), work.services)
        facts = {"outcome": outcome_of(error), "seconds": _since(begun), "error": message}
        if is_interrupt(error) and not _is_decided(work, begun.step):
            text = f"interrupted, and nothing remote was stopped: etltctl retry {work.ledger.run_id} goes on"
            work.ledger.note("warning.degraded", begun.step, message=text)
        work.ledger.note("step.finished", begun.step, **facts)
        raise


def _is_decided(work: Work, step: str) -> bool:
    """Whether it is on record, since the step was planned, what became of its remote run."""
    newest = work.ledger.last(step, "step.planned", "remote.stopping", "remote.stopped", "remote.detached")
    return newest is not None and newest["type"] != "step.planned"


def _since(begun: Begun) -> float:
    return round(begun.waited, 2)
