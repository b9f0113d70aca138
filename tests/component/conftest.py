"""Fixtures of the tests that call a real embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from etltctl.aws import Aws
from etltctl.local.kernel.keys import Keys
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.service import S3Api
from support.served import Served, make_client, serve

STAYING = {
    "pi_m3_bronze",
    "pi_m3_silver",
    "pi_m3_silver_rejects",
    "pi_m3_gold",
}  # created by lakes, and some are used by a whole module


def names_of(glue: Any) -> set[str]:
    """Return the names of the databases."""
    return {
        database["Name"]
        for page in glue.get_paginator("get_databases").paginate()
        for database in page["DatabaseList"]
    }


class NoTables:
    """A Data Catalog without tables."""

    def get_table(self, database: str, name: str) -> None:
        return None


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake without tables, for queries that read none."""
    folder = tmp_path_factory.mktemp("lake")
    return Lake(NoTables(), S3Directory(folder / "s3", folder / "meta"))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One kept server for the tests of this process: its start takes more than a second of processor time."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture(scope="module")
def server(shared_server: Served) -> Served:
    """The server that the modules share, with no fault in force. Each module uses its own names in it."""
    shared_server.request("POST", "faults", [])
    return shared_server


@pytest.fixture
def aws(server: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """The library's own clients, directed to the server. The databases that a test made are deleted after it.

    The server writes the whole catalog at every change, so each table that stays makes all later changes dearer.
    """
    for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    glue = server.client("glue")
    before = names_of(glue)
    yield Aws(region="us-east-1")
    server.request("POST", "faults", [])
    for name in names_of(glue) - before - STAYING:
        glue.delete_database(Name=name)


@pytest.fixture
def directory(tmp_path: Path) -> S3Directory:
    """The embedded S3's folder with one bucket, `lake`."""
    s3_directory = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    s3_directory.create_bucket("lake")
    return s3_directory


@pytest.fixture
def s3(directory: S3Directory) -> Iterator[Any]:
    """Unmodified boto3, pointed at that folder over HTTP."""
    server = make_server("127.0.0.1", 0, S3Api(directory), threaded=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield make_client("s3", server.server_port, Keys.make())
    server.shutdown()
