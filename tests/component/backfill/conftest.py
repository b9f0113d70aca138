"""A project with four seasons on an embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.backfilled import Place, open_place, pack


@pytest.fixture(autouse=True)
def data_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let embedded servers serve four seasons."""
    monkeypatch.setenv("ETLTCTL_DATA_PACK", str(pack(tmp_path / "pack")))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The project with an empty lake."""
    with open_place(tmp_path) as opened:
        yield opened
