"""An embedded Airbyte with four connections, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.airbyte_server import Server, api, mongo

SECRET_URI = "mongodb://me:s3cret@127.0.0.1:1/"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    running.start()
    running.configure(
        api("api", "sample:", "races", "results"),
        api("busy", f"{running.base_url}/busy/ergast/f1"),
        api("gone", "http://127.0.0.1:1/"),
        mongo("secret", SECRET_URI),
    )
    running.sign_in()
    yield running
    running.stop()
