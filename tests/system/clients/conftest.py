"""A lake with Formula 1 tables, for third-party clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.programs import PROGRAMS, Clients
from support.workplace import Workplace


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Yield the clients of a lake in which the pipeline `api` ran on the sample."""
    if not PROGRAMS.is_dir():
        pytest.skip("the clients are not here: `make clients-test` brings them")
    place = Workplace(tmp_path_factory.mktemp("lake"))
    place.run("local", "up")
    try:
        place.run("run", "api", "--run-id", "first")
        yield Clients(place, {**place.full_environ, **place.json("local", "env")["environ"]})
    finally:
        place.run("local", "down")
