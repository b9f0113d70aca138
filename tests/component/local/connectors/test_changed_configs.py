"""A connector that changes its configuration, such as a token for one use: kept for its next start, and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etltctl.local.services.airbyte.connections import stable_id
from support.connector_server import ConnectorServer
from support.tiny_connector import record, stream

SHOW = {"show_config": True}


def changed(**config: Any) -> dict[str, Any]:
    content = {"type": "CONNECTOR_CONFIG", "emitted_at": 1.0, "connectorConfig": {"config": config}}
    return {"type": "CONTROL", "control": content}


def config(script: list[Any], **values: Any) -> dict[str, Any]:
    return {"script": script, "streams": [stream("ships")], **values}


def sync(server: ConnectorServer, script: list[Any], **values: Any) -> dict[str, Any]:
    job = server.run(script, [stream("ships")], config=values)
    assert job["status"] == "succeeded", job
    return job


def kept(server: ConnectorServer) -> list[Path]:
    return list((server.state / "airbyte" / "connectors" / "configs").glob("*.json"))


def tokens(server: ConnectorServer) -> list[str]:
    """Return the length of each token that the connector was started with."""
    return [line.split("token of ")[1] for line in server.log.splitlines() if "token of " in line]


def test_the_next_sync_starts_with_the_changed_configuration(server: ConnectorServer) -> None:
    after = config([SHOW, record("ships", id=1)], refresh_token="n3w-token-1")
    first = [SHOW, changed(**after), record("ships", id=1)]
    sync(server, first, refresh_token="first")
    assert tokens(server) == ["5"]
    sync(server, first, refresh_token="first")
    assert tokens(server) == ["11"]
    (file,) = kept(server)
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert json.loads(file.read_bytes())["config"]["refresh_token"] == "n3w-token-1"


def test_a_changed_token_is_in_no_log_and_in_no_answer(server: ConnectorServer) -> None:
    script = [{"rotate": True}, {"stderr": "the token is nekot-tsrif"}, {"exit": 3}]
    server.describe(script, [stream("ships")], config={"refresh_token": "first-token"})
    job = server.sync("tiny")
    assert job["status"] == "failed"
    assert "signed in with ***" in server.log
    assert "nekot-tsrif" not in server.log + json.dumps(job)
    (file,) = kept(server)
    token = json.loads(file.read_bytes())["config"]["refresh_token"]
    assert token == "nekot-tsrif", "a token that is used up must not be lost with the sync"
    assert server.private == []


def test_the_api_shows_the_configuration_of_the_settings_alone(server: ConnectorServer) -> None:
    first = [changed(**config([], refresh_token="n3w-token-1"))]
    sync(server, first, refresh_token="first")
    shown = server.http.get(f"/sources/{stable_id('source', 'tiny')}").json()["configuration"]
    assert shown["refresh_token"] == "**********"


def test_another_configuration_of_the_settings_takes_the_place_of_the_changed_one(
    server: ConnectorServer,
) -> None:
    first = [changed(**config([SHOW], refresh_token="n3w-token-1"))]
    sync(server, first, refresh_token="first")
    sync(server, [SHOW], refresh_token="of-the-settings")
    assert tokens(server) == ["15"]


def test_a_change_during_the_check_holds_for_the_read_of_the_same_sync(server: ConnectorServer) -> None:
    good = {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}
    after = config([SHOW, record("ships", id=1)], refresh_token="n3w-token-1")
    sync(server, [], refresh_token="first", check=[changed(**after), good])
    assert tokens(server) == ["11"]


def test_a_damaged_file_fails_the_sync_by_its_name_and_stays(server: ConnectorServer) -> None:
    first = [changed(**config([], refresh_token="n3w-token-1"))]
    sync(server, first, refresh_token="first")
    (file,) = kept(server)
    file.write_text('{"configured": ')
    failure = server.sync("tiny")["etltctl_failure"]
    assert str(file) in failure["message"]
    assert "delete the file" in failure["message"]
    assert failure["kind"] == "config_error"
    assert file.read_text() == '{"configured": '


def test_another_control_message_is_a_line_of_the_log(server: ConnectorServer) -> None:
    sync(server, [{"type": "CONTROL", "control": {"type": "SOMETHING"}}, record("ships", id=1)])
    assert "a message of type CONTROL has no effect here" in server.log
    assert kept(server) == []
