"""What a workspace of Airbyte holds. A field of another shape than expected is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import Kind, Resource, Resources
from etltctl.answers import optional_list, optional_object, optional_text, required
from etltctl.aws import Aws
from etltctl.connections.state import ConnectionState
from etltctl.errors import ConfigurationError

if TYPE_CHECKING:
    from etltctl.settings import Settings

SCHEDULE_PARTS = ("scheduleType", "cronExpression", "basicTiming")


@dataclass(frozen=True)
class Workspace:
    """One workspace, and the record of what `connections apply` made in it."""

    settings: Settings
    aws: Aws
    resources: Resources
    id: str
    state: ConnectionState

    def all_resources(self) -> list[Resource]:
        """Return every resource, in the order in which they need each other."""
        return [resource for kind in Kind for resource in self.resources.of_kind(kind, self.id)]


def open_workspace(settings: Settings) -> Workspace:
    """Return the workspace of the settings, or the only one that the application sees.

    Raises:
        ConfigurationError: The settings name none and there are several, or the named one does not exist.
    """
    aws = Aws.from_settings(settings)
    resources = Airbyte.from_settings(settings, aws.reveal).resources
    workspaces = resources.workspaces()
    # An application of a company sees many workspaces; the wrong one would get a second set of everything.
    reference = settings.airbyte.workspace_id
    identifier = aws.reveal(reference, "airbyte.workspace_id") if reference else ""
    names = ", ".join(f"{each} ({name})" for each, name in workspaces.items()) or "none"
    if identifier and identifier not in workspaces:
        raise ConfigurationError(
            f"airbyte.workspace_id: there is no workspace {identifier}", hint=f"there are: {names}"
        )
    if not identifier and len(workspaces) != 1:
        raise ConfigurationError(
            f"airbyte.workspace_id is not set, and there are {len(workspaces)} workspaces",
            hint=f"set it to one of: {names}",
        )
    return Workspace(
        settings, aws, resources, identifier or next(iter(workspaces)), ConnectionState.of(settings, aws)
    )


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
