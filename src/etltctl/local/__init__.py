"""The embedded endpoints: a small server on this machine that speaks Airbyte's and AWS's APIs and does the work.

A command finds the server of its state folder or starts it; what the command gets is an environment (URLs and the
state folder's own keys), nothing else.
"""

from etltctl.local.endpoints import (
    Endpoints,
    endpoints,
    environ_of,
    find_server,
    keep_server,
    misleading,
)
from etltctl.local.live_server import ends_at
from etltctl.local.shutdown import Stopped, stop_server

__all__ = [
    "Endpoints",
    "Stopped",
    "endpoints",
    "ends_at",
    "environ_of",
    "find_server",
    "keep_server",
    "misleading",
    "stop_server",
]
