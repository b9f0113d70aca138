"""The API's calls on low-code definitions of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from etltctl.local.services.airbyte import checks
from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from etltctl.local.services.airbyte.resources import MadeResources, Record
from etltctl.local.services.airbyte.wire import Request, not_found, state_conflict, unprocessable

Answer = dict[str, Any]


class DefinitionCalls:
    """The definitions of the one workspace."""

    def __init__(self, resources: MadeResources) -> None:
        self._made = resources

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Return method, path and handler of every call."""
        return [
            ("GET", r"/workspaces/([^/]+)/definitions/declarative_sources", self._list),
            ("POST", r"/workspaces/([^/]+)/definitions/declarative_sources", self._create),
            ("GET", r"/workspaces/([^/]+)/definitions/declarative_sources/([^/]+)", self._get),
            ("PUT", r"/workspaces/([^/]+)/definitions/declarative_sources/([^/]+)", self._put),
            ("DELETE", r"/workspaces/([^/]+)/definitions/declarative_sources/([^/]+)", self._delete),
        ]

    def _list(self, request: Request, workspace: str) -> Answer:  # noqa: ARG002
        check_workspace(workspace)
        # Airbyte knows no pages here: it ignores `limit` and `offset`.
        return {"data": [_answer(record) for record in self._made.all("definitions").values()]}

    def _create(self, request: Request, workspace: str) -> Answer:
        check_workspace(workspace)
        body = request.fields()
        require(body, "name", "manifest")
        checks.check_manifest(body["manifest"])
        record = {"name": str(body["name"]), "manifest": body["manifest"], "version": 1}
        return _answer(self._made.create("definitions", record))

    def _get(self, request: Request, workspace: str, identifier: str) -> Answer:  # noqa: ARG002
        check_workspace(workspace)
        return _answer(self._known(identifier))

    def _put(self, request: Request, workspace: str, identifier: str) -> Answer:
        check_workspace(workspace)
        record, body = self._known(identifier), request.fields()
        checks.check_manifest(body.get("manifest"))
        # Airbyte numbers the manifests of a definition and answers the number of the active one.
        changed = {**record, "manifest": body["manifest"], "version": record["version"] + 1}
        return _answer(self._made.put("definitions", changed))

    def _delete(self, request: Request, workspace: str, identifier: str) -> Answer:
        answer = self._get(request, workspace, identifier)
        # A source without its definition could be neither checked nor run.
        if any(source["definitionId"] == identifier for source in self._made.all("sources").values()):
            raise state_conflict("a source uses the definition")
        self._made.delete("definitions", identifier)
        return answer

    def _known(self, identifier: str) -> Record:
        record = self._made.find("definitions", identifier)
        if record is None:
            raise not_found("definition", identifier)
        return record


def check_workspace(identifier: str) -> None:
    """Raise ProblemError (404) for another workspace than the one there is."""
    if identifier != WORKSPACE_ID:
        raise not_found("workspace", identifier)


def require(body: Mapping[str, Any], *names: str) -> None:
    """Raise ProblemError (422) for a field that is missing or empty."""
    for name in names:
        if not body.get(name):
            raise unprocessable(f"{name} is required")


def _answer(record: Record) -> Answer:
    return {name: record[name] for name in ("id", "name", "manifest", "version")}
