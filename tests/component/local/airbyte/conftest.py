"""An embedded Airbyte with four connections, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from etltctl.local.services.airbyte.mongodb import MongoProcess
from support.airbyte_server import Server, api, mongo
from support.incremental import IncrementalLake

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


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoProcess]:
    process = MongoProcess(tmp_path_factory.mktemp("mongo") / "data")
    yield process
    process.stop()


@pytest.fixture
def observations(process: MongoProcess) -> Iterator[Any]:
    with pymongo.MongoClient[dict[str, Any]](process.uri()) as client:
        client.drop_database("weather")
        client["weather"]["observations"].insert_many([{"_id": number, "dt": number} for number in range(5)])
        yield client["weather"]["observations"]


@pytest.fixture
def lake(server: Server, process: MongoProcess, observations: Any) -> IncrementalLake:
    lake = IncrementalLake(server, process.uri())
    lake.configure()
    return lake
