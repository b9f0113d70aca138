"""Run: whole pipelines, single syncs, single Glue jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.protection import Yes, require_clear, require_consent
from etltctl.cli.session import Interruption, Session
from etltctl.errors import NextStep, command

if TYPE_CHECKING:
    from etltctl.pipeline import PipelineResult
    from etltctl.settings import Settings

RunId = Annotated[
    str,
    typer.Option(
        "--run-id",
        help=(
            "Resume this run: adopt live remote runs, reuse successful ones, repeat failed ones. "
            "The end of its id is enough."
        ),
    ),
]
New = Annotated[bool, typer.Option("--new", help="With --run-id: begin a run of that id.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="With --run-id: start every step again, also those that succeeded.")
]
OnInterrupt = Annotated[
    Interruption,
    typer.Option(
        "--on-interrupt", help="What Ctrl-C does to remote work. Without a terminal, ask means stop."
    ),
]
MaxUsd = Annotated[
    float | None,
    typer.Option(
        "--max-usd",
        metavar="USD",
        min=0.0,
        help="Stop job runs and queries once the run has cost this much. Without it, a resumed run keeps its limit.",
    ),
]
Full = Annotated[
    bool,
    typer.Option(
        "--full", help="Incremental jobs read everything, in this run and in every resumption of it."
    ),
]
First = Annotated[
    str, typer.Option("--from", metavar="STEP", help="Begin with this step: kind:name, or the name.")
]
Last = Annotated[str, typer.Option("--to", metavar="STEP", help="End with this step.")]
Only = Annotated[str, typer.Option("--only", metavar="STEP", help="Run this step alone.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the top level."""
    app.command("run")(run)
    app.command("sync")(sync)
    app.command("run-glue")(run_glue)


def run(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="a pipeline of the settings, such as mongodb")],
    run_id: RunId = "",
    new: New = False,
    first: First = "",
    last: Last = "",
    only: Only = "",
    fresh: Fresh = False,
    full: Full = False,
    max_usd: MaxUsd = None,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Run a pipeline end to end: sync, Glue jobs, catalog."""
    from etltctl.pipeline import RunOptions, jobs_to_warm, run_pipeline, steps

    session: Session = context.obj
    run_id = session.run_id(run_id, is_new=new, is_fresh=fresh)
    options = RunOptions(run_id, fresh, first, last, only, max_usd=max_usd, full=full)

    def check(settings: Settings) -> None:
        session.require_ready(settings, options.select(steps(pipeline, settings)), run_id, fresh=fresh)
        require_consent(session, settings, f"run pipeline {pipeline}", yes=yes)

    def next_jobs(settings: Settings) -> list[str]:
        return jobs_to_warm(options.select(steps(pipeline, settings)))

    reach = session.following(pipeline, options, on_interrupt, check, next_jobs=next_jobs)
    with reach as (settings, options):
        result = run_pipeline(pipeline, settings, options)
    show_run(session, settings, result)


def show_run(session: Session, settings: Settings, result: PipelineResult) -> None:
    """Print what a run did, as a document or in a sentence."""
    done = (
        "had succeeded before: nothing to do" if result.is_reused else f"succeeded in {result.seconds:.0f} s"
    )
    document = {
        "schema": "etltctl.run/1",
        "run_id": result.run_id,
        "pipeline": result.pipeline,
        "env": settings.env,
        "outcome": "succeeded",
        "seconds": result.seconds,
        "steps": [step.as_dict() for step in result.steps],
    }
    session.console.result(document, f"Run {result.run_id} {done}. Its events and data: {settings.state}")


def sync(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="a source of the settings, such as mongodb")],
    run_id: RunId = "",
    new: New = False,
    fresh: Fresh = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Of an incremental source: delete its rows in bronze and its state, then read everything.",
        ),
    ] = False,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Sync one source into bronze, and prove that the rows landed."""
    from etltctl.pipeline import (
        RunOptions,
        SyncStep,
        check_exists,
        landed_text,
        require_clearable,
        run_alone,
        sync_fully,
    )

    session: Session = context.obj
    step = SyncStep.step(source)
    options = RunOptions(session.run_id(run_id, is_new=new, is_fresh=fresh), fresh)

    def check(settings: Settings) -> None:
        check_exists(step, settings)
        session.require_ready(settings, [step], options.run_id, fresh=fresh)
        if full:
            with session.reading(settings) as reached:
                require_clearable(source, reached, options)
            require_clear(session, source, yes=yes)
        else:
            require_consent(session, settings, f"sync source {source}", yes=yes)

    with session.following(source, options, on_interrupt, check) as (settings, options):
        if full:
            result = sync_fully(source, settings, options, session.console.warn)
        else:
            result = run_alone(step, settings, options)
    text = f"Sync of {source} {result.verb} as job {result.remote_id}: {landed_text(result.facts)} in bronze"
    session.console.result({"schema": "etltctl.sync/1", **result.as_dict()}, text)


def run_glue(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="the Glue job's name")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for its end and publish its tables.")
    ] = False,
    run_id: RunId = "",
    new: New = False,
    fresh: Fresh = False,
    full: Full = False,
    max_usd: MaxUsd = None,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Start one Glue job, or adopt its run. With --wait, wait for its end and publish its tables."""
    from etltctl.pipeline import GlueStep, RunOptions, check_exists, run_alone, start_job

    session: Session = context.obj
    step = GlueStep.step(job)
    # The same step either way; the difference is whether this process waits for its end.
    go = run_alone if wait else start_job
    options = RunOptions(
        session.run_id(run_id, is_new=new, is_fresh=fresh), fresh, max_usd=max_usd, full=full
    )

    def check(settings: Settings) -> None:
        check_exists(step, settings)
        session.require_ready(settings, [step], options.run_id, fresh=fresh)
        require_consent(session, settings, f"run Glue job {job}", yes=yes)

    # Without --wait the job run outlives this command, and so must the embedded server.
    reach = session.following("run-glue", options, on_interrupt, check, outlives=not wait)
    with reach as (settings, options):
        result = go(step, settings, options)
    text = NextStep(f"Glue job {job} {result.verb} as {result.remote_id} and published")
    if not wait:
        resume = command("run-glue", job, "--wait", "--run-id", result.facts["run_id"])
        text = NextStep(f"Glue job {job} {result.verb} as {result.remote_id}; come back: ", resume)
    session.console.result({"schema": "etltctl.run-glue/1", **result.as_dict()}, text)
