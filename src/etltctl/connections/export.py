"""Export a workspace as settings, to take over connections that were made by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etltctl.airbyte.resources import Kind, Resource
from etltctl.answers import optional_list
from etltctl.connections.actual import (
    call_of,
    configuration_of,
    link_of,
    open_workspace,
    schedule_of,
    streams_of,
)
from etltctl.settings.toml_tables import toml_comment, toml_key, toml_text
from etltctl.values import HTTP, OVERWRITE, SYNC_MODES, SourceKind

if TYPE_CHECKING:
    from etltctl.settings import Settings


def export_settings(settings: Settings) -> dict[str, Any]:
    """Return every connection of the workspace as a table of `sources`, by name. Secrets are references to fill in.

    Connections that no settings can describe are under `left_out`, with the reason.

    Raises:
        ServiceError: Airbyte shows a connection without its source or destination, or in another shape.
    """
    workspace = open_workspace(settings)
    resources = workspace.all_resources()
    by_id = {each.id: each for each in resources}
    sources: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for connection in (each for each in resources if each.kind is Kind.CONNECTION):
        source = by_id.get(link_of(connection, "sourceId"))
        target = by_id.get(link_of(connection, "destinationId"))
        trouble = _trouble(source, target)
        if source is None or trouble:
            left_out[connection.name] = trouble
            continue
        name = _key(connection.name.removeprefix(f"{settings.project}-"), sources)
        sources[name] = _table(name, connection, source)
    return {"sources": sources, "left_out": left_out}


def as_toml(exported: Mapping[str, Any]) -> str:
    """Return the exported tables as text for etltctl.toml."""
    lines: list[str] = []
    for name, table in exported["sources"].items():
        settings = (f"{toml_key(key)} = {toml_text(value)}" for key, value in table.items())
        lines += [f"[sources.{toml_key(name)}]", *settings, ""]
    left_out = exported["left_out"].items()
    lines += [toml_comment(f"left out: connection {name}: {reason}") for name, reason in left_out]
    return "\n".join(lines).rstrip() + "\n"


def _trouble(source: Resource | None, target: Resource | None) -> str:
    if source is None or target is None:
        return "its source or destination is not in the workspace"
    if target.type != "s3":
        return f"its destination is of type {target.type}, not s3"
    configuration = configuration_of(source)
    is_mongodb = source.type == "mongodb-v2" or "database_config" in configuration
    if is_mongodb and not isinstance(configuration.get("database_config"), Mapping):
        return f"its source of type {source.type} shows no database_config"
    return ""


def _table(name: str, connection: Resource, source: Resource) -> dict[str, Any]:
    configuration = configuration_of(source)
    streams = streams_of(connection)
    modes = {stream.get("syncMode") or OVERWRITE for stream in streams}
    schedule = schedule_of(connection)
    common: dict[str, Any] = {"connection_id": connection.id}
    # The settings have one mode for a source; several are left for a person to decide.
    if len(modes) == 1 and modes <= set(SYNC_MODES):
        common["sync_mode"] = modes.pop()
    if schedule.startswith("cron "):
        common["schedule"] = schedule
    names = [stream["name"] for stream in streams]
    database = configuration.get("database_config")
    if isinstance(database, Mapping):
        databases = optional_list(database, "databases", call_of(source)) or [""]
        # Airbyte shows stars for the address, so the variable is a place to fill in.
        variable = f"{name.upper()}_URI"
        return {
            "kind": SourceKind.MONGODB.value, "uri": f"env:{variable}", "database": databases[0],
            "collections": names, "schema_enforced": database.get("schema_enforced") is not False, **common,
        }  # fmt: skip
    from etltctl.settings.sources import OPTIONAL_STREAMS, STREAMS

    if not configuration.get("base_url") or not set(names) <= {*STREAMS, *OPTIONAL_STREAMS}:
        # The connection is all that is needed to sync it; what its connector is configured with stays in Airbyte.
        namespaces = {str(stream.get("namespace") or "") for stream in streams}
        namespace = {"namespace": namespaces.pop()} if len(namespaces) == 1 and namespaces != {""} else {}
        return {"kind": SourceKind.AIRBYTE.value, "streams": names, **namespace, **common}
    seasons = configuration.get("seasons") or "all"
    return {
        "kind": HTTP,
        "base_url": configuration["base_url"],
        "seasons": seasons,
        "streams": names,
        **common,
    }


def _key(text: str, taken: Mapping[str, Any]) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_") or "source"
    number = 2
    # Two names of Airbyte may differ only in signs that a key of TOML cannot have.
    while name in taken:
        name, number = f"{name.rstrip('0123456789_')}_{number}", number + 1
    return name
