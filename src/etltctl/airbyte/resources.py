"""What connections are made of, over the public API: list, create, change and delete, each write sent once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from etltctl.airbyte.transport import Transport
from etltctl.answers import required, required_list
from etltctl.errors import ConfigurationError, OutcomeUnknownError, ServiceError

PAGE = 100


class Kind(StrEnum):
    """The kinds of resources, in the order in which one needs the other."""

    DEFINITION = "definition"
    SOURCE = "source"
    DESTINATION = "destination"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Resource:
    """One resource as Airbyte shows it, secrets masked; `type` is the connector's, empty for connections."""

    kind: Kind
    id: str
    name: str
    type: str
    body: Mapping[str, Any] = field(repr=False)

    @property
    def definition_id(self) -> str:
        """The definition of a source or destination."""
        return str(self.body.get("definitionId") or "")


@dataclass(frozen=True)
class Resources:
    """The resources of the workspaces that one application sees."""

    transport: Transport

    def workspaces(self) -> dict[str, str]:
        """Names by id."""
        call = "Airbyte GET /workspaces"
        pages = self._pages("/workspaces", "workspaceId")
        return {required(found, "workspaceId", call): required(found, "name", call) for found in pages}

    def listed(self, kind: Kind, workspace: str) -> list[Resource]:
        """Every resource of the kind in the workspace."""
        if kind is Kind.DEFINITION:
            return [_resource(kind, found) for found in self._pages(_definitions(workspace), "id")]
        listed = self._pages(f"/{kind}s", f"{kind}Id", workspaceIds=workspace)
        return [_resource(kind, found) for found in listed]

    def create(self, kind: Kind, workspace: str, body: Mapping[str, Any]) -> Resource:
        """Makes the resource with one POST; where its answer is lost, the one that now has the name is it.

        Raises OutcomeUnknownError if none has, and whatever the server refuses.
        """
        is_definition = kind is Kind.DEFINITION
        path = _definitions(workspace) if is_definition else f"/{kind}s"
        # A connection's workspace is that of its source; a definition's is in the path and, as published, here too.
        owner = {} if kind is Kind.CONNECTION else {"workspaceId": workspace}
        try:
            return _resource(kind, self.transport.send("POST", path, json={**owner, **body}))
        except ServiceError as error:
            if not error.is_open:
                raise
            found = [each for each in self.listed(kind, workspace) if each.name == body["name"]]
            if len(found) != 1:
                raise OutcomeUnknownError(
                    f"the answer to making the {kind} {body['name']} was lost, and {len(found)} have that name",
                    hint="look in Airbyte, then: etltctl connections plan",
                ) from error
            return found[0]

    def change(self, found: Resource, workspace: str, body: Mapping[str, Any]) -> Resource:
        """Changes just these fields; a definition gets a new version of its manifest."""
        if found.kind is Kind.DEFINITION:
            path = f"{_definitions(workspace)}/{found.id}"
            return _resource(
                found.kind, self.transport.send("PUT", path, json={"manifest": body["manifest"]})
            )
        answer = self.transport.send("PATCH", f"/{found.kind}s/{found.id}", json=dict(body))
        return _resource(found.kind, answer)

    def delete(self, found: Resource, workspace: str) -> None:
        """Deletes the resource, if it is still there; a source or destination takes its connections along."""
        base = _definitions(workspace) if found.kind is Kind.DEFINITION else f"/{found.kind}s"
        with suppress(ConfigurationError):
            self.transport.send("DELETE", f"{base}/{found.id}")

    def _pages(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """Return every element of a list, by etltctl's own offset.

        The server's link to the next page loses filters and may name a host that cannot be reached. The list of
        definitions has no pages: Airbyte answers all of it at every offset, so a page without news is the end.

        Args:
            path: The list.
            key: The field that holds an element's id.
            query: Further parameters.
        """
        found: dict[str, dict[str, Any]] = {}
        offset = 0
        while True:
            call = f"Airbyte GET {path}"
            answer = self.transport.read(path, **query, limit=PAGE, offset=offset)
            page = required_list(answer, "data", call)
            known = len(found)
            for each in page:
                found.setdefault(required(each, key, call), each)
            if len(page) < PAGE or len(found) == known:
                return list(found.values())
            offset += len(page)


def _definitions(workspace: str) -> str:
    return f"/workspaces/{workspace}/definitions/declarative_sources"


def _resource(kind: Kind, answer: Any) -> Resource:
    call = f"Airbyte's call for a {kind}"
    identifier = required(answer, "id" if kind is Kind.DEFINITION else f"{kind}Id", call)
    return Resource(
        kind, identifier, required(answer, "name", call), str(answer.get(f"{kind}Type") or ""), answer
    )
