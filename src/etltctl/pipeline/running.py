"""The story of the product: walk the steps of a pipeline, record each, stop at the first that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from etltctl.errors import EtltctlError, UsageError
from etltctl.ledger import Event, Ledger
from etltctl.pipeline.dashboards import run_tableau
from etltctl.pipeline.jobs import run_glue, start_glue
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
from etltctl.pipeline.refreshing import refresh_pipeline, refresh_tables, table_facts
from etltctl.pipeline.services import Services
from etltctl.pipeline.syncing import run_sync
from etltctl.pipeline.work import OnInterrupt, Work, always_stop

if TYPE_CHECKING:
    from etltctl.publishing import Published
    from etltctl.settings import Settings

Listener = Callable[[Event], None]

STEP_KINDS = {"sync": run_sync, "glue": run_glue, "athena": refresh_pipeline, "tableau": run_tableau}


@dataclass(frozen=True)
class Wish:
    """What the caller wants of a run, beyond what the settings say.

    `run_id` takes up an earlier run; `fresh` starts its work anew, whatever came of it; `first`, `last` and `only`
    name steps (`kind:name`, the name, or a kind there is one step of); `on_interrupt` decides what becomes of remote
    work.
    """

    run_id: str = ""
    fresh: bool = False
    first: str = ""
    last: str = ""
    only: str = ""
    on_interrupt: OnInterrupt = field(default=always_stop, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    def of(self, walk: Sequence[Step]) -> list[Step]:
        """The steps that are wanted, in their order; raises UsageError for one that is not there."""
        if self.only:
            if self.first or self.last:
                raise UsageError("--only names one step; --from and --to do not go with it")
            return [_named(self.only, walk)]
        first = walk.index(_named(self.first, walk)) if self.first else 0
        last = walk.index(_named(self.last, walk)) if self.last else len(walk) - 1
        if first > last:
            raise UsageError(f"step {self.first} comes after {self.last}", hint=_told(walk))
        return list(walk[first : last + 1])


def run_pipeline(pipeline: str, settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """Runs the pipeline's steps in order and stops at the first that fails.

    A run id that ran before is taken up where it stands: live work is adopted, finished work reused, failed work
    started again. Raises the failed step's error, AlreadyRunningError if another process drives the run.
    """
    wish = wish or Wish()
    walk = wish.of(steps(pipeline, settings))
    with _recorded_run(pipeline, walk, settings, wish) as (services, ledger):
        started = time.monotonic()
        results = [
            _run_recorded(Work(pipeline, step, services, ledger, wish.on_interrupt), wish) for step in walk
        ]
        return PipelineResult(pipeline, ledger.run_id, _since(started), results)


def run_step(
    pipeline: str,
    step: str,
    *,
    run_id: str,
    fresh: bool = False,
    settings: Settings | None = None,
    on_event: Listener | None = None,
) -> dict[str, Any]:
    """Runs one step of the pipeline as part of the run `run_id` and returns its result as plain data.

    This is what an Airflow task calls: a retry of the same DAG run adopts or reuses what the first try started,
    `fresh` starts it anew.
    """
    from etltctl.settings import load_settings

    settings = settings or load_settings()
    wanted = next((known_step for known_step in steps(pipeline, settings) if str(known_step) == step), None)
    if wanted is None:
        walk = steps(pipeline, settings)
        raise UsageError(f"pipeline {pipeline} has no step {step}", hint=_told(walk))
    wish = Wish(run_id=run_id, fresh=fresh, on_event=on_event)
    services = Services(settings)
    with _driven(services, wish, pipeline) as ledger:
        walk = steps(pipeline, settings)
        if not ledger.pipeline:
            _record_begin(ledger, pipeline, walk)
        try:
            result = _run_recorded(Work(pipeline, wanted, services, ledger), wish)
        except BaseException as error:
            ledger.note("run.finished", outcome=outcome_of(error), seconds=ledger.seconds)
            raise
        if wanted == walk[-1]:
            ledger.note("run.finished", outcome="succeeded", seconds=ledger.seconds)
        return result.as_dict()


def run_alone(step: Step, settings: Settings, wish: Wish | None = None) -> StepResult:
    """Runs one step: of the pipeline run that the run id names, or as a run of its own."""
    check_exists(step, settings)
    wish = wish or Wish()
    with _recorded_run(step.name, [step], settings, wish) as (services, ledger):
        pipeline = ledger.pipeline or step.name
        return _run_recorded(Work(pipeline, step, services, ledger, wish.on_interrupt), wish)


def start_job(step: Step, settings: Settings, wish: Wish | None = None) -> StepResult:
    """Starts a Glue job and returns at once; running it again with the same run id waits and publishes."""
    check_exists(step, settings)
    wish = wish or Wish()
    services = Services(settings)
    with _driven(services, wish, step.name) as ledger:
        if not ledger.pipeline:
            _record_begin(ledger, step.name, [step])
        work = Work(ledger.pipeline, step, services, ledger)
        _plan(work, wish)
        verb, run = start_glue(work)
        ledger.append(f"remote.{verb}", str(step), service=run.service, remote_id=run.id, state=run.word)
    return StepResult(str(step), verb, run.id, facts={"run_id": ledger.run_id, "state": run.word})


def take_up(events: Sequence[Event], settings: Settings, wish: Wish | None = None) -> PipelineResult:
    """Goes on with the run these events tell of: adopts what lives, reuses what succeeded, redoes what failed."""
    begun = next((event for event in events if event["type"] == "run.started"), None)
    if begun is None or not begun.get("steps"):
        raise UsageError("the run's events do not tell which steps it has", hint="start a new run")
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
        known(dict.fromkeys(every), table, "table")
    with _recorded_run("refresh", [], settings, wish or Wish()) as (services, ledger):
        return refresh_tables(tables or every, services, ledger)


def rollback(table: str, settings: Settings, to: str = "", wish: Wish | None = None) -> Published:
    """Makes an earlier published version of `layer.table` current again, on record as a run of its own."""
    lake = Services(settings).lake
    written = {name: name for job in settings.glue.jobs.values() for name in job.writes}
    known(written, table, "table with versions")
    with _recorded_run("rollback", [], settings, wish or Wish()) as (_, ledger):
        published = lake.rollback(table, to)
        ledger.append("publish.switched", **table_facts([published]), version=published.version)
        return published


def _named(name: str, walk: Sequence[Step]) -> Step:
    named = [step for step in walk if name in (str(step), step.name)]
    found = named or [step for step in walk if name == step.kind]
    if len(found) != 1:
        what = f"step {name} could be any of {len(found)}" if found else f"there is no step {name}"
        raise UsageError(what, hint=_told(walk))
    return found[0]


def _told(walk: Sequence[Step]) -> str:
    return f"the steps are {', '.join(map(str, walk))}"


@contextmanager
def _driven(services: Services, wish: Wish, name: str) -> Iterator[Ledger]:
    """The run's ledger, read once nobody else drives the run."""
    run_id = safe_run_id(wish.run_id) or new_run_id(name)
    with services.store.lease(run_id):
        yield Ledger(services.store, run_id, services.settings.env, wish.on_event)


def _record_begin(ledger: Ledger, name: str, walk: Sequence[Step]) -> None:
    ledger.append("run.started", pipeline=name, steps=[str(step) for step in walk])


@contextmanager
def _recorded_run(
    name: str, walk: list[Step], settings: Settings, wish: Wish
) -> Iterator[tuple[Services, Ledger]]:
    """A run in the ledger from its first event to its last, however it ends, driven by nobody else."""
    services = Services(settings)
    started = time.monotonic()
    with _driven(services, wish, name) as ledger:
        _record_begin(ledger, name, walk)
        try:
            yield services, ledger
        except BaseException as error:
            ledger.note("run.finished", outcome=outcome_of(error), seconds=_since(started))
            raise
        ledger.append("run.finished", outcome="succeeded", seconds=_since(started))


def _plan(work: Work, wish: Wish) -> None:
    fresh = {"fresh": True} if wish.fresh else {}
    work.ledger.append("step.planned", str(work.step), **fresh)


def _run_recorded(work: Work, wish: Wish) -> StepResult:
    started = time.monotonic()
    step = str(work.step)
    _plan(work, wish)
    try:
        result = STEP_KINDS[work.step.kind](work)
    except BaseException as error:
        message = error.message if isinstance(error, EtltctlError) else type(error).__name__
        facts = {"outcome": outcome_of(error), "seconds": _since(started), "error": message}
        work.ledger.note("step.finished", step, **facts)
        raise
    result = replace(result, seconds=_since(started))
    facts = {name: value for name, value in result.as_dict().items() if name != "step"}
    work.ledger.append("step.finished", step, outcome="succeeded", **facts)
    return result


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)
