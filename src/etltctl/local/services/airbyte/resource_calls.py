"""The API's calls on workspaces, definitions, sources, destinations and connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from etltctl.local.services.airbyte import checks
from etltctl.local.services.airbyte.connections import (
    WORKSPACE_ID,
    Connection,
    made_connection,
    stable_id,
    workspace_answer,
)
from etltctl.local.services.airbyte.definition_calls import DefinitionCalls, check_workspace, require
from etltctl.local.services.airbyte.discovery_calls import DiscoverSource, DiscoveryCalls
from etltctl.local.services.airbyte.provisioned import ProvisionedConnections
from etltctl.local.services.airbyte.resources import MadeResources, Record
from etltctl.local.services.airbyte.streams import (
    Discover,
    check_streams,
    manifest_stream,
    mongodb_stream,
    stream_answer,
)
from etltctl.local.services.airbyte.wire import (
    Request,
    forbidden,
    not_found,
    page_of,
    state_conflict,
    unprocessable,
)

Answer = dict[str, Any]
MONGODB, S3 = "mongodb-v2", "s3"
ENDS = {"sources": ("sourceType", MONGODB), "destinations": ("destinationType", S3)}
PROVISIONED: Mapping[str, Callable[[Connection], Answer]] = {
    "connections": Connection.connection_answer,
    "sources": Connection.source_answer,
    "destinations": Connection.destination_answer,
}
PATCHABLE = (
    "name", "schedule", "status", "namespaceDefinition", "prefix", "nonBreakingSchemaUpdatesBehavior",
)  # fmt: skip


class ResourceCalls:
    """Reads show the connections of the stack's description too; of those, only a source's seasons can be changed."""

    def __init__(
        self, resources: MadeResources, provisioned: Mapping[str, Connection], discover: DiscoverSource
    ) -> None:
        self._made = resources
        self._provisioned = ProvisionedConnections(provisioned)
        self._definitions = DefinitionCalls(resources)
        self._discoveries = DiscoveryCalls(resources, self._provisioned, discover)

    def routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        """Return method, path and handler of every call."""
        return [
            ("GET", r"/(workspaces|connections|sources|destinations)", self._list),
            ("GET", r"/(workspaces|connections|sources|destinations)/([^/]+)", self._get),
            ("POST", r"/(sources|destinations)", self._create_end),
            ("PATCH", r"/(sources|destinations)/([^/]+)", self._patch_end),
            ("PUT", r"/(sources|destinations)/([^/]+)", self._put_end),
            ("POST", r"/connections", self._create_connection),
            ("PATCH", r"/connections/([^/]+)", self._patch_connection),
            ("DELETE", r"/(connections|sources|destinations)/([^/]+)", self._delete),
            *self._definitions.routes(),
            *self._discoveries.routes(),
        ]

    def runnable(self, identifier: str) -> Connection:
        """Return the connection as a sync runs it. Raises ProblemError if there is none, or it is not active."""
        if identifier in self._provisioned:
            return self._provisioned.find(identifier)
        record = self._known("connections", identifier)
        if record["status"] != "active":
            raise state_conflict("Could not fulfill request")
        source = self._known("sources", record["sourceId"])
        definition = self._made.find("definitions", source["definitionId"])
        destination = self._known("destinations", record["destinationId"])
        return made_connection(record, source, destination, definition and definition["manifest"])

    def _list(self, request: Request, kind: str) -> Answer:
        # Nothing here has a tag, so a list by tags is empty.
        is_meant = WORKSPACE_ID in (request.values("workspaceIds") or [WORKSPACE_ID]) and not request.values(
            "tagIds"
        )
        answers = list(self._answers(kind).values()) if is_meant else []
        return page_of(answers, request, kept=("workspaceIds", "includeDeleted", "tagIds"))

    def _get(self, request: Request, kind: str, identifier: str) -> Answer:  # noqa: ARG002
        answer = self._answers(kind).get(identifier)
        if answer is None:
            raise not_found(kind.removesuffix("s"), identifier)
        return answer

    def _answers(self, kind: str) -> dict[str, Answer]:
        if kind == "workspaces":
            return {WORKSPACE_ID: workspace_answer()}
        singular = kind.removesuffix("s")
        answer = PROVISIONED[kind]
        described = {stable_id(singular, each.name): answer(each) for each in self._provisioned}
        tell = self._connection_answer if kind == "connections" else self._end_answer
        return described | {record["id"]: tell(record) for record in self._made.all(kind).values()}

    def _end_answer(self, record: Record) -> Answer:
        kind = record["kind"]
        manifest = (self._made.find("definitions", record["definitionId"]) or {}).get("manifest", {})
        shown = checks.masked(record["configuration"], checks.secret_names(manifest))
        # The published API has the connector's name in here too, and its SDK reads no destination without.
        connector = "" if record["type"] == checks.DECLARATIVE else record["type"]
        named = {f"{kind}Type": connector} if connector else {}
        return {
            f"{kind}Id": record["id"],
            "name": record["name"],
            f"{kind}Type": connector,
            "definitionId": record["definitionId"],
            "workspaceId": WORKSPACE_ID,
            "configuration": {**shown, **named},
            "createdAt": record["created"],
        }

    def _create_end(self, request: Request, kind: str) -> Answer:
        body = request.fields()
        require(body, "name", "workspaceId", "configuration")
        check_workspace(str(body["workspaceId"]))
        _require_object(body["configuration"])
        key, offered = ENDS[kind]
        definition = str(body.get("definitionId") or "")
        kind_word = (
            offered if definition == stable_id("definition", offered) else body["configuration"].get(key)
        )
        # A definition made over the API decides by its id alone: its sources have no type in their configuration.
        if kind == "sources" and self._made.find("definitions", definition):
            kind_word = checks.DECLARATIVE
        elif kind_word != offered:
            raise unprocessable(
                f"there is no {kind.removesuffix('s')} of type {kind_word!r}; there is {offered}"
            )
        record = {
            "kind": kind.removesuffix("s"),
            "name": str(body["name"]),
            "type": kind_word,
            "definitionId": definition or stable_id("definition", kind_word),
            "configuration": body["configuration"],
        }
        self._check_end(record)
        return self._end_answer(self._made.create(kind, record))

    def _patch_end(self, request: Request, kind: str, identifier: str) -> Answer:
        body = request.fields()
        _require_object(body.get("configuration") or {})
        described = self._provisioned.of_source(identifier) if kind == "sources" else None
        if described is not None:
            return self._provisioned.change_source(described, body).source_answer()
        record = self._known(kind, identifier)
        changed = {
            **record,
            "name": str(body.get("name") or record["name"]),
            "configuration": checks.merged(record["configuration"], body.get("configuration") or {}),
        }
        self._check_end(changed)
        return self._end_answer(self._made.put(kind, changed))

    def _put_end(self, request: Request, kind: str, identifier: str) -> Answer:
        body, record = request.fields(), self._known(kind, identifier)
        require(body, "name", "configuration")
        _require_object(body["configuration"])
        # PUT replaces the configuration: fields that the request leaves out go. A mask still keeps its secret.
        kept = {name: checks.merged(record["configuration"].get(name), value)
                for name, value in body["configuration"].items()}  # fmt: skip
        changed = {**record, "name": str(body["name"]), "configuration": kept}
        self._check_end(changed)
        return self._end_answer(self._made.put(kind, changed))

    def _check_end(self, record: Record) -> None:
        if record["type"] == MONGODB:
            checks.check_mongodb(record["configuration"])
        elif record["type"] == S3:
            checks.check_s3(record["configuration"])
        else:
            definition = self._known("definitions", record["definitionId"])
            checks.check_declarative(record["configuration"], definition["manifest"])

    def _create_connection(self, request: Request) -> Answer:
        body = request.fields()
        require(body, "sourceId", "destinationId")
        record = {
            "name": str(body.get("name") or "Connection"),
            "sourceId": str(body["sourceId"]),
            "destinationId": str(body["destinationId"]),
            "status": "active",
            "schedule": {"scheduleType": "manual"},
            "namespaceDefinition": "destination",
            "prefix": "",
            "nonBreakingSchemaUpdatesBehavior": "ignore",
            **_given(body),
        }
        return self._connection_answer(
            self._made.create("connections", self._checked(record, _streams(body)))
        )

    def _patch_connection(self, request: Request, identifier: str) -> Answer:
        body, record = request.fields(), self._known("connections", identifier)
        # Like Airbyte, leave the streams as they are where the request lists none.
        changed = self._checked({**record, **_given(body)}, _streams(body) or record["streams"])
        return self._connection_answer(self._made.put("connections", changed))

    def _checked(self, record: Record, streams: Any) -> Record:
        source = self._known("sources", record["sourceId"])
        self._known("destinations", record["destinationId"])
        definition = self._made.find("definitions", source["definitionId"])
        known = checks.stream_names(definition["manifest"]) if definition else None
        configured = check_streams(streams, known, self._discovery(source))
        checks.check_connection(record)
        return {**record, "streams": configured}

    def _connection_answer(self, record: Record) -> Answer:
        discover = self._discovery(self._made.find("sources", record["sourceId"]) or {})
        return {
            "connectionId": record["id"],
            "workspaceId": WORKSPACE_ID,
            **{name: record[name] for name in ("sourceId", "destinationId", *PATCHABLE)},
            "schedule": checks.schedule_answer(record["schedule"]),
            "configurations": {
                "streams": [stream_answer(each, discover(each["name"])) for each in record["streams"]]
            },
            "tags": [],
            "createdAt": record["created"],
        }

    def _discovery(self, source: Mapping[str, Any]) -> Discover:
        """Return what says what the source has for the name of a stream."""
        definition = self._made.find("definitions", str(source.get("definitionId")))
        if definition:
            return partial(manifest_stream, definition["manifest"])
        # A collection needs no look into the database: the connector gives all of them the same key and cursor.
        databases = source.get("configuration", {}).get("database_config", {}).get("databases") or [""]
        return lambda _: mongodb_stream(databases[0])

    def _delete(self, request: Request, kind: str, identifier: str) -> None:  # noqa: ARG002
        self._made.delete(kind, self._known(kind, identifier)["id"])

    def _known(self, kind: str, identifier: str) -> Record:
        record = self._made.find(kind, identifier)
        if record is not None:
            return record
        singular = kind.removesuffix("s")
        # A 404 would be wrong: the lists show these too.
        if any(stable_id(singular, each.name) == identifier for each in self._provisioned):
            raise forbidden(f"this {singular} comes from etltctl's settings and is not changed over the API")
        raise not_found(singular, identifier)


def _require_object(configuration: Any) -> None:
    if not isinstance(configuration, Mapping):
        raise unprocessable("configuration is not an object")


def _given(body: Mapping[str, Any]) -> Answer:
    """Return what a request sets on a connection; null is the same as nothing, as in Airbyte."""
    return {name: body[name] for name in PATCHABLE if body.get(name) is not None}


def _streams(body: Mapping[str, Any]) -> Any:
    configured = body.get("configurations")
    return configured.get("streams") if isinstance(configured, Mapping) else None
