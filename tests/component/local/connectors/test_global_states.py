"""Syncs of a connector that keeps one state for all streams: kept as one, given back whole, resumed after a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.connector_server import ConnectorServer
from support.tiny_connector import record, stream

STREAMS = [stream("ships"), stream("ports")]


def shared(lsn: int, *names: str) -> dict[str, Any]:
    parts = [{"stream_descriptor": {"name": name}, "stream_state": {"lsn": lsn}} for name in names]
    content = {"shared_state": {"lsn": lsn}, "stream_states": parts}
    return {"type": "STATE", "state": {"type": "GLOBAL", "global": content}}


def sync(server: ConnectorServer, *script: Any, names: list[str] | None = None) -> dict[str, Any]:
    chosen = {"names": names} if names else {}
    return server.run(list(script), STREAMS, sync_mode="incremental_append", **chosen)


def ids(server: ConnectorServer, name: str) -> list[int]:
    return sorted(row["id"] for row in server.read(f"tiny/{name}/"))


def state_file(server: ConnectorServer) -> Path:
    return server.state / "airbyte" / f"states-{server.ids['tiny']}.json"


def given_state(server: ConnectorServer) -> Any:
    """Return the state that the connector was given last."""
    line = next(line for line in reversed(server.log.splitlines()) if "shared_state" in line)
    (message,) = json.loads(line.partition("INFO  ")[2])
    assert message["type"] == "GLOBAL"
    return message["global"]


def test_the_state_of_one_sync_is_given_back_whole_to_the_next(server: ConnectorServer) -> None:
    job = sync(
        server, record("ships", id=1), record("ports", id=1), shared(1, "ships", "ports"),
        record("ports", id=2), record("ships", id=2), shared(2, "ships", "ports"),
    )  # fmt: skip
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 4), job
    job = sync(server, {"show_state": True}, record("ships", id=3), shared(3, "ships", "ports"))
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 1), job
    assert given_state(server) == shared(2, "ships", "ports")["state"]["global"]
    assert (ids(server, "ships"), ids(server, "ports")) == ([1, 2, 3], [1, 2])


def test_the_kept_state_says_how_many_rows_it_covers_of_each_stream(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), record("ships", id=2), record("ports", id=1), shared(1))
    kept = json.loads(state_file(server).read_bytes())
    assert kept["version"] == 2
    assert {name: each["rows"] for name, each in kept["streams"].items()} == {"ships": 2, "ports": 1}
    assert oct(state_file(server).stat().st_mode & 0o777) == "0o600"


def test_a_sync_that_broke_off_resumes_from_the_last_state_whose_records_are_all_in_bronze(
    server: ConnectorServer,
) -> None:
    failed = sync(
        server, record("ships", id=1), record("ports", id=1), shared(1), record("ports", id=2), {"exit": 3}
    )
    assert failed["status"] == "failed"
    assert "stream ships" in failed["etltctl_failure"]["message"]
    assert (ids(server, "ships"), ids(server, "ports")) == ([1], [1, 2])
    job = sync(server, {"show_state": True}, record("ports", id=2), shared(2))
    assert job["status"] == "succeeded", job
    assert given_state(server)["shared_state"] == {"lsn": 1}
    assert set(ids(server, "ports")) == {1, 2}


def test_a_sync_that_fails_before_its_first_state_begins_again(server: ConnectorServer) -> None:
    assert sync(server, record("ships", id=1), {"exit": 3})["status"] == "failed"
    assert not state_file(server).exists()
    assert sync(server, record("ships", id=1), shared(1))["status"] == "succeeded"
    assert set(ids(server, "ships")) == {1}


def test_a_stream_that_is_left_out_leaves_the_state_too(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), record("ports", id=1), shared(1, "ships", "ports"))
    job = sync(server, {"show_state": True}, shared(2, "ships"), names=["ships"])
    assert job["status"] == "succeeded", job
    assert given_state(server) == shared(1, "ships")["state"]["global"]
    job = sync(server, {"show_state": True}, record("ports", id=1), shared(3, "ships", "ports"))
    assert job["status"] == "succeeded", job
    assert given_state(server) == shared(2, "ships")["state"]["global"], "ports is read from its beginning"


def test_a_clear_forgets_the_state(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), shared(1))
    cleared = server.http.post("/jobs", json={"connectionId": server.ids["tiny"], "jobType": "clear"}).json()
    assert server.wait(cleared["jobId"])["status"] == "succeeded"
    assert not state_file(server).exists()
    assert ids(server, "ships") == []


def test_bronze_that_lost_the_files_of_a_state_is_noticed(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), record("ports", id=1), shared(1))
    for key in server.files():
        if key.startswith("tiny/ports/"):
            server.lake.delete_object("bronze", key)
    failure = sync(server, record("ships", id=2), shared(2))["etltctl_failure"]
    assert "ports: the kept state says that 1 rows were written" in failure["message"]


def test_a_damaged_state_of_all_streams_fails_the_sync_and_stays(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), shared(1))
    content = json.loads(state_file(server).read_bytes())
    state_file(server).write_text(json.dumps({**content, "global": [1]}))
    failure = sync(server, record("ships", id=2), shared(2))["etltctl_failure"]
    assert "is damaged (TypeError: the state of all streams is not an object)" in failure["message"]
    assert json.loads(state_file(server).read_bytes())["global"] == [1]


def test_states_of_each_stream_take_the_place_of_one_for_all(server: ConnectorServer) -> None:
    sync(server, record("ships", id=1), record("ports", id=1), shared(1))
    own = {"stream_descriptor": {"name": "ships"}, "stream_state": {"at": 2}}
    sync(server, record("ships", id=2), {"type": "STATE", "state": {"type": "STREAM", "stream": own}})
    kept = json.loads(state_file(server).read_bytes())
    assert (kept["version"], kept["streams"]["ships"]["state"]) == (1, {"at": 2})
