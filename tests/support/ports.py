"""Free ports of 127.0.0.1."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
