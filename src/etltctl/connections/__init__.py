"""Airbyte as code: sources, destinations and connections of the settings, against what the workspace holds."""

from etltctl.connections.apply import apply_plan
from etltctl.connections.changes import Action, Change
from etltctl.connections.export import as_toml, export_settings
from etltctl.connections.plan import Plan, make_plan
from etltctl.connections.seasons import SeasonsOfSource
from etltctl.connections.state import connection_id

__all__ = [
    "Action",
    "Change",
    "Plan",
    "SeasonsOfSource",
    "apply_plan",
    "as_toml",
    "connection_id",
    "export_settings",
    "make_plan",
]
