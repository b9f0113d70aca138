"""The command's side: find the embedded server or start it, and lead this process to it."""

from etltctl.local.client.dbt_profile import as_yaml, dbt_profile
from etltctl.local.client.endpoints import (
    Endpoints,
    endpoints,
    environ_of,
    find_server,
    keep_server,
    misleading,
)
from etltctl.local.client.live_server import began, ends_at
from etltctl.local.client.shutdown import Stopped, stop_server

__all__ = [
    "Endpoints",
    "Stopped",
    "as_yaml",
    "began",
    "dbt_profile",
    "endpoints",
    "ends_at",
    "environ_of",
    "find_server",
    "keep_server",
    "misleading",
    "stop_server",
]
