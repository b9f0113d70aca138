"""The seasons that a source's configuration in Airbyte names, read and changed without the rest of it.

Airbyte has no range for a single job: a sync reads what the configuration of its source says when the job begins. A
caller that narrows it has to know what bronze holds, because a sync that overwrites keeps nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.airbyte.resources import Kind, Resource
from etltctl.answers import optional_list
from etltctl.connections.actual import (
    Workspace,
    call_of,
    configuration_of,
    link_of,
    open_workspace,
    streams_of,
)
from etltctl.connections.state import connection_id
from etltctl.errors import AlreadyRunningError, ConfigurationError, NextStep, UnverifiedError, command
from etltctl.values import OVERWRITE

if TYPE_CHECKING:
    from etltctl.settings import Settings

SEASONS = "seasons"
PLAN = command("connections", "plan")


@dataclass(frozen=True)
class SeasonsOfSource:
    """The seasons that the Airbyte source of one connection reads."""

    name: str
    source_id: str
    workspace: Workspace

    @classmethod
    def of(cls, source: str, settings: Settings) -> SeasonsOfSource:
        """Return the seasons of a source of the settings.

        Args:
            source: The source's name.
            settings: The settings.

        Raises:
            ConfigurationError: Airbyte has no such connection, a stream of it is not overwritten by each sync, or its
                source has no seasons in its configuration.
        """
        workspace = open_workspace(settings)
        identifier = connection_id(source, settings, workspace.aws)
        connections = workspace.resources.of_kind(Kind.CONNECTION, workspace.id)
        connection = next((each for each in connections if each.id == identifier), None)
        if connection is None:
            raise ConfigurationError(
                f"Airbyte lists no connection {identifier}, which syncs of {source} use",
                hint=NextStep(PLAN, "  # compares Airbyte with the settings"),
            )
        _require_overwriting(source, connection)
        seasons = cls(source, link_of(connection, "sourceId"), workspace)
        seasons.read()
        return seasons

    def read(self) -> list[int] | None:
        """Return the seasons of the configuration; None if it names none, which means every season.

        Raises:
            ConfigurationError: The configuration has no such field, or the source is gone.
        """
        resource = self._resource()
        configuration = configuration_of(resource)
        if SEASONS not in configuration:
            raise ConfigurationError(
                f"the source {resource.name} in Airbyte has no seasons in its configuration, so their range "
                "cannot be set",
                hint=NextStep(PLAN, "  # shows how it differs from the settings"),
            )
        # The embedded server shows the word of the settings.
        if configuration[SEASONS] == "all":
            return None
        return [int(season) for season in optional_list(configuration, SEASONS, call_of(resource))] or None

    def write(self, seasons: Collection[int]) -> None:
        """Let every sync that begins from now on read exactly these seasons.

        Args:
            seasons: The seasons, at least one.

        Raises:
            AlreadyRunningError: `connections apply` is changing resources at this moment.
            UnverifiedError: Airbyte accepted the change and shows other seasons.
        """
        ordered = sorted(seasons)
        if not ordered:
            raise ValueError("seasons is empty, and an empty list makes the connector read every season")
        if self.read() == ordered:
            return
        # The lease of `connections apply`: of two writers one would undo the other.
        with self.workspace.state.store.lease(self.workspace.settings.env):
            before = self._resource()
            body = {"configuration": {SEASONS: ordered}}
            self.workspace.resources.change(before, self.workspace.id, body)
            # Read again: the answer to a change says what was sent, not what a sync will read.
            after, shown = self._resource(), self.read()
        if shown != ordered or _rest_of(after) != _rest_of(before):
            raise UnverifiedError(
                f"Airbyte accepted the seasons {_list(ordered)} for source {self.name}, but shows {_list(shown)} "
                "or has changed more than the seasons; no sync was started",
                hint=NextStep(PLAN, "  # shows what is left"),
            )

    def require_no_sync(self, ours: Collection[str]) -> None:
        """Check that no sync of another caller runs, because it reads the seasons from before a change.

        Args:
            ours: The ids of the caller's own jobs.

        Raises:
            AlreadyRunningError: A sync of another caller runs.
        """
        from etltctl.airbyte import Airbyte
        from etltctl.runs import State

        airbyte = Airbyte.from_settings(self.workspace.settings, self.workspace.aws.reveal)
        connection = connection_id(self.name, self.workspace.settings, self.workspace.aws)
        for job in airbyte.jobs(connection, self.name, limit=1):
            if job.state is State.RUNNING and job.id not in ours:
                raise AlreadyRunningError(
                    f"sync {job.id} of {self.name} runs already and reads other seasons than this chunk; "
                    "nothing was started",
                    hint="wait for its end, then run the same command again",
                    job=job.id,
                )

    def _resource(self) -> Resource:
        sources = self.workspace.resources.of_kind(Kind.SOURCE, self.workspace.id)
        resource = next((each for each in sources if each.id == self.source_id), None)
        if resource is None:
            raise ConfigurationError(
                f"Airbyte lists no source {self.source_id}, to which the connection of {self.name} leads",
                hint=NextStep(PLAN, "  # compares Airbyte with the settings"),
            )
        return resource


def _rest_of(resource: Resource) -> dict[str, object]:
    """Return the configuration of a source without its seasons; an Airbyte that does not merge would lose it."""
    return {name: value for name, value in configuration_of(resource).items() if name != SEASONS}


def _require_overwriting(source: str, connection: Resource) -> None:
    """Raise ConfigurationError if a stream keeps earlier files next to the new ones."""
    kept = [
        stream["name"]
        for stream in streams_of(connection)
        if (stream.get("syncMode") or OVERWRITE) != OVERWRITE
    ]
    if kept:
        raise ConfigurationError(
            f"the connection of {source} does not overwrite {', '.join(kept)} at each sync: a chunk would land "
            "seasons again that an earlier one has landed",
            hint=NextStep(
                f'set sources.{source}.sync_mode = "{OVERWRITE}", then: ',
                command("connections", "apply"),
            ),
        )


def _list(seasons: Collection[int] | None) -> str:
    return "none" if seasons is None else ", ".join(map(str, seasons))
