"""An embedded Airbyte that installs connectors for real, from the package index of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.connector_server import ConnectorServer, connector_server


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of environments for all tests of the session: to make one takes half a minute or more."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def server(tmp_path: Path, environments: Path) -> Iterator[ConnectorServer]:
    with connector_server(tmp_path, environments) as running:
        yield running
