"""Fixtures of the tests that speak to a real embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from served import Served, serve
from werkzeug.serving import make_server

from etltctl.aws import Aws
from etltctl.local.athena.tables import Lake
from etltctl.local.s3 import S3Api, S3Directory


class NoTables:
    """A Data Catalog without tables."""

    def get_table(self, database: str, name: str) -> None:
        return None


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake without tables, for queries that read none."""
    folder = tmp_path_factory.mktemp("lake")
    return Lake(NoTables(), S3Directory(folder / "s3", folder / "meta"))  # type: ignore[arg-type]


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
    made.__dict__["_session"] = boto_session._session
    return made


@pytest.fixture
def directory(tmp_path: Path) -> S3Directory:
    """The embedded S3's folder with one bucket, `lake`."""
    made = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    made.create_bucket("lake")
    return made


@pytest.fixture
def s3(directory: S3Directory) -> Iterator[Any]:
    """Unmodified boto3, pointed at that folder over HTTP."""
    server = make_server("127.0.0.1", 0, S3Api(directory), threaded=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    server.shutdown()
