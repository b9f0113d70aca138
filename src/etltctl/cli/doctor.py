"""Set up: check everything that a run needs, and print how to fix each fault."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from etltctl.cli.session import Session
from etltctl.errors import unknown


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


def doctor(
    context: typer.Context,
    area: Annotated[
        str, typer.Argument(metavar="[AREA]", help=f"check this alone: {', '.join(AreaName)}")
    ] = "",
) -> int:
    """Look at settings, credentials, permissions and services; print the fix for each fault. Changes nothing."""
    from etltctl.diagnosis import Area, examine, exit_code

    session: Session = context.obj
    if area and area not in list(Area):
        raise unknown("area of the doctor", area, list(Area))
    with session.console.working("doctor"):
        findings = examine(session.load, session.connected, Area(area) if area else None)
    session.console.findings(
        "etltctl.doctor/1",
        [(of, finding.subject, finding.status, finding.evidence, finding.fix) for of, finding in findings],
    )
    return exit_code(finding for _, finding in findings)
