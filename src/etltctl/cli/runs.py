"""Investigate: what ran, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.session import Session
from etltctl.console import local_time

app = typer.Typer(help="Look at earlier runs.", no_args_is_help=True)


@app.command("list")
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
) -> None:
    """List the newest runs and how they ended."""
    from etltctl.history import summaries

    session: Session = context.obj
    rows = [
        (run.run_id, run.pipeline, local_time(run.started), run.outcome, run.seconds, run.stopped_at)
        for run in summaries(session.load(), limit)
    ]
    columns = ("run", "pipeline", "started", "outcome", "seconds", "failed at")
    session.console.rows("etltctl.runs/1", columns, rows)


@app.command("show")
def show_run(
    context: typer.Context,
    run_id: Annotated[
        str, typer.Argument(help="the run, or the end of its id; the newest if none is named")
    ] = "",
) -> None:
    """Show one run: every event, in order."""
    from etltctl.history import find_run

    session: Session = context.obj
    run = find_run(session.load(), run_id)
    if session.console.output == "table":
        rows = [
            (event["seq"], local_time(event["ts"]), event["step"], event["type"], told(event))
            for event in run
        ]
        session.console.rows("etltctl.events/1", ("seq", "time", "step", "event", "facts"), rows)
        return
    columns = tuple(dict.fromkeys(name for event in run for name in event))
    session.console.rows(
        "etltctl.events/1", columns, [[event.get(name) for name in columns] for event in run]
    )


def told(event: dict[str, object]) -> str:
    """An event's own facts on one line."""
    common = {"ts", "seq", "run_id", "step", "env", "type", "tables"}
    return " ".join(f"{name}={value}" for name, value in event.items() if name not in common)
