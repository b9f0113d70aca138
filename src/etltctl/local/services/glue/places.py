"""The places that a Glue job may name: objects of the lake, never files of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError

SCHEME = "s3://"
# Glue's own arguments whose values are places; several stand behind one another with commas.
NAMING_PLACES = (
    "--extra-py-files",
    "--extra-files",
    "--extra-jars",
    "--TempDir",
    "--scriptLocation",
    "--spark-event-logs-path",
)


def check_job(job: Mapping[str, Any]) -> None:
    """Refuse a job whose script or files are not in S3.

    Args:
        job: A job as CreateJob, UpdateJob's `JobUpdate` or GetJob has it.

    Raises:
        AwsError: InvalidInputException, which names the place.
    """
    place = (job.get("Command") or {}).get("ScriptLocation")
    if place is not None:
        check_place("ScriptLocation", str(place))
    for member in ("DefaultArguments", "NonOverridableArguments"):
        check_arguments(job.get(member) or {})


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of a job or a job run that name places outside S3.

    Raises:
        AwsError: InvalidInputException, which names the argument and the place.
    """
    for name in NAMING_PLACES:
        for place in str(arguments.get(name) or "").split(","):
            if place.strip():
                check_place(name, place.strip())


def check_place(name: str, place: str) -> None:
    """Refuse a place outside S3; `name` is what holds it."""
    if not place.startswith(SCHEME):
        raise AwsError(
            "InvalidInputException", f"{name} must be an S3 location (s3://BUCKET/KEY), not {place}"
        )
