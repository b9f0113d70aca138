"""Set up: begin a project, look at its settings, and check everything that a run needs."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import NextStep, unknown

config = group("Show and check the settings.")


class AreaName(StrEnum):
    """The areas by name, without loading the doctor for `--help`; a test compares the two."""

    VERSIONS = "versions"
    SETTINGS = "settings"
    LOCAL = "local"
    AWS = "aws"
    PERMISSIONS = "permissions"
    BUCKETS = "buckets"
    GLUE = "glue"
    ATHENA = "athena"
    AIRBYTE = "airbyte"
    GOVERNANCE = "governance"


class SampleName(StrEnum):
    """The samples by name, without loading the scaffold for `--help`; a test compares the two."""

    ALL = "all"
    WEATHER = "weather"
    F1 = "f1"
    NONE = "none"


def init(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="the folder to write to; created if it does not exist")
    ] = Path(),
    sample: Annotated[
        SampleName,
        typer.Option(
            "--sample",
            help="The pipelines to begin with: weather from MongoDB, f1 from an HTTP API, all for both, none for an "
            "empty lake.",
        ),
    ] = SampleName.ALL,
) -> None:
    """Write settings, scripts, DAGs, contracts and tests. Overwrites nothing."""
    from etltctl.scaffold import first_step, lay_out
    from etltctl.scaffold.samples import SampleName as Sample

    session: Session = context.obj
    chosen = Sample(sample.value)
    files = [str(path) for path in lay_out(folder, chosen)]
    step = first_step(folder, chosen)
    document = {"schema": "etltctl.init/1", "folder": str(folder), "files": files}
    lines = "".join(f"wrote {path}\n" for path in files)
    session.console.result(session.console.with_next(document, step), NextStep(f"{lines}Next: ", *step.parts))


@config.command("show")
def show_settings(context: typer.Context) -> None:
    """Print every value with its origin. Secrets are masked."""
    session: Session = context.obj
    rows = [(value.key, value.origin, value.value) for value in session.load().values()]
    session.console.rows("etltctl.config/1", ("setting", "origin", "value"), rows)


@config.command("validate")
def validate_settings(context: typer.Context) -> None:
    """Check the settings. If they have problems, list each with its place and exit with 3."""
    from etltctl.pipeline import unknown_steps
    from etltctl.settings.complaints import complaint
    from etltctl.settings.doubts import doubts_of_all, environments

    session: Session = context.obj
    settings = session.load()
    # A script that is missing is found here, and not by the first run of its job.
    settings.require_scripts()
    # Every environment of the file: a mistake in [env.aws] should not wait for the first day on AWS.
    every = [settings, *(session.load(env) for env in environments(settings))]
    doubted = doubts_of_all(every, os.environ)
    warnings = [doubt.text for doubt in doubted if not doubt.is_error]
    for text in warnings:
        session.console.warn(text)
    errors = [doubt.text for doubt in doubted if doubt.is_error]
    if errors := [*errors, *(text for each in every for text in unknown_steps(each))]:
        raise complaint(errors)
    session.console.result(
        {"schema": "etltctl.config-validate/1", "valid": True, "env": settings.env, "warnings": warnings},
        f"The settings are valid for environment {settings.env}.",
    )


@config.command("schema")
def print_schema(context: typer.Context) -> None:
    """Print the JSON Schema of etltctl.toml. Editors complete and check the file with it."""
    from etltctl.settings.schema import settings_schema

    session: Session = context.obj
    session.console.document(settings_schema())


def doctor(
    context: typer.Context,
    area: Annotated[
        str, typer.Argument(metavar="[AREA]", help=f"check only this area: {', '.join(AreaName)}")
    ] = "",
) -> int:
    """Check settings, credentials, permissions and services. Print the fix for each fault. Changes nothing."""
    from etltctl.diagnosis import Area, examine, exit_code

    session: Session = context.obj
    # Checked before the server starts, which takes a second.
    if area and area not in list(Area):
        raise unknown("area of the doctor", area, list(Area))
    with session.console.working("doctor"):
        findings = examine(session.load, session.connected, Area(area) if area else None)
    session.console.findings(
        "etltctl.doctor/1",
        [(of, finding.subject, finding.status, finding.evidence, finding.fix) for of, finding in findings],
    )
    return exit_code(finding for _, finding in findings)
