"""What the tests of the doctor share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest


class _Usage(NamedTuple):
    """What `shutil.disk_usage` tells, in bytes."""

    total: int
    used: int
    free: int


@pytest.fixture
def free_gb(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Say how much room the disk has: how full this machine's is proves nothing."""

    def set_free(gigabytes: float) -> None:
        free = int(gigabytes * 1e9)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(2 * free, free, free))

    return set_free
