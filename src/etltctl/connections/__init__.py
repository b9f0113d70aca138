"""Airbyte as code: sources, destinations and connections as the settings want them, against what the workspace has."""

from etltctl.connections.applying import apply_plan, make_plan
from etltctl.connections.exporting import as_toml, export_settings
from etltctl.connections.plan import Action, Change, Plan
from etltctl.connections.state import connection_id

__all__ = [
    "Action",
    "Change",
    "Plan",
    "apply_plan",
    "as_toml",
    "connection_id",
    "export_settings",
    "make_plan",
]
