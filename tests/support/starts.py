"""Short waits, a server's many earlier runs, and trouble with the names of hosts."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from etltctl.waiting import Waiter

OLDER_RUNS = 450
QUICK = Waiter(timeout=10.0, longest=0.05)


def name_trouble(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let the next `times` look-ups of a host's name fail."""
    really, failed = socket.getaddrinfo, []

    def look_up(host: Any, *rest: Any, **options: Any) -> Any:
        if len(failed) < times and host == "localhost":
            failed.append(host)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return really(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return failed
