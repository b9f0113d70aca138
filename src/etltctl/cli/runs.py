"""Investigate: what ran, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.protection import Yes, consent_to_start, require_choice, require_consent
from etltctl.cli.run import MaxUsd, OnInterrupt
from etltctl.cli.run import show_run as show_result
from etltctl.cli.run_state import facts_line
from etltctl.cli.session import Interruption, Session
from etltctl.errors import NextStep, command
from etltctl.runs import Outcome
from etltctl.tabulating import Cells, folded, local_time

if TYPE_CHECKING:
    from etltctl.history import Cost, RunSummary

RunName = Annotated[str, typer.Argument(help="the run, or the end of its id; the newest if none is named")]

OfPipeline = Annotated[str, typer.Option("--pipeline", help="Only runs of this pipeline.")]
Since = Annotated[
    str, typer.Option("--since", help="Only runs started since: 90m, 12h, 7d or 2w ago, or a date.")
]
Until = Annotated[str, typer.Option("--until", help="Only runs started before, as for --since.")]
NO_COST = "No run has cost anything yet."


class Sum(StrEnum):
    """What costs are summed by."""

    PIPELINE = "pipeline"
    STEP = "step"
    DAY = "day"


app = group("Look at earlier runs.")


@app.command("list")
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="List at most this many runs.")] = 20,
    status: Annotated[
        list[Outcome] | None,
        typer.Option("--status", help="Only this outcome. May be given again.", show_default=False),
    ] = None,
    pipeline: OfPipeline = "",
    since: Since = "",
    until: Until = "",
) -> None:
    """List the newest runs, and how they ended or stand. Calls no service."""
    from etltctl.history import RunFilter, summaries

    session: Session = context.obj
    run_filter = RunFilter(status or (), pipeline, since, until)
    settings = session.load_for_record()
    run_list = summaries(settings, limit, run_filter)
    rows = [
        (
            run.run_id,
            run.pipeline,
            datetime.fromisoformat(run.started) if run.started else "",
            run.outcome,
            run.seconds,
            *_places(run, is_for_people=session.console.is_for_people),
        )
        for run in run_list
    ]
    # The documents keep their fields' names: docs/stability.md.
    places = ("stopped at",) if session.console.is_for_people else ("failed at", "stopped at")
    columns = ("run", "pipeline", "started", "outcome", "seconds", *places)
    none = NextStep("No runs yet: ", command("run", next(iter(settings.pipelines), "PIPELINE")), ".")
    none = NextStep("No run matches the filter.") if run_filter.has_filter else none
    session.console.rows("etltctl.runs/1", columns, rows, none=none)
    if run_list.unread:
        session.console.say(f"{run_list.unread:,} older runs were not read; --since narrows the search")


def _places(run: RunSummary, *, is_for_people: bool) -> Sequence[str]:
    """Return the step at which a run stopped; in a document also the one that failed: a detached step did not."""
    failed_at = "" if run.outcome == Outcome.DETACHED else run.stopped_at
    return (run.stopped_at,) if is_for_people else (failed_at, run.stopped_at)


@app.command("show")
def show_run(
    context: typer.Context,
    run_id: RunName = "",
) -> None:
    """Show one run: every event, in order."""
    from etltctl.history import find_run

    session: Session = context.obj
    run = find_run(session.load_for_record(), run_id)
    if session.console.is_for_people:
        head = ("seq", "time", "step", "event", "facts")
        rows = [
            (event["seq"], local_time(event["ts"]), event["step"], event["type"], facts_line(event))
            for event in run
        ]
        if session.console.output == "table":
            session.console.result({}, "\n".join(folded(head, rows)))
        else:
            session.console.rows("etltctl.events/1", head, rows)
        return
    if session.console.output == "ndjson":
        session.console.stream(run)
        return
    # Events differ in their facts, and a CSV file needs one head for all.
    columns = tuple(dict.fromkeys(name for event in run for name in event))
    session.console.rows(
        "etltctl.events/1", columns, [[event.get(name) for name in columns] for event in run]
    )


@app.command("watch")
def watch_run(
    context: typer.Context,
    run_id: RunName = "",
    max_usd: MaxUsd = None,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Follow a run to its end. Waits for live remote runs, then runs the steps after them. Repeats no failed step."""
    from etltctl.history import Having, find_run
    from etltctl.pipeline import RunOptions, watch

    session: Session = context.obj
    events = find_run(session.load(), run_id, Having.STEPS)
    name = str(events[0].get("pipeline", ""))
    reach = session.following(name, RunOptions(max_usd=max_usd), on_interrupt, so_far=events)
    with reach as (settings, options):
        result = watch(
            events,
            settings,
            options,
            before_starts=consent_to_start(session, settings, events, yes=yes, is_named=bool(run_id)),
        )
    show_result(session, settings, result)


@app.command("cancel")
def cancel(
    context: typer.Context,
    run_id: RunName = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    yes: Yes = False,
) -> None:
    """Stop the live remote runs of a run. A remote run that etltctl did not start continues.

    Without RUN_ID it is the newest run, after a question on a terminal, else with --yes only.
    """
    from etltctl.history import Having, find_run
    from etltctl.pipeline import cancel_run

    session: Session = context.obj
    with session.connected() as settings:
        events = find_run(settings, run_id, Having.STEPS)
        run = str(events[0]["run_id"])
        require_consent(session, settings, f"cancel run {run}", yes=yes, named=() if run_id else (run,))
        what = f"cancel run {run} of {events[0].get('pipeline', '')}, the newest"
        require_choice(session, what, run, yes=yes, is_named=bool(run_id), is_protected=settings.protected)
        cancelled = cancel_run(events, settings, reason)
    rows = [(one.service, one.name, one.remote_id, one.status, one.done) for one in cancelled]
    # The documents keep the field's name, `found`: docs/stability.md.
    status = "state" if session.console.is_for_people else "found"
    columns = ("service", "name", "remote run", status, "done")
    session.console.rows("etltctl.runs-cancel/1", columns, rows, none="The run has started nothing remotely.")


@app.command("rebuild")
def rebuild_runs(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="the lost run's whole id; all of them if none is named")] = "",
) -> None:
    """Rebuild lost events from Glue, Airbyte and the catalog. Without RUN_ID, every lost run is rebuilt."""
    from etltctl.pipeline import rebuild

    session: Session = context.obj
    with session.connected() as settings:
        rebuilt = rebuild(settings, run_id)
    rows = [(run.run_id, run.pipeline, run.remote_runs) for run in rebuilt]
    session.console.rows(
        "etltctl.runs-rebuild/1", ("run", "pipeline", "remote runs"), rows, none="No run was lost."
    )


@app.command("logs")
def logs(
    context: typer.Context,
    run_id: RunName = "",
    step: Annotated[str, typer.Argument(help="the step; the newest Glue job if none is named")] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job run has ended.")
    ] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="Only errors, each with its trace, of both logs.")
    ] = False,
) -> None:
    """Show the logs of a run's Glue job. They are those of driver and executors, output and errors."""
    from etltctl.cli.log_spool import COLUMNS, LogSpool
    from etltctl.history import Having, find_run
    from etltctl.pipeline import read_logs

    session: Session = context.obj
    # A stream is written line by line; a document must be whole before its first line.
    is_document = session.console.output in ("json", "csv", "markdown")
    with LogSpool.opened() as spool:
        emit = spool.add if is_document else session.console.log_line
        with session.connected() as settings:
            run = find_run(settings, run_id, Having.REMOTE_RUNS)
            reading = read_logs(run, settings, emit, step=step, is_errors_only=errors, follow=follow)
        if is_document:
            session.console.rows("etltctl.runs-logs/1", COLUMNS, spool.rows())
    # After the lines: what was read is shown, and then that it is not all.
    reading.require_whole()
    if (nothing := reading.note_if_empty()).parts:
        session.console.say(nothing)


def cost(
    context: typer.Context,
    by: Annotated[Sum, typer.Option("--by", help="Group the sums by this.")] = Sum.PIPELINE,
    pipeline: OfPipeline = "",
    since: Since = "",
    until: Until = "",
) -> None:
    """Sum what the runs cost: actual as reported, or estimated. Work on this machine (env local) costs 0.00."""
    from etltctl.history import RunFilter, costs

    session: Session = context.obj
    is_table = session.console.is_for_people
    run_filter = RunFilter((), pipeline, since, until)
    every = costs(session.load_for_record(), by, run_filter)
    total = round(sum(cost.usd for cost in every), 4)
    rows = list(map(_shown_cost if is_table else _cost_fields, every))
    if is_table and every:
        bases = dict.fromkeys(cost.basis for cost in every)
        counts = sum(cost.job_runs for cost in every), sum(cost.queries for cost in every)
        rows.append(("total", "", *counts, _dollars(total), " and ".join(bases)))
    # The documents keep their fields' names: docs/stability.md.
    names = ("job runs", "queries", "USD", "basis")
    columns = names if is_table else ("billed", "usd", "basis", "job runs", "queries")
    none = "No run that matches the filter has cost anything." if run_filter.has_filter else NO_COST
    session.console.rows("etltctl.cost/1", (str(by), "env", *columns), rows, none=none, total_usd=total)


def _shown_cost(cost: Cost) -> Cells:
    return cost.key, cost.env, cost.job_runs, cost.queries, _dollars(cost.usd), cost.basis


def _cost_fields(cost: Cost) -> Cells:
    return cost.key, cost.env, cost.number, cost.usd, cost.basis, cost.job_runs, cost.queries


def _dollars(usd: float) -> str:
    """Return an amount as people write it; of less than a cent, its first digits."""
    return f"{usd:.2f}" if usd == 0 or usd >= 0.01 else f"{usd:.4f}"
