"""The embedded endpoints: a small server on this machine that speaks Airbyte's and AWS's APIs and does the work.

A command finds the server of its state folder or starts it; what the command gets is an environment (URLs and dummy
credentials), nothing else.
"""

from etltctl.local.class_archive import describe_class_archive
from etltctl.local.endpoints import Endpoints, endpoints, find_server, keep_server, stop_server

__all__ = ["Endpoints", "describe_class_archive", "endpoints", "find_server", "keep_server", "stop_server"]
