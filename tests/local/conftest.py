"""Fixtures of the tests that speak to a real embedded server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Served, serve


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for the tests of a module."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served
