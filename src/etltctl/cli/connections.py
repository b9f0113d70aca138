"""Set up: Airbyte's sources, destinations and connections as code."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ExitCode

app = group("Airbyte sources, destinations, connections as code.")


@app.command("plan")
def plan(
    context: typer.Context,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 if there is anything to change.")
    ] = False,
) -> int:
    """Show what has to change so that Airbyte is as the settings want it."""
    from etltctl.connections import make_plan

    session: Session = context.obj
    with session.connected() as settings:
        found = make_plan(settings)
    session.console.result(
        *found.told("etltctl.connections-plan/1", "Nothing to change: Airbyte is as the settings want it.")
    )
    return ExitCode.CHANGES if detailed_exitcode and found.changes else ExitCode.OK


@app.command("apply")
def apply(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Make breaking changes too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as plan.")] = False,
) -> int:
    """Make Airbyte as the settings want it; breaking changes only with --yes."""
    from etltctl.connections import apply_plan

    if dry_run:
        return plan(context)
    session: Session = context.obj
    with session.connected() as settings:
        found = apply_plan(
            settings, may_break=yes, on_change=lambda change: session.console.say("\n".join(change.lines()))
        )
    document, _ = found.told("etltctl.connections-apply/1", "")
    number = len(found.changes)
    text = f"{number} {'change' if number == 1 else 'changes'} made" if number else "Nothing to change"
    session.console.result(document, f"{text}: Airbyte is as the settings want it.")
    return ExitCode.OK


@app.command("export")
def export(context: typer.Context) -> None:
    """Print the workspace's connections as settings; secrets become references to fill in."""
    from etltctl.connections import as_toml, export_settings

    session: Session = context.obj
    with session.connected() as settings:
        found = export_settings(settings)
    session.console.result({"schema": "etltctl.connections-export/1", **found}, as_toml(found))
