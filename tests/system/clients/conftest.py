"""Lakes for third-party clients, and the count of each client's checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client_checks import entry_of
from support.programs import PROGRAMS, Clients, clients_of

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Record the client of each test, so that a run prints what works and what is refused by client."""
    for item in items:
        if HERE in item.path.parents:
            item.user_properties.append(entry_of(item))


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Yield the clients of a lake with Formula 1 tables: the pipeline `api` ran on the sample."""
    _need_programs()
    with clients_of(tmp_path_factory.mktemp("lake")) as clients:
        clients.place.run("run", "api", "--run-id", "first")
        yield clients


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Yield the clients of a lake that holds nothing but a bucket; each module creates a database in it."""
    _need_programs()
    with clients_of(tmp_path_factory.mktemp("lake")) as clients:
        clients.aws("s3", "mb", "s3://client-results")
        yield clients


def _need_programs() -> None:
    if not PROGRAMS.is_dir():
        pytest.skip("the clients are not here: `make clients-test` brings them")
