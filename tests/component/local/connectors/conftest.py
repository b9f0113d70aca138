"""An embedded Airbyte whose connectors are installed from a folder of wheels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.local.services.airbyte.connectors.environment import Environments
from support.connector_server import ConnectorServer, connector_server
from support.tiny_connector import PACKAGE, offline, write_wheel


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the environments, with that of the tiny connector."""
    folder = tmp_path_factory.mktemp("installed")
    write_wheel(folder / "wheels")
    environ = {**os.environ, **offline(folder / "wheels")}
    Environments(folder / "environments", environ).of_package(PACKAGE, lambda _: None, lambda _: None)
    return folder / "environments"


@pytest.fixture
def server(tmp_path: Path, installed: Path) -> Iterator[ConnectorServer]:
    with connector_server(tmp_path, installed) as running:
        yield running
