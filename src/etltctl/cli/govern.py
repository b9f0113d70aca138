"""Govern: Lake Formation as the settings want it, who sees what, who looked."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ExitCode
from etltctl.tabulating import local_time

if TYPE_CHECKING:
    from etltctl.governance import Plan

app = group("Lake Formation: desired against actual.")


@app.command("plan")
def plan_changes(
    context: typer.Context,
    detailed: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 if there is anything to change.")
    ] = False,
) -> int:
    """Show what must change for Lake Formation to be as the settings say; touches nothing."""
    from etltctl.governance import plan

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern plan"):
        planned = plan(settings)
    session.console.result({"schema": "etltctl.govern-plan/1", **planned.as_dict()}, planned.text())
    return ExitCode.CHANGES if detailed and planned.changes else ExitCode.OK


@app.command("apply")
def apply_changes(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before taking something away.")
    ] = False,
) -> None:
    """Make Lake Formation as the settings say: grants before revokes, and nothing that is not managed."""
    from etltctl.governance import apply

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern apply"):
        made = apply(
            settings,
            confirm=partial(_agree, session, yes),
            on_change=lambda change: session.console.say(f"  {change.sign} {change.text}"),
        )
    text = f"{made} {'change' if made == 1 else 'changes'} made." if made else "Nothing to change."
    session.console.result({"schema": "etltctl.govern-apply/1", "changes": made}, text)


@app.command("who")
def who_sees(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="layer.table, such as gold.weather_daily")],
) -> None:
    """Tell who sees the table: which columns and rows, and through which grant."""
    from etltctl.governance import who

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern who"):
        found = who(table, settings)
    columns = ("principal", "columns", "rows", "through")
    nobody = f"Nobody sees {table}."
    session.console.rows("etltctl.govern-who/1", columns, map(astuple, found), none=nobody, table=table)


@app.command("audit")
def audit_accesses(
    context: typer.Context,
    table: Annotated[str, typer.Option("--table", help="layer.table; all of them if none is named.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="90m, 12h, 7d, 2w before now, or a date; 90 days at most.")
    ] = "7d",
) -> None:
    """Tell who read governed tables, from CloudTrail's GetDataAccess events."""
    from etltctl.governance import audit

    session: Session = context.obj
    with session.connected() as settings, session.console.working("govern audit"):
        found = audit(settings, table=table, since=since)
    columns = ("at", "principal", "table", "service", "permissions", "outcome")
    if session.console.output == "table":
        found = [replace(access, at=local_time(access.at)) for access in found]
    session.console.rows(
        "etltctl.govern-audit/1", columns, map(astuple, found), none=f"No access on record (--since {since})."
    )


def _agree(session: Session, yes: bool, planned: Plan) -> bool:
    """What whoever sits there says to the plan; no, where nobody does."""
    if yes:
        return True
    session.console.say(planned.text())
    return session.console.ask("Make these changes? [y/n]").lower().startswith("y")
