"""The story of the product: walk the steps of a pipeline, record each, stop at the first that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etltctl.errors import EtltctlError, UsageError
from etltctl.ledger import Event, Ledger
from etltctl.pipeline.kinds import STEP_KINDS, refresh_tables, start_glue
from etltctl.pipeline.model import (
    PipelineResult,
    Step,
    StepResult,
    known,
    new_run_id,
    outcome_of,
    safe_run_id,
    steps,
)
from etltctl.pipeline.services import Services

if TYPE_CHECKING:
    from etltctl.settings import Settings

Listener = Callable[[Event], None]


def run_pipeline(
    pipeline: str, settings: Settings, *, run_id: str = "", on_event: Listener | None = None
) -> PipelineResult:
    """Runs the pipeline's steps in order and stops at the first that fails.

    A `run_id` that ran before is taken up where it stands: live work is adopted, finished work reused, failed
    work started again. Raises the failed step's error.
    """
    walk = steps(pipeline, settings)
    with _recorded_run(pipeline, walk, settings, run_id, on_event) as (services, ledger):
        started = time.monotonic()
        results = [_run_recorded(pipeline, step, services, ledger) for step in walk]
        return PipelineResult(pipeline, ledger.run_id, _since(started), results)


def run_step(
    pipeline: str,
    step: str,
    *,
    run_id: str,
    settings: Settings | None = None,
    on_event: Listener | None = None,
) -> dict[str, Any]:
    """Runs one step of the pipeline as part of the run `run_id` and returns its result as plain data.

    This is what an Airflow task calls: a retry of the same DAG run adopts or reuses what the first try started.
    """
    from etltctl.settings import load_settings

    settings = settings or load_settings()
    walk = [str(known_step) for known_step in steps(pipeline, settings)]
    if step not in walk:
        raise UsageError(f"pipeline {pipeline} has no step {step}", hint=f"its steps are {', '.join(walk)}")
    services = Services(settings)
    ledger = Ledger(services.store, safe_run_id(run_id), settings.env, on_event)
    return _run_recorded(pipeline, Step.parse(step), services, ledger).as_dict()


def run_alone(
    step: Step, settings: Settings, *, run_id: str = "", on_event: Listener | None = None
) -> StepResult:
    """Runs a step outside any pipeline, as a run of its own: `etltctl sync`, `etltctl run-glue --wait`."""
    check_exists(step, settings)
    with _recorded_run(step.name, [step], settings, run_id, on_event) as (services, ledger):
        return _run_recorded(step.name, step, services, ledger)


def start_job(
    step: Step, settings: Settings, *, run_id: str = "", on_event: Listener | None = None
) -> StepResult:
    """Starts a Glue job and returns at once; running it again with the same run id waits and publishes."""
    check_exists(step, settings)
    services = Services(settings)
    ledger = Ledger(services.store, safe_run_id(run_id) or new_run_id(step.name), settings.env, on_event)
    verb, run = start_glue(step.name, step, services, ledger)
    return StepResult(str(step), verb, run.id, facts={"run_id": ledger.run_id, "state": run.word})


def check_exists(step: Step, settings: Settings) -> None:
    """Raises UsageError with the nearest name if the settings have no such source or Glue job."""
    if step.kind == "sync":
        known(settings.sources, step.name, "source")
    else:
        known(settings.glue.jobs, step.name, "Glue job")


def refresh(tables: list[str], settings: Settings, *, on_event: Listener | None = None) -> StepResult:
    """Brings the catalog in line with the files of these tables (`layer.table`), of all if none is named."""
    services = Services(settings)
    every = services.lake.tables()
    for table in tables:
        known(dict.fromkeys(every), table, "table")
    with _recorded_run("refresh", [], settings, "", on_event) as (services, ledger):
        return refresh_tables(tables or every, services, ledger)


@contextmanager
def _recorded_run(
    name: str, walk: list[Step], settings: Settings, run_id: str, on_event: Listener | None
) -> Iterator[tuple[Services, Ledger]]:
    """A run in the ledger from its first event to its last, however it ends."""
    services = Services(settings)
    ledger = Ledger(services.store, safe_run_id(run_id) or new_run_id(name), settings.env, on_event)
    started = time.monotonic()
    ledger.append("run.started", pipeline=name, steps=[str(step) for step in walk])
    try:
        yield services, ledger
    except BaseException as error:
        ledger.append("run.finished", outcome=outcome_of(error), seconds=_since(started))
        raise
    ledger.append("run.finished", outcome="succeeded", seconds=_since(started))


def _run_recorded(pipeline: str, step: Step, services: Services, ledger: Ledger) -> StepResult:
    started = time.monotonic()
    ledger.append("step.planned", str(step))
    try:
        result = STEP_KINDS[step.kind](pipeline, step, services, ledger)
    except BaseException as error:
        message = error.message if isinstance(error, EtltctlError) else type(error).__name__
        facts = {"outcome": outcome_of(error), "seconds": _since(started), "error": message}
        ledger.append("step.finished", str(step), **facts)
        raise
    result = replace(result, seconds=_since(started))
    facts = {name: value for name, value in result.as_dict().items() if name != "step"}
    ledger.append("step.finished", str(step), outcome="succeeded", **facts)
    return result


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)
