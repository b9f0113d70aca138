"""What Airbyte shows of a resource, field by field: a field of another shape is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.airbyte.resources import Resource
from etltctl.answers import optional_list, optional_object, optional_text, required

SCHEDULE_PARTS = ("scheduleType", "cronExpression", "basicTiming")


def link_of(resource: Resource, name: str) -> str:
    """Return the id of the resource that this one leads to.

    Args:
        resource: A source or a connection.
        name: `sourceId`, `destinationId` or `definitionId`.

    Raises:
        ServiceError: Airbyte left the id out. Without it no plan can know whether the link is right.
    """
    return str(required(resource.body, name, call_of(resource)))


def configuration_of(resource: Resource) -> Mapping[str, Any]:
    """Return the configuration of a source or destination; raises ServiceError if it is not an object."""
    return optional_object(resource.body, "configuration", call_of(resource))


def streams_of(connection: Resource) -> list[Mapping[str, Any]]:
    """Return the streams of a connection, each with a name.

    Raises:
        ServiceError: The list, a stream of it or a stream's name has another shape.
    """
    call = call_of(connection)
    streams = optional_list(optional_object(connection.body, "configurations", call), "streams", call)
    for stream in streams:
        required(stream, "name", f"{call}: a stream")
        for part in ("name", "syncMode"):
            optional_text(stream, part, f"{call}: a stream")
    return streams


def schedule_of(connection: Resource) -> str:
    """Return the schedule as the settings write it; raises ServiceError if it has another shape."""
    call = call_of(connection)
    schedule = optional_object(connection.body, "schedule", call)
    kind, cron, timing = (optional_text(schedule, part, f"{call}: the schedule") for part in SCHEDULE_PARTS)
    if kind == "cron":
        return f"cron {cron.removesuffix(' UTC')}"
    return " ".join(part for part in (kind or "manual", timing) if part)


def call_of(resource: Resource) -> str:
    """Return the name of the answer that shows the resource, for an error about it."""
    return f"Airbyte's list of {resource.kind}s: {resource.name} ({resource.id})"
