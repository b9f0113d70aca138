"""Backfill: the seasons of a pipeline's source in chunks."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etltctl.cli.chunk_progress import drawn_chunks
from etltctl.cli.protection import Yes, require_consent
from etltctl.cli.run import OnInterrupt
from etltctl.cli.session import Interruption, Session
from etltctl.errors import NextStep, command
from etltctl.tabulating import Cells

if TYPE_CHECKING:
    from etltctl.pipeline import BackfillPlan, BackfillResult, ChunkResult
    from etltctl.settings import Settings

SCHEMA, PLAN_SCHEMA = "etltctl.backfill/1", "etltctl.backfill-plan/1"


def backfill(
    context: typer.Context,
    pipeline: Annotated[str, typer.Argument(help="a pipeline whose source has seasons, such as api")],
    start: Annotated[str, typer.Option("--start", metavar="SEASON", help="The first season.")],
    end: Annotated[str, typer.Option("--end", metavar="SEASON", help="The last season, which is included.")],
    chunk: Annotated[int, typer.Option("--chunk", metavar="N", help="Seasons that one run adds.")] = 1,
    max_usd: Annotated[
        float | None,
        typer.Option(
            "--max-usd",
            metavar="USD",
            min=0.0,
            help="The budget of all chunks together. A resumed backfill keeps it without this.",
        ),
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Start the next chunk after one that failed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the chunks and an estimate, and start nothing.")
    ] = False,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Read a range of seasons in chunks, each a run of the pipeline. The same command resumes it."""
    from etltctl.pipeline import (
        BackfillOptions,
        RunOptions,
        jobs_to_warm,
        plan_backfill,
        require_backfillable,
        run_backfill,
        steps,
    )

    session: Session = context.obj
    options = BackfillOptions(start, end, chunk, max_usd, keep_going)

    def check(settings: Settings) -> None:
        require_backfillable(pipeline, settings, options)
        if not dry_run:
            session.require_ready(settings, steps(pipeline, settings))
            require_consent(session, settings, f"backfill pipeline {pipeline}", yes=yes)

    if dry_run:
        with session.connected(check) as settings:
            show_plan(session, settings, plan_backfill(pipeline, settings, options))
        return

    def next_jobs(settings: Settings) -> list[str]:
        return jobs_to_warm(steps(pipeline, settings))

    with drawn_chunks(session.console) as progress:
        reach = session.following(
            pipeline, RunOptions(), on_interrupt, check, next_jobs=next_jobs, drawn=nullcontext(progress)
        )
        with reach as (settings, run):

            def show(result: BackfillResult) -> None:
                progress.settle()
                show_result(session, settings, result)

            run_backfill(
                pipeline,
                settings,
                replace(
                    options,
                    run=run,
                    on_begin=progress.begin,
                    on_start=progress.start,
                    on_end=progress.end,
                    on_result=show,
                    warn=progress.warn,
                ),
            )


def show_plan(session: Session, settings: Settings, plan: BackfillPlan) -> None:
    """Print what a backfill would do."""
    rows: list[Cells] = [
        (chunk.label, chunk.run_id(plan.id) if plan.is_resumed else None, len(reads))
        for chunk, reads in zip(plan.chunks, plan.reads, strict=True)
    ]
    facts: dict[str, Any] = {
        "pipeline": plan.pipeline,
        "env": settings.env,
        "source": plan.source,
        "held": list(plan.held),
        "seconds": plan.seconds,
        "usd": plan.usd,
    }
    columns = ("chunk", "run", "seasons read")
    session.console.rows(PLAN_SCHEMA, columns, rows, none=_nothing(plan), **facts)
    if plan.chunks and session.console.is_for_people:
        session.console.say(_estimate(plan))


def show_result(session: Session, settings: Settings, result: BackfillResult) -> None:
    """Print what became of each chunk."""
    plan, console = result.plan, session.console
    # The errors are printed below the table, with what to do next; in a column they would be cut.
    more = () if console.is_for_people else ("error",)
    columns = ("chunk", "run", "outcome", "rows", "seconds", "usd", *more)
    rows = [_cells(each)[: len(columns)] for each in result.chunks]
    facts: dict[str, Any] = {
        "backfill": plan.id,
        "pipeline": plan.pipeline,
        "env": settings.env,
        "outcome": result.outcome,
        "total_seconds": result.seconds,
        "total_usd": round(result.usd, 6),
    }
    if console.is_streaming:
        console.say(_total(result))
        return
    # What a pipe reads must not depend on the width of a terminal.
    width = get_terminal_size().columns if console.stdout.isatty() else 0
    console.rows(SCHEMA, columns, rows, none=_nothing(plan), width=width, **facts)
    if plan.chunks and console.is_for_people:
        console.say(_total(result))


def _cells(result: ChunkResult) -> Cells:
    usd = round(result.usd, 6)
    outcome = str(result.outcome)
    return result.chunk.label, result.run_id, outcome, result.rows, result.seconds, usd, result.error


def _nothing(plan: BackfillPlan) -> NextStep:
    return NextStep(
        f"bronze holds every season from {plan.start} to {plan.end}, so no chunk would add one. To read them again and "
        "publish: ",
        command("run", plan.pipeline),
    )


def _estimate(plan: BackfillPlan) -> str:
    """Return what the chunks are expected to take and cost, by the newest successful run."""
    again = (
        f"{_counted(plan.added, 'new season')}; the syncs read {_counted(plan.read_count, 'season')}, because each "
        "sync also reads what bronze already holds"
    )
    if plan.seconds is None:
        return (
            f"{again}. No run of {plan.pipeline} has succeeded yet, so no time and no cost can be estimated."
        )
    return (
        f"{again}. By the newest run: at least {plan.seconds:.0f} s and {plan.usd:.2f} USD est. for "
        f"{len(plan.chunks)} chunks."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _total(result: BackfillResult) -> NextStep:
    """Return the line below the table: the total, and how to go on if a chunk is left."""
    total = (
        f"{result.done} of {len(result.chunks)} chunks done in {result.seconds:.0f} s, {result.usd:.2f} USD"
    )
    if result.done == len(result.chunks):
        return NextStep(f"{total}.")
    return NextStep(f"{total}. To go on: ", result.plan.command)
