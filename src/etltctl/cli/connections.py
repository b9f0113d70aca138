"""Set up: Airbyte's sources, destinations and connections as code."""

from __future__ import annotations

import typer

from etltctl.cli.groups import group
from etltctl.cli.plan_commands import DetailedExitcode, DryRun, announcement, confirmation, show_plan
from etltctl.cli.protection import Yes
from etltctl.cli.session import Session

app = group("Plan and apply Airbyte's sources, destinations, connections.")


@app.command("plan")
def plan(context: typer.Context, detailed_exitcode: DetailedExitcode = False) -> int:
    """Show how Airbyte differs from the settings. Changes nothing."""
    from etltctl.connections import make_plan

    return show_plan(context.obj, "connections", make_plan, detailed=detailed_exitcode)


@app.command("apply")
def apply(context: typer.Context, yes: Yes = False, dry_run: DryRun = False) -> int:
    """Make Airbyte match the settings. Asks before a breaking change."""
    from etltctl.connections import apply_plan
    from etltctl.plans import outcome

    if dry_run:
        return plan(context)
    session: Session = context.obj
    with session.connected() as settings, session.console.working("connections apply"):
        applied = apply_plan(
            settings, confirm=confirmation(session, yes=yes), on_change=announcement(session)
        )
    document = {"schema": "etltctl.connections-apply/1", **applied.as_dict()}
    session.console.result(document, outcome(applied.subject, len(applied.changes)))
    return 0


@app.command("export")
def export(context: typer.Context) -> None:
    """Print the workspace's connections as settings. Secrets become references to fill in."""
    from etltctl.connections import as_toml, export_settings

    session: Session = context.obj
    with session.connected() as settings:
        exported = export_settings(settings)
    session.console.result({"schema": "etltctl.connections-export/1", **exported}, as_toml(exported))
