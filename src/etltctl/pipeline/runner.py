"""The story of the product: walk the steps of a pipeline, record each, stop at the first that fails.

run_pipeline      for each step: start, finish
  start           start the remote run once, or adopt or reuse the one of this run
  finish          wait for it to end, then prove or publish what it wrote
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etltctl.errors import UsageError, command
from etltctl.ledger import Event
from etltctl.pipeline.catalog_step import refresh_tables
from etltctl.pipeline.failure_cause import cause_named
from etltctl.pipeline.failures import refusals_named
from etltctl.pipeline.kinds import kind_of, published_tables, remote_run_of, steps
from etltctl.pipeline.lost_starts import interruptible_start, wait_until_listed
from etltctl.pipeline.model import (
    PipelineResult,
    Step,
    StepHandle,
    StepResult,
    known,
    now,
    table_facts,
)
from etltctl.pipeline.options import Listener, RunOptions
from etltctl.pipeline.preflight import require_allowed, require_ready, unstarted
from etltctl.pipeline.recorded_result import already_done
from etltctl.pipeline.run_record import (
    driven,
    failure_ends,
    failure_recorded,
    record_plan,
    record_resumed,
    recorded_run,
    scheduled_step,
)
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.pipeline.step_wait import record_start
from etltctl.runs import Run, State

if TYPE_CHECKING:
    from etltctl.publishing import Published
    from etltctl.settings import Settings

TABLES_COMMAND = command("athena", "tables")


def run_pipeline(pipeline: str, settings: Settings, options: RunOptions | None = None) -> PipelineResult:
    """Run the pipeline's steps in order and stop at the first that fails.

    A run id that ran before resumes that run: live work is adopted, finished work reused, failed work started again.

    Args:
        pipeline: The pipeline's name.
        settings: The settings.
        options: The caller's options.

    Raises:
        DrivenElsewhereError: Another process drives the run.
        EtltctlError: The error of the step that failed.
    """
    options = options or RunOptions()
    walk = options.select(steps(pipeline, settings))
    with recorded_run(pipeline, walk, settings, options, is_pipeline=True) as (services, ledger):
        ended = ledger.last("", "run.finished")
        results = []
        for step in walk:
            step_run = StepRun.of(pipeline, step, services, ledger, options)
            results.append(_start_and_finish(step_run, options))
            if options.after_step is not None:
                options.after_step(step)
        had_succeeded = ended is not None and ended.get("outcome") == "succeeded"
    # After its last event, so that it is the time that `runs list`, `runs watch` and the report show.
    return PipelineResult(pipeline, ledger.run_id, ledger.driven_seconds, results, had_succeeded)


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
    """Run one step of the pipeline as part of the run `run_id`, for a scheduler that runs each step by itself.

    A retry of the same run adopts or reuses what the first try started.

    Args:
        pipeline: The pipeline's name.
        step: The step, `kind:name`.
        run_id: The run's id, the same for every step and every try. An id that is new begins a run.
        fresh: Start the step's work again, whatever the result so far.
        fresh_for: What `fresh` is for. The work starts again once for each value: tries that repeat one another
            pass the same.
        max_usd: The most that the whole run may cost, in US dollars. The run keeps it for its later steps and tries.
        settings: The settings; None loads them.
        on_event: A function that is called with every event.

    Returns:
        The step's result as plain data.
    """
    options = RunOptions(run_id, fresh, fresh_for=fresh_for, max_usd=max_usd, on_event=on_event)
    with scheduled_step(pipeline, step, options, settings) as step_run:
        return _start_and_finish(step_run, options).as_dict()


def run_alone(step: Step, settings: Settings, options: RunOptions | None = None) -> StepResult:
    """Run one step: of the pipeline run that the run id names, or as a separate run."""
    check_exists(step, settings)
    options = options or RunOptions()
    with recorded_run(step.name, [step], settings, options) as (services, ledger):
        pipeline = ledger.pipeline or step.name
        return _start_and_finish(StepRun.of(pipeline, step, services, ledger, options), options)


def start_job(step: Step, settings: Settings, options: RunOptions | None = None) -> StepResult:
    """Start a Glue job and return at once; the same call to `run_alone` with its run id waits and publishes."""
    check_exists(step, settings)
    options = options or RunOptions()
    services = Services(settings)
    with refusals_named(str(step), services), driven(services, options, step.name) as ledger:
        require_ready(settings, unstarted([step], ledger.last, fresh=options.fresh))
        record_resumed(ledger, step.name, [step], options, services)
        with failure_ends(ledger, services.settings):
            step_run = StepRun.of(ledger.pipeline, step, services, ledger, options)
            require_allowed([step_run], fresh=options.fresh)
            handle, run = start(step_run, options)
    facts = {"run_id": ledger.run_id, "state": run.status if run else ""}
    return StepResult(str(step), handle.verb, handle.remote_id, facts=facts)


def resume(events: Sequence[Event], settings: Settings, options: RunOptions | None = None) -> PipelineResult:
    """Resume the run of these events: adopt live work, reuse what succeeded, start again what failed.

    A run of which every step has succeeded is left as it is, unless its work is to start fresh.

    Args:
        events: The run's events.
        settings: The settings.
        options: The caller's options; the run and its steps come from the events.

    Raises:
        UsageError: The run has no steps, such as a rollback.
    """
    started = next((event for event in events if event["type"] == "run.started"), None)
    if started is None or not started.get("steps"):
        what = f"is a {started.get('pipeline', 'run')}" if started else "has lost its first event"
        raise UsageError(
            f"run {events[0]['run_id']} {what}: it has no steps to resume",
            hint=command("runs", "list"),
        )
    options = options or RunOptions()
    if done := already_done(events, options):
        return done
    options = replace(
        options,
        run_id=str(events[0]["run_id"]),
        first=started["steps"][0],
        last=started["steps"][-1],
    )
    pipeline = str(started.get("pipeline", ""))
    if pipeline in settings.pipelines:
        return run_pipeline(pipeline, settings, options)
    result = run_alone(Step.parse(started["steps"][0]), settings, options)
    return PipelineResult(pipeline, options.run_id, result.seconds, [result])


def _start_and_finish(step_run: StepRun, options: RunOptions) -> StepResult:
    handle, run = start(step_run, options)
    return finish(step_run, handle, run)


def start(step_run: StepRun, options: RunOptions) -> tuple[StepHandle, Run | None]:
    """Start what the step runs remotely, or find it. A step that runs nothing remotely is only planned.

    Returns:
        What another process needs to continue, and the remote run.
    """
    step = step_run.step
    handle = StepHandle(step_run.pipeline, str(step), step_run.ledger.run_id, now())
    record_plan(step_run, options)
    with failure_recorded(step_run, handle):
        with interruptible_start(step_run):
            wait_until_listed(step_run)  # an earlier try may have started it and died before the answer
            started = kind_of(step).start(step_run)
        if started is None:
            return handle, None
        run = started.run
        # From here on every later try finds the run by its id.
        record_start(step_run, started, remote_run_of(step, step_run.services, run.id))
    handle = replace(handle, verb=str(started.verb), remote_id=run.id, is_ours=started.is_ours)
    return replace(handle, is_running=run.state is State.RUNNING), run


def finish(step_run: StepRun, handle: StepHandle, run: Run | None = None) -> StepResult:
    """Wait for what was started, then prove or publish it; poll for the remote run first if it is not at hand."""
    step = step_run.step
    with failure_recorded(step_run, handle):
        if run is None and handle.remote_id:
            run = remote_run_of(step, step_run.services, handle.remote_id).poll()
        result = kind_of(step).finish(step_run, handle, run)
    result = replace(result, seconds=round(handle.elapsed, 2))
    facts = {name: value for name, value in result.as_dict().items() if name != "step"}
    step_run.ledger.append("step.finished", result.step, outcome="succeeded", **facts)
    return result


def check_exists(step: Step, settings: Settings) -> None:
    """Raise UsageError with the nearest name if the settings have no such source, Glue job or data source."""
    kind_of(step).require_known(step.name, settings)


def refresh(tables: list[str], settings: Settings, options: RunOptions | None = None) -> StepResult:
    """Bring the catalog in line with the files of these tables (`layer.table`), of all if none is named."""
    every = Services(settings).lake.tables()
    for table in tables:
        known(dict.fromkeys(every), table, "table", TABLES_COMMAND)
    words = ("athena", "refresh", *tables)
    with recorded_run("refresh", [], settings, options or RunOptions(), words=words) as (services, ledger):
        return refresh_tables(tables or every, services, ledger)


def rollback(table: str, settings: Settings, to: str = "", options: RunOptions | None = None) -> Published:
    """Make an earlier published version of a table current again, on record as a separate run.

    A rollback that is refused, such as one to an unknown version, changed nothing and leaves no run on record.

    Args:
        table: The table, `layer.table`.
        settings: The settings.
        to: The version; the one before the current one by default.
        options: The caller's options.

    Raises:
        UsageError: There is no such table.
        EtltctlError: The errors of `checked_rollback`, and those of the catalog.
    """
    services = Services(settings)
    known(dict.fromkeys(published_tables(settings)), table, "table with versions", TABLES_COMMAND)
    words = ("rollback", table, *(("--to", to) if to else ()))
    with (
        refusals_named("", services),
        cause_named(settings, words),
        services.lake.checked_rollback(table, to) as make_current,
        # Only after the checks: a refusal changes nothing, and so it leaves no failed run.
        recorded_run("rollback", [], settings, options or RunOptions(), words=words) as (_, ledger),
    ):
        published = make_current(ledger.run_id)
        ledger.append("publish.switched", **table_facts([published]), version=published.version)
        return published
