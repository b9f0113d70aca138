"""The connections of the stack's description as the public API sees them: only the seasons of a source can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from etltctl.local.services.airbyte.connections import Connection, stable_id
from etltctl.local.services.airbyte.wire import forbidden, unprocessable

SEASONS = "seasons"


class ProvisionedConnections:
    """The described connections, some of them with other seasons than described."""

    def __init__(self, described: Mapping[str, Connection]) -> None:
        """Keep the mapping, which a new description of the stack changes in place."""
        self._described = described
        # By connection: the described seasons when they were changed, and those of the change. In memory only, so
        # that a restarted server reads what the settings say.
        self._changed: dict[str, tuple[Any, list[int]]] = {}

    def __iter__(self) -> Iterator[Connection]:
        return (self.find(identifier) for identifier in self._described)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._described

    def find(self, identifier: str) -> Connection:
        """Return the connection as a sync runs it."""
        connection = self._described[identifier]
        before, seasons = self._changed.get(identifier, (None, []))
        # Commands describe the stack again and again; only other settings end a change.
        if identifier not in self._changed or before != connection.source[SEASONS]:
            return connection
        # No seasons in the configuration means all of them, as in the connector.
        return replace(connection, source={**connection.source, SEASONS: seasons or "all"})

    def of_source(self, source_id: str) -> Connection | None:
        """Return the connection whose source has this id."""
        return next((each for each in self if stable_id("source", each.name) == source_id), None)

    def change_source(self, connection: Connection, body: Mapping[str, Any]) -> Connection:
        """Change the seasons that a source reads, and return its connection.

        Args:
            connection: The connection of the source.
            body: The body of the PATCH.

        Raises:
            ProblemError: The body changes anything else, or the seasons are not a list of numbers.
        """
        configuration = body.get("configuration") or {}
        is_http = connection.source["kind"] == "http"
        if (
            not is_http
            or set(configuration) != {SEASONS}
            or body.get("name", connection.name) != connection.name
        ):
            raise forbidden(
                "this source comes from etltctl's settings: only the seasons of an HTTP source are changed over the API"
            )
        seasons = configuration[SEASONS]
        if not isinstance(seasons, list) or not all(type(season) is int for season in seasons):
            raise unprocessable("seasons is not a list of whole numbers")
        self._changed[connection.id] = (self._described[connection.id].source[SEASONS], seasons)
        return self.find(connection.id)
