"""Govern: Lake Formation as code, the readers of a table, and the accesses on record."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.plan_commands import DetailedExitcode, DryRun, announcement, confirmation, show_plan
from etltctl.cli.protection import Yes
from etltctl.cli.session import Session

app = group("Plan and apply Lake Formation's grants, and show readers.")


@app.command("plan")
def plan_changes(context: typer.Context, detailed_exitcode: DetailedExitcode = False) -> int:
    """Show how Lake Formation differs from the settings. Changes nothing."""
    from etltctl.governance import plan
    from etltctl.pipeline import changes_of_pipelines

    return show_plan(
        context.obj,
        "govern",
        lambda settings: plan(settings, changes_of_pipelines(settings)),
        detailed=detailed_exitcode,
    )


@app.command("apply")
def apply_changes(context: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> int:
    """Make Lake Formation match the settings. Grants come before revokes, and what is not managed stays."""
    from etltctl.governance import apply
    from etltctl.pipeline import changes_of_pipelines
    from etltctl.plans import outcome

    if dry_run:
        return plan_changes(context)
    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern apply"):
        number = apply(
            settings,
            changes_of_pipelines(settings),
            confirm=confirmation(session, yes=yes),
            on_change=announcement(session),
        )
    document = {"schema": "etltctl.govern-apply/1", "changes": number}
    session.console.result(document, outcome("Lake Formation", number))
    return 0


@app.command("who")
def who_sees(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="layer.table, such as gold.weather_daily")],
) -> None:
    """Show who sees a table. Prints which columns and rows, and through which grant."""
    from etltctl.governance import who

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern who"):
        readers = who(table, settings)
    columns = ("principal", "columns", "rows", "through")
    no_reader = f"No principal sees {table}."
    session.console.rows("etltctl.govern-who/1", columns, map(astuple, readers), none=no_reader, table=table)


@app.command("audit")
def audit_accesses(
    context: typer.Context,
    table: Annotated[str, typer.Option("--table", help="layer.table; all of them if none is named.")] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since", help="Only reads after this: 90m, 12h, 7d or 2w ago, or a date; at most 90 days ago."
        ),
    ] = "7d",
) -> None:
    """Show who read governed tables. The source is CloudTrail's GetDataAccess events."""
    from etltctl.governance import read_accesses

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern audit"):
        accesses = read_accesses(settings, table=table, since=since)
    columns = ("at", "principal", "table", "service", "permissions", "outcome")
    # The console writes a time as its reader wants it: UTC for programs, the local zone for people.
    rows = [(datetime.fromisoformat(access.at), *astuple(access)[1:]) for access in accesses]
    no_access = f"No access on record (--since {since})."
    session.console.rows("etltctl.govern-audit/1", columns, rows, none=no_access)
