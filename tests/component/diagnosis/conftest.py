"""Fixtures that the tests of the doctor share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest


class _Usage(NamedTuple):
    """The result of `shutil.disk_usage`, in bytes."""

    total: int
    used: int
    free: int


@pytest.fixture
def free_gb(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the free space of the disk, so that a test does not depend on this machine's."""

    def set_free(gigabytes: float) -> None:
        free = int(gigabytes * 1e9)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(2 * free, free, free))

    return set_free
