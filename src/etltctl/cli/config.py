"""Set up: the settings, and where each value comes from."""

from __future__ import annotations

import os

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ConfigurationError

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
    from etltctl.pipeline import unknown_steps
    from etltctl.settings.doubts import doubts, environments

    session: Session = context.obj
    settings = session.load()
    settings.require_scripts()
    every = [settings, *(session.load(env) for env in environments(settings))]
    doubted = list(dict.fromkeys(doubt for each in every for doubt in doubts(each, os.environ)))
    warnings = [doubt.text for doubt in doubted if not doubt.is_error]
    for text in warnings:
        session.console.say(f"warning: {text}")
    errors = [doubt.text for doubt in doubted if doubt.is_error]
    errors += [text for each in every for text in unknown_steps(each)]
    if problems := tuple(dict.fromkeys(errors)):
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigurationError(f"{count} in the settings", problems=problems)
    session.console.result(
        {"schema": "etltctl.config-validate/1", "valid": True, "env": settings.env, "warnings": warnings},
        f"The settings are valid for environment {settings.env}.",
    )
