"""The story of the product: walk the steps of a pipeline, record each, stop at the first that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from etltctl.errors import EtltctlError, UsageError
from etltctl.ledger import Event, Ledger
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
from etltctl.pipeline.permitting import refusals_named
from etltctl.pipeline.preflight import require_permissions
from etltctl.pipeline.readiness import require_ready, unstarted
from etltctl.pipeline.refreshing import refresh_tables, table_facts
from etltctl.pipeline.services import Services
from etltctl.pipeline.stepping import begin, run_recorded
from etltctl.pipeline.wishes import Wish
from etltctl.pipeline.work import Work

if TYPE_CHECKING:
    from etltctl.publishing import Published
    from etltctl.settings import Settings

LISTED = "etltctl athena tables"


def run_pipeline(pipeline: str, settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """Runs the pipeline's steps in order and stops at the first that fails.

    A run id that ran before is taken up where it stands: live work is adopted, finished work reused, failed work
    started again. Raises the failed step's error, AlreadyRunningError if another process drives the run.
    """
    wish = wish or Wish()
    walk = wish.of(steps(pipeline, settings))
    with _recorded_run(pipeline, walk, settings, wish, is_pipeline=True) as (services, ledger):
        started = time.monotonic()
        ended = ledger.last("", "run.finished")
        results = [run_recorded(_work(pipeline, step, services, ledger, wish), wish) for step in walk]
        had_succeeded = ended is not None and ended["outcome"] == "succeeded"
        return PipelineResult(pipeline, ledger.run_id, _since(started), results, had_succeeded)


def run_alone(step: Step, settings: Settings, wish: Wish | None = None) -> StepResult:
    """Runs one step: of the pipeline run that the run id names, or as a run of its own."""
    check_exists(step, settings)
    wish = wish or Wish()
    with _recorded_run(step.name, [step], settings, wish) as (services, ledger):
        pipeline = ledger.pipeline or step.name
        return run_recorded(_work(pipeline, step, services, ledger, wish), wish)


def start_job(step: Step, settings: Settings, wish: Wish | None = None) -> StepResult:
    """Starts a Glue job and returns at once; running it again with the same run id waits and publishes."""
    check_exists(step, settings)
    wish = wish or Wish()
    services = Services(settings)
    with refusals_named(str(step), services), driven(services, wish, step.name) as ledger:
        require_ready(settings, unstarted([step], ledger.last, fresh=wish.fresh))
        record_resumed(ledger, step.name, [step], wish)
        with failure_ends(ledger):
            require_permissions([step], ledger.pipeline, services, ledger, fresh=wish.fresh)
            begun, run = begin(_work(ledger.pipeline, step, services, ledger, wish), wish)
    facts = {"run_id": ledger.run_id, "state": run.word if run else ""}
    return StepResult(str(step), begun.verb, begun.remote_id, facts=facts)


def take_up(events: Sequence[Event], settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """Goes on with the run these events tell of: adopts what lives, reuses what succeeded, redoes what failed."""
    begun = next((event for event in events if event["type"] == "run.started"), None)
    if begun is None or not begun.get("steps"):
        what = f"is a {begun['pipeline']}" if begun else "has lost its first event"
        raise UsageError(
            f"run {events[0]['run_id']} {what}: it has no steps to go on with",
            hint="etltctl runs list",
        )
    wish = replace(
        wish or Wish(), run_id=str(events[0]["run_id"]), first=begun["steps"][0], last=begun["steps"][-1]
    )
    if begun["pipeline"] in settings.pipelines:
        return run_pipeline(begun["pipeline"], settings, wish)
    result = run_alone(Step.parse(begun["steps"][0]), settings, wish)
    return PipelineResult(begun["pipeline"], wish.run_id, result.seconds, [result])


def check_exists(step: Step, settings: Settings) -> None:
    """Raises UsageError with the nearest name if the settings have no such source, Glue job or data source."""
    if step.kind == "sync":
        known(settings.sources, step.name, "source")
    elif step.kind == "tableau":
        known(settings.tableau.datasources, step.name, "data source")
    else:
        known(settings.glue.jobs, step.name, "Glue job")


def refresh(tables: list[str], settings: Settings, wish: Wish | None = None) -> StepResult:
    """Brings the catalog in line with the files of these tables (`layer.table`), of all if none is named."""
    every = Services(settings).lake.tables()
    for table in tables:
        known(dict.fromkeys(every), table, "table", LISTED)
    with _recorded_run("refresh", [], settings, wish or Wish()) as (services, ledger):
        return refresh_tables(tables or every, services, ledger)


def rollback(table: str, settings: Settings, to: str = "", wish: Wish | None = None) -> Published:
    """Makes an earlier published version of `layer.table` current again, on record as a run of its own."""
    lake = Services(settings).lake
    written = {name: name for job in settings.glue.jobs.values() for name in job.writes}
    known(written, table, "table with versions", LISTED)
    with _recorded_run("rollback", [], settings, wish or Wish()) as (_, ledger):
        published = lake.rollback(table, to, ledger.run_id)
        ledger.append("publish.switched", **table_facts([published]), version=published.version)
        return published


def _work(pipeline: str, step: Step, services: Services, ledger: Ledger, wish: Wish) -> Work:
    return Work(pipeline, step, services, ledger, wish.on_interrupt)


@contextmanager
def driven(services: Services, wish: Wish, name: str) -> Iterator[Ledger]:
    """The run's ledger, read once nobody else drives the run."""
    run_id = safe_run_id(wish.run_id) or new_run_id(name)
    with services.store.lease(run_id) as is_lost:
        yield Ledger(services.store, run_id, services.settings.env, wish.on_event, is_lost)


def record_begin(ledger: Ledger, name: str, walk: Sequence[Step], wish: Wish) -> None:
    """Record that the run begins or resumes, with its options: those of `wish`, else those that it had before."""
    options = ledger.options | wish.options
    ledger.append("run.started", pipeline=name, steps=[str(step) for step in walk], options=options)


def record_resumed(ledger: Ledger, name: str, walk: Sequence[Step], wish: Wish) -> None:
    """Record the begin of a run that is new, and new options of one that is not."""
    if not ledger.pipeline:
        record_begin(ledger, name, walk, wish)
    elif ledger.options != ledger.options | wish.options:
        ledger.append("run.options", options=ledger.options | wish.options)


@contextmanager
def failure_ends(ledger: Ledger) -> Iterator[None]:
    """Puts on record that the run, or this try of it, has ended if it ends in an error or an interrupt."""
    try:
        yield
    except BaseException as error:
        ledger.note("run.finished", outcome=outcome_of(error), seconds=ledger.seconds)
        raise


@contextmanager
def _recorded_run(
    name: str, walk: list[Step], settings: Settings, wish: Wish, *, is_pipeline: bool = False
) -> Iterator[tuple[Services, Ledger]]:
    """A run in the ledger from its first event to its last, however it ends, driven by nobody else.

    Raises UsageError for a whole pipeline under the id of a run of something else: its jobs would start once more.
    """
    services = Services(settings)
    started = time.monotonic()
    first = str(walk[0]) if walk else ""
    with refusals_named(first, services), driven(services, wish, name) as ledger:
        if is_pipeline and ledger.pipeline not in ("", name):
            raise UsageError(
                f"run {ledger.run_id} is a run of {ledger.pipeline}, not of {name}",
                hint=f"leave out --run-id to start a new run, or: etltctl retry {ledger.run_id}",
            )
        require_ready(settings, unstarted(walk, ledger.last, fresh=wish.fresh))
        record_begin(ledger, name, walk, wish)
        try:
            require_permissions(walk, ledger.pipeline, services, ledger, fresh=wish.fresh)
            yield services, ledger
        except BaseException as error:
            if isinstance(error, EtltctlError):
                error.name_retry("the same command")  # a run without steps cannot be resumed
            ledger.note("run.finished", outcome=outcome_of(error), seconds=_since(started))
            raise
        ledger.append("run.finished", outcome="succeeded", seconds=_since(started))


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)
