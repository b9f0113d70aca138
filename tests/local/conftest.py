"""Fixtures of the tests that speak to a real embedded server."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from served import Served, serve

from etltctl.aws import Aws


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for the tests of a module."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture(scope="session")
def lake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for all tests whose lakes have names of their own."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture(scope="session")
def boto_session() -> boto3.Session:
    """One session: the services' descriptions are read once."""
    return boto3.Session(region_name="us-east-1")


@pytest.fixture
def aws(server: Served, monkeypatch: pytest.MonkeyPatch, boto_session: boto3.Session) -> Aws:
    """The library's own clients, led to the server."""
    for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    keys = server.keys
    boto_session._session.set_credentials(
        keys.access_key_id, keys.secret_access_key
    )  # each server has its own
    made = Aws(region="us-east-1")
    made.__dict__["_session"] = boto_session
    return made
