"""Incremental syncs of a connector: the state of one sync is what the next one reads from."""

from __future__ import annotations

import json
from typing import Any

from support.connector_server import ConnectorServer
from support.tiny_connector import record, stream

SHIPS = [{**stream("ships"), "supported_sync_modes": ["full_refresh", "incremental"]}]


def state(at: int) -> dict[str, Any]:
    content = {"stream_descriptor": {"name": "ships"}, "stream_state": {"at": at}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": content}}


def sync(server: ConnectorServer, *script: Any) -> dict[str, Any]:
    return server.run(list(script), SHIPS, sync_mode="incremental_append")


def ids(server: ConnectorServer) -> list[int]:
    return sorted(row["id"] for row in server.read())


def shown_state(server: ConnectorServer) -> Any:
    """Return the state that the connector was given last."""
    line = next(line for line in reversed(server.log.splitlines()) if "stream_state" in line)
    (message,) = json.loads(line.partition("INFO  ")[2])
    return message["stream"]["stream_state"]


def test_the_next_sync_reads_from_the_state_and_adds_its_records(server: ConnectorServer) -> None:
    assert sync(server, record("ships", id=1), state(1))["rowsSynced"] == 1
    job = sync(server, {"show_state": True}, record("ships", id=2), state(2))
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 1)
    assert shown_state(server) == {"at": 1}
    assert ids(server) == [1, 2]


def test_a_sync_that_broke_off_resumes_from_the_last_state_whose_records_are_in_bronze(
    server: ConnectorServer,
) -> None:
    failed = sync(server, record("ships", id=1), state(1), record("ships", id=2), {"exit": 3})
    assert failed["status"] == "failed"
    job = sync(server, {"show_state": True}, record("ships", id=2), state(2))
    assert job["status"] == "succeeded", job
    assert shown_state(server) == {"at": 1}
    assert set(ids(server)) == {1, 2}


def test_a_stream_that_cannot_be_read_so_is_named(server: ConnectorServer) -> None:
    ships = {**stream("ships"), "supported_sync_modes": ["full_refresh"]}
    job = server.run([record("ships", id=1)], [ships], sync_mode="incremental_append")
    assert job["status"] == "failed"
    assert "stream ships: the connector cannot read it incrementally" in job["etltctl_failure"]["message"]
