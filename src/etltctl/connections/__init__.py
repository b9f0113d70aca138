"""Airbyte as code: sources, destinations and connections of the settings, against what the workspace holds."""

from etltctl.connections.apply import apply_plan
from etltctl.connections.changes import Action, Change
from etltctl.connections.discovery import (
    STREAM_COLUMNS,
    SourceStreams,
    check_source,
    discover_source,
    require_discoverable,
)
from etltctl.connections.export import as_toml, export_settings
from etltctl.connections.plan import Plan, make_plan
from etltctl.connections.seasons import SeasonsOfSource
from etltctl.connections.state import connection_id

__all__ = [
    "STREAM_COLUMNS",
    "Action",
    "Change",
    "Plan",
    "SeasonsOfSource",
    "SourceStreams",
    "apply_plan",
    "as_toml",
    "check_source",
    "connection_id",
    "discover_source",
    "export_settings",
    "make_plan",
    "require_discoverable",
]
