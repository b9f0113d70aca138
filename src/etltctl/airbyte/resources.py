"""What connections are made of, over the public API: list, create, change and delete, each write sent once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from etltctl.airbyte.transport import Transport
from etltctl.answers import require_same, required, required_list
from etltctl.errors import (
    NextStep,
    NotFoundError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
    command,
)
from etltctl.waiting import Waiter

PAGE = 100
# What a create sends and its answer repeats. Airbyte keeps none of them in another way.
NAMED = frozenset({"name", "workspaceId", "sourceId", "destinationId", "definitionId"})
# Airbyte discovers the source before it answers a list of streams: its MongoDB connector gives up after 600 s of
# looking at documents, and a pod has to start before.
DISCOVERY_S = 660.0
CUT_OFF = frozenset({"408", "502", "503", "504"})  # of a load balancer that did not wait so long


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
    search: Waiter = field(default_factory=lambda: Waiter(timeout=60.0, longest=2.0))

    def workspaces(self) -> dict[str, str]:
        """Names by id."""
        call = self.transport.named("GET", "/workspaces")
        pages = self._pages("/workspaces", "workspaceId")
        return {
            required(workspace, "workspaceId", call): required(workspace, "name", call) for workspace in pages
        }

    def of_kind(self, kind: Kind, workspace: str) -> list[Resource]:
        """Return every resource of the kind in the workspace."""
        if kind is Kind.DEFINITION:
            path = _definitions(workspace)  # has no pages: Airbyte answers all of it, whatever the offset
            answers = required_list(self.transport.read(path), "data", self.transport.named("GET", path))
        else:
            path = f"/{kind}s"
            answers = self._pages(path, f"{kind}Id", workspaceIds=workspace)
        return [_resource(kind, each, self.transport.named("GET", path)) for each in answers]

    def create(self, kind: Kind, workspace: str, body: Mapping[str, Any]) -> Resource:
        """Make the resource with one POST; where its answer is lost, find what the POST has made.

        Args:
            kind: The kind of the resource.
            workspace: The id of the workspace.
            body: The request's body.

        Raises:
            OutcomeUnknownError: The answer was lost, and for a while nothing with the name showed up.
            ServiceError: The answer is about another resource. Whether one was made is open.
            EtltctlError: The server refused.
        """
        is_definition = kind is Kind.DEFINITION
        path = _definitions(workspace) if is_definition else f"/{kind}s"
        # A connection's workspace is that of its source; a definition's is in the path and, as published, here too.
        owner = {} if kind is Kind.CONNECTION else {"workspaceId": workspace}
        began = self.search.clock()
        try:
            answer = self.transport.send("POST", path, json={**owner, **body}, timeout=_timeout(kind, body))
        except ServiceError as error:
            if not error.is_open:
                raise
            return self._find_made(kind, workspace, body, error, began)
        call = self.transport.named("POST", path)
        created = _resource(kind, answer, call)
        sent = {field: value for field, value in {**owner, **body}.items() if field in NAMED}
        require_same(call, sent, created.body)
        return created

    def change(self, resource: Resource, workspace: str, body: Mapping[str, Any]) -> Resource:
        """Change just these fields; a definition gets a new version of its manifest.

        Raises:
            OutcomeUnknownError: The answer was lost. To send the change again does no harm.
            EtltctlError: The server refused.
        """
        if resource.kind is Kind.DEFINITION:
            method, path = "PUT", f"{_definitions(workspace)}/{resource.id}"
            body = {"manifest": body["manifest"]}
        else:
            method, path = "PATCH", f"/{resource.kind}s/{resource.id}"
        try:
            answer = self.transport.send(method, path, json=dict(body), timeout=_timeout(resource.kind, body))
        except ServiceError as error:
            if not error.is_open:
                raise
            raise OutcomeUnknownError(
                f"it is not known whether Airbyte changed the {resource.kind} {resource.name}: {error.message}",
                hint=NextStep(
                    command("connections", "plan"),
                    "  # shows what is left; an apply may safely send it again",
                ),
            ) from error
        return _resource(resource.kind, answer, self.transport.named(method, path))

    def delete(self, resource: Resource, workspace: str) -> None:
        """Delete the resource, if it is still there; a source or destination takes its connections along.

        Raises:
            EtltctlError: The server refused, or something that is not Airbyte answered.
        """
        base = _definitions(workspace) if resource.kind is Kind.DEFINITION else f"/{resource.kind}s"
        with suppress(NotFoundError):
            self.transport.send("DELETE", f"{base}/{resource.id}")

    def _find_made(
        self, kind: Kind, workspace: str, body: Mapping[str, Any], error: ServiceError, began: float
    ) -> Resource:
        """Return what a POST whose answer was lost has made; the server may still be at work on it."""
        within = self.search.timeout
        if kind is Kind.CONNECTION and (isinstance(error, UnreachableError) or error.code in CUT_OFF):
            within = max(within, DISCOVERY_S - (self.search.clock() - began))
        resource = replace(self.search, longest=max(self.search.longest, within / 60)).find(
            lambda: next((each for each in self.of_kind(kind, workspace) if _is_of(each, body)), None), within
        )
        if resource is None:
            raise OutcomeUnknownError(
                f"it is not known whether Airbyte made the {kind} {body['name']}: the answer was lost, "
                f"and after {within:.0f} s none of that name is listed: {error.message}",
                hint=NextStep(
                    command("connections", "plan"),
                    "  # shows whether it is there by then; an apply adopts it",
                ),
            ) from error
        return resource

    def _pages(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        """Return every element of a list, by etltctl's own offset.

        The server's link to the next page loses filters and may name a host that cannot be reached. A page that
        holds nothing new ends the list: a server that ignores the offset would never come to an end.

        Args:
            path: The list.
            key: The field that holds an element's id.
            query: Further parameters.
        """
        elements: dict[str, dict[str, Any]] = {}
        offset = 0
        while True:
            call = self.transport.named("GET", path)
            answer = self.transport.read(path, **query, limit=PAGE, offset=offset)
            page = required_list(answer, "data", call)
            # Elements may move between pages while the list is read; the id keeps each only once.
            known = len(elements)
            for each in page:
                elements.setdefault(required(each, key, call), each)
            if len(page) < PAGE or len(elements) == known:
                return list(elements.values())
            offset += len(page)


def _resource(kind: Kind, answer: Any, call: str) -> Resource:
    identifier = required(answer, "id" if kind is Kind.DEFINITION else f"{kind}Id", call)
    name, connector = required(answer, "name", call), str(answer.get(f"{kind}Type") or "")
    return Resource(kind, identifier, name, connector, answer)


def _definitions(workspace: str) -> str:
    return f"/workspaces/{workspace}/definitions/declarative_sources"


def _timeout(kind: Kind, body: Mapping[str, Any]) -> float | None:
    """Return the seconds a write may take; None for what is answered at once."""
    return DISCOVERY_S if kind is Kind.CONNECTION and "configurations" in body else None


def _is_of(each: Resource, body: Mapping[str, Any]) -> bool:
    """Return whether the resource is what this body makes: another one may have its name."""
    links = ("sourceId", "destinationId", "definitionId")
    connector = body.get("configuration", {}).get(f"{each.kind}Type")
    return (
        each.name == body["name"]
        and all(each.body.get(link) == body[link] for link in links if link in body)
        and connector in (None, each.type)
    )
