"""Run: whole pipelines, single syncs, single Glue jobs."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from etltctl.cli.session import Session

RunId = Annotated[
    str,
    typer.Option(
        "--run-id", help="Take up this run: adopt what lives, reuse what succeeded, redo what failed."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the top level."""
    app.command("run")(run)
    app.command("sync")(sync)
    app.command("run-glue")(run_glue)


def run(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="mongodb, api, or one of your own")],
    run_id: RunId = "",
) -> None:
    """Run a pipeline end to end: sync, Glue jobs, catalog."""
    from etltctl.pipeline import run_pipeline, steps

    session: Session = context.obj
    with (
        session.connected(partial(steps, pipeline)) as settings,
        session.console.following(pipeline) as on_event,
    ):
        result = run_pipeline(pipeline, settings, run_id=run_id, on_event=on_event)
    done = (
        "had succeeded before: nothing to do" if result.is_reused else f"succeeded in {result.seconds:.0f} s"
    )
    document = {
        "schema": "etltctl.run/1",
        "run_id": result.run_id,
        "pipeline": pipeline,
        "env": settings.env,
        "outcome": "succeeded",
        "seconds": result.seconds,
        "steps": [step.as_dict() for step in result.steps],
    }
    session.console.result(document, f"Run {result.run_id} {done}. Its events and data: {settings.state}")


def sync(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="mongodb, api, or one of your own")],
    run_id: RunId = "",
) -> None:
    """Sync one source into bronze, wait, and prove that the rows landed."""
    from etltctl.pipeline import Step, check_exists, run_alone

    session: Session = context.obj
    step = Step("sync", source)
    with (
        session.connected(partial(check_exists, step)) as settings,
        session.console.following(source) as on_event,
    ):
        result = run_alone(step, settings, run_id=run_id, on_event=on_event)
    text = (
        f"Sync of {source} {result.verb} as job {result.remote_id}: {result.facts['rows']:,} rows in bronze"
    )
    session.console.result({"schema": "etltctl.sync/1", **result.as_dict()}, text)


def run_glue(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="the Glue job's name")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for its end and publish its tables.")
    ] = False,
    run_id: RunId = "",
) -> None:
    """Start one Glue job, or adopt its run; with --wait see it through and publish."""
    from etltctl.pipeline import Step, check_exists, run_alone, start_job

    session: Session = context.obj
    step = Step("glue", job)
    go = run_alone if wait else start_job
    reach = session.connected(partial(check_exists, step), outlives=not wait)
    with reach as settings, session.console.following("run-glue") as on_event:
        result = go(step, settings, run_id=run_id, on_event=on_event)
    told = (
        "and published"
        if wait
        else f"; come back: etltctl run-glue {job} --wait --run-id {result.facts['run_id']}"
    )
    text = f"Glue job {job} {result.verb} as {result.remote_id} {told}".replace(" ;", ";")
    session.console.result({"schema": "etltctl.run-glue/1", **result.as_dict()}, text)
