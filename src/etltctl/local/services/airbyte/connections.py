"""The connections of the embedded Airbyte, with the source and destination of each, as the public API shows them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from etltctl.errors import ConfigurationError
from etltctl.local.services.airbyte.connectors.masks import MASK, secret_values, without_values
from etltctl.local.services.airbyte.endpoints import DEFAULT_STREAMS, ENDPOINTS
from etltctl.local.services.airbyte.records import Stream
from etltctl.local.services.airbyte.streams import (
    Discovered,
    api_stream,
    mongodb_stream,
    resolved_streams,
    stream_answer,
)
from etltctl.settings.manifests import read_manifest, specification_of
from etltctl.values import APPEND, INCREMENTAL, OVERWRITE

__all__ = ["MASK", "Connection", "made_connection", "parse_connection", "stable_id", "workspace_answer"]

# Airbyte has no name for a connector that is the user's own.
SOURCE_TYPES = {"mongodb": "mongodb-v2", "http": "", "airbyte": ""}
# What a stack's description must say of a source, by its kind.
NEEDED = {
    "mongodb": {"uri", "database", "collections"},
    "http": {"base_url", "seasons"},
    "airbyte": {"config", "streams"},
}


def stable_id(kind: str, name: str) -> str:
    """Return the same UUID (RFC 9562, version 5) for the same name, also after a restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"etltctl:{kind}:{name}"))


WORKSPACE_ID = stable_id("workspace", "etltctl")


@dataclass(frozen=True)
class Connection:
    """One connection; `source` is the configuration with its secrets, which stay in memory."""

    name: str
    bucket: str
    path: str
    source: Mapping[str, Any] = field(repr=False)
    created: float = 0.0
    given_id: str = ""  # of one made over the API
    codec: str = "UNCOMPRESSED"
    modes: Mapping[str, str] = field(
        default_factory=dict
    )  # the sync mode of each stream; overwrites unless named

    @property
    def id(self) -> str:
        """The connection's UUID."""
        return self.given_id or stable_id("connection", self.name)

    @property
    def streams(self) -> list[Stream]:
        """The streams by name and namespace, without their columns."""
        namespace = str(self.source.get("database") or self.source.get("namespace") or "")
        return [Stream(name, {}, namespace) for name in self._stream_names()]

    @property
    def appended(self) -> frozenset[str]:
        """The streams that are read whole and whose earlier files stay."""
        return frozenset(name for name, mode in self.modes.items() if mode == APPEND)

    @property
    def incremental(self) -> frozenset[str]:
        """The streams of which a sync reads only what is new."""
        return frozenset(name for name, mode in self.modes.items() if mode == INCREMENTAL)

    def connection_answer(self) -> dict[str, Any]:
        """Return the connection resource."""
        return {
            "connectionId": self.id,
            "name": self.name,
            "sourceId": stable_id("source", self.name),
            "destinationId": stable_id("destination", self.name),
            "workspaceId": WORKSPACE_ID,
            "status": "active",
            "schedule": {"scheduleType": "manual"},
            "configurations": {"streams": [self._stream(name) for name in self._stream_names()]},
            "namespaceDefinition": "source",
            "prefix": "",
            "nonBreakingSchemaUpdatesBehavior": "propagate_columns",
            "tags": [],
            "createdAt": int(self.created),
        }

    def source_answer(self) -> dict[str, Any]:
        """Return the source resource; the address is masked because it may hold a password."""
        return {
            "sourceId": stable_id("source", self.name),
            "name": self.name,
            "sourceType": SOURCE_TYPES[self.source["kind"]],
            "definitionId": stable_id("definition", SOURCE_TYPES[self.source["kind"]] or self.source["kind"]),
            "workspaceId": WORKSPACE_ID,
            "configuration": self._masked(),
            "createdAt": int(self.created),
        }

    def destination_answer(self) -> dict[str, Any]:
        """Return the destination resource."""
        return {
            "destinationId": stable_id("destination", self.name),
            "name": self.name,
            "destinationType": "s3",
            "definitionId": stable_id("definition", "s3"),
            "workspaceId": WORKSPACE_ID,
            "configuration": {
                "destinationType": "s3",
                "s3_bucket_name": self.bucket,
                "s3_bucket_path": self.path,
                "access_key_id": MASK,
                "secret_access_key": MASK,
                "format": {"format_type": "Parquet", "compression_codec": "UNCOMPRESSED"},
            },
            "createdAt": int(self.created),
        }

    def _masked(self) -> dict[str, Any]:
        source = self.source
        if source["kind"] == "airbyte":
            secrets = {*source.get("secrets", ()), *secret_values(source["config"], _specification(source))}
            return {name: without_values(each, secrets) for name, each in source["config"].items()}
        if source["kind"] == "http":
            return {"base_url": source["base_url"], "seasons": source["seasons"]}
        return {
            "sourceType": "mongodb-v2",
            "database_config": {
                "cluster_type": "SELF_MANAGED_REPLICA_SET",
                "connection_string": MASK,
                "databases": [source["database"]],
                "schema_enforced": True,
            },
        }

    def _stream_names(self) -> list[str]:
        return list(self.source.get("collections") or self.source.get("streams") or DEFAULT_STREAMS)

    def _stream(self, name: str) -> dict[str, Any]:
        if self.source["kind"] == "airbyte":
            of_connector = Discovered(self.source.get("namespace", ""))
            return stream_answer({"name": name, "syncMode": self.modes.get(name)}, of_connector)
        database = self.source.get("database")
        discovered = mongodb_stream(database) if database else api_stream(name)
        return stream_answer({"name": name, "syncMode": self.modes.get(name)}, discovered)


def _specification(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a connector's configuration; empty if its manifest cannot be read, or if it is a package."""
    if not source.get("manifest"):
        return {}
    try:
        return specification_of(read_manifest(Path(source["manifest"])))
    except ConfigurationError:  # a sync reports it
        return {}


def workspace_answer() -> dict[str, Any]:
    """Return the one workspace there is."""
    return {"workspaceId": WORKSPACE_ID, "name": "etltctl", "dataResidency": "auto", "notifications": {}}


def parse_connection(described: Mapping[str, Any], created: float) -> Connection:
    """Return the connection of a stack's description.

    Args:
        described: The connection as the settings describe it.
        created: When it was made, in seconds since the epoch.

    Raises:
        ValueError: A part is missing, or the source is of an unknown kind.
    """
    source = described.get("source", {})
    kind = source.get("kind")
    if kind not in NEEDED:
        raise ValueError(f"no source is of kind {kind!r}; there are {', '.join(NEEDED)}")
    missing = {"name", "bucket", "path"} - described.keys() | NEEDED[kind] - source.keys()
    if missing:
        raise ValueError(f"connection {described.get('name', '?')}: {', '.join(sorted(missing))} is missing")
    connection = Connection(described["name"], described["bucket"], described["path"], dict(source), created)
    mode = described.get("sync_mode") or OVERWRITE
    return replace(connection, modes={stream.name: mode for stream in connection.streams})


def made_connection(
    record: Mapping[str, Any],
    source: Mapping[str, Any],
    destination: Mapping[str, Any],
    manifest: Mapping[str, Any] | None = None,
) -> Connection:
    """Return a connection that was made over the API, as a sync runs it.

    Args:
        record: The connection.
        source: Its source.
        destination: Its destination.
        manifest: The low-code manifest of the source's definition, if it has one.
    """
    target, streams = destination["configuration"], record["streams"]
    return Connection(
        name=record["name"],
        bucket=target["s3_bucket_name"],
        path=target["s3_bucket_path"],
        source=extractor_of(source["configuration"], [stream["name"] for stream in streams], manifest),
        created=record["created"],
        given_id=record["id"],
        codec=target["format"].get("compression_codec", "UNCOMPRESSED"),
        modes={each["name"]: each.get("syncMode") or OVERWRITE for each in streams},
    )


def extractor_of(
    configuration: Mapping[str, Any], streams: list[str], manifest: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the embedded extractor needs to know of a source configured as Airbyte's connectors are.

    Args:
        configuration: The configuration of the source.
        streams: The streams to read.
        manifest: The manifest of its connector, if it is a low-code one.
    """
    if manifest is not None and not (_is_of_formula_1(manifest) and ENDPOINTS.keys() >= set(streams)):
        return {
            "kind": "airbyte",
            "manifest_content": manifest,
            "config": dict(configuration),
            "streams": streams,
        }
    database = configuration.get("database_config")
    if database is None:
        return {
            "kind": "http",
            "base_url": str(configuration.get("base_url", "")),
            "seasons": configuration.get("seasons") or "all",
            # 3 is the default of the manifest that etltctl ships: the public API allows 4 a second.
            "rate": f"{configuration.get('requests_per_second', 3)}/s",
            "streams": streams,
        }
    return {
        "kind": "mongodb",
        "uri": _with_credentials(database),
        "database": database["databases"][0],
        "collections": streams,
    }


def _is_of_formula_1(manifest: Mapping[str, Any]) -> bool:
    """Return whether the manifest has all streams of the Formula 1 API: the embedded extractor is faster there."""
    return set(DEFAULT_STREAMS) <= {stream["name"] for stream in resolved_streams(manifest)}


def _with_credentials(database: Mapping[str, Any]) -> str:
    uri, user = str(database["connection_string"]), str(database.get("username") or "")
    if not user or uri == "sample:":
        return uri
    # The connector has user and password in separate fields; the driver reads them from the address only.
    parts = urlsplit(uri)
    # A password may hold `@`, `:` or `/`, which would end its part of the address.
    credentials = f"{quote(user, safe='')}:{quote(str(database.get('password') or ''), safe='')}"
    query = parts.query
    if database.get("auth_source") and "authSource=" not in query:
        query = "&".join(filter(None, (query, f"authSource={database['auth_source']}")))
    return urlunsplit((parts.scheme, f"{credentials}@{parts.netloc}", parts.path or "/", query, ""))
