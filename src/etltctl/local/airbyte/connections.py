"""The connections of the embedded Airbyte: the bucket, the folder and the source of each."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

MASK = "**********"
NEEDED = {"mongodb": {"uri", "database", "collections"}, "http": {"base_url", "seasons"}}


def stable_id(kind: str, name: str) -> str:
    """The same UUID (RFC 9562, version 5) for the same name, also after a restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"etltctl:{kind}:{name}"))


WORKSPACE_ID = stable_id("workspace", "etltctl")


@dataclass(frozen=True)
class Connection:
    """One connection; `source` is the configuration with its secrets, which stay in memory."""

    name: str
    bucket: str
    path: str
    source: Mapping[str, Any] = field(repr=False)
    given_id: str = ""  # of one made over the API
    codec: str = "UNCOMPRESSED"
    appended: frozenset[str] = frozenset()  # the streams whose earlier files stay

    @property
    def id(self) -> str:
        """The connection's UUID."""
        return self.given_id or stable_id("connection", self.name)


def workspace_answer() -> dict[str, Any]:
    """The one workspace there is."""
    return {"workspaceId": WORKSPACE_ID, "name": "etltctl", "dataResidency": "auto", "notifications": {}}


def parse_connection(described: Mapping[str, Any]) -> Connection:
    """The connection of a stack's description; raises ValueError if a part is missing or of an unknown kind."""
    source = described.get("source", {})
    kind = source.get("kind")
    if kind not in NEEDED:
        raise ValueError(f"no source is of kind {kind!r}; there are {', '.join(NEEDED)}")
    missing = {"name", "bucket", "path"} - described.keys() | NEEDED[kind] - source.keys()
    if missing:
        raise ValueError(f"connection {described.get('name', '?')}: {', '.join(sorted(missing))} is missing")
    return Connection(described["name"], described["bucket"], described["path"], dict(source))


def extractor_of(configuration: Mapping[str, Any], streams: list[str]) -> dict[str, Any]:
    """What the embedded extractor needs to know of a source configured as Airbyte's connectors are."""
    database = configuration.get("database_config")
    if database is None:
        return {
            "kind": "http",
            "base_url": str(configuration.get("base_url", "")),
            "seasons": configuration.get("seasons") or "all",
            "rate": f"{configuration.get('requests_per_second', 3)}/s",
            "streams": streams,
        }
    return {
        "kind": "mongodb",
        "uri": _with_credentials(database),
        "database": database["databases"][0],
        "collections": streams,
    }


def _with_credentials(database: Mapping[str, Any]) -> str:
    uri, user = str(database["connection_string"]), str(database.get("username") or "")
    if not user or uri == "sample:":
        return uri
    parts = urlsplit(uri)
    credentials = f"{quote(user, safe='')}:{quote(str(database.get('password') or ''), safe='')}"
    query = parts.query
    if database.get("auth_source") and "authSource=" not in query:
        query = "&".join(filter(None, (query, f"authSource={database['auth_source']}")))
    return urlunsplit((parts.scheme, f"{credentials}@{parts.netloc}", parts.path or "/", query, ""))
