"""Fixtures of the tests that speak to a real embedded server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `served`, with pytest's importlib mode

from served import Served, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for the tests of a module."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served
