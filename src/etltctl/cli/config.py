"""Set up: what the settings say and where each value comes from."""

from __future__ import annotations

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session

app = group("Look at the settings.")


@app.command("show")
def show(context: typer.Context) -> None:
    """Print every value with its origin; secrets are masked."""
    session: Session = context.obj
    rows = [(value.key, value.origin, value.value) for value in session.load().values()]
    session.console.rows("etltctl.config/1", ("setting", "origin", "value"), rows)


@app.command("validate")
def validate(context: typer.Context) -> None:
    """Check the settings; exit 3 and every problem with its place if there is one."""
    session: Session = context.obj
    settings = session.load()
    settings.require_scripts()
    session.console.result(
        {"schema": "etltctl.config-validate/1", "valid": True, "env": settings.env},
        f"The settings are valid for environment {settings.env}.",
    )
