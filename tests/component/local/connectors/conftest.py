"""An embedded Airbyte whose connectors are installed from a folder of wheels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.local.services.airbyte.connectors.environment import Environments
from support.connector_server import ConnectorServer
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
    running = ConnectorServer(tmp_path)
    (tmp_path / "airbyte" / "connectors").mkdir(parents=True)
    (tmp_path / "airbyte" / "connectors" / "environments").symlink_to(installed)
    running.start()
    running.sign_in()
    yield running
    running.stop()
