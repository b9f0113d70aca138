"""Fixtures of the tests that speak to a real embedded server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Served, serve

from etltctl.aws import Aws


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for the tests of a module."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture
def aws(server: Served, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The library's own clients, led to the server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return Aws(region="us-east-1")
