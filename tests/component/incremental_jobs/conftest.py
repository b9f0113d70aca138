"""A separate lake for each test: what an incremental job reads depends on every run before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.testing import open_lake
from support.letters import Letters, write_project


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Letters]:
    """The project, with one file in bronze and no run yet."""
    write_project(tmp_path / "project")
    with open_lake(tmp_path / "lake", project=tmp_path / "project") as lake:
        letters = Letters(lake)
        letters.put("one", {"ann": ["a1", "a2"], "bob": ["b1"]})
        yield letters
