"""A project on an embedded Airbyte without connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.airbyte_place import Place, open_place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with open_place(tmp_path, monkeypatch) as opened:
        yield opened
