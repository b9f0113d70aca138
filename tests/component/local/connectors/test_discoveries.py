"""The embedded Airbyte's list of streams: what a real connector finds, after its check, in Airbyte's own shape."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from etltctl.local.services.airbyte.connections import stable_id
from etltctl.local.services.airbyte.source_streams import field_paths
from support.connector_server import ConnectorServer
from support.tiny_connector import error, stream

POSITION = {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}}
SHIPS = {
    **stream("ships", position=POSITION),
    "namespace": "public",
    "default_cursor_field": ["seen_at"],
    "source_defined_cursor": True,
    "source_defined_primary_key": [["id"]],
}
PORTS = {**stream("ports"), "supported_sync_modes": ["full_refresh"]}


def streams(server: ConnectorServer, name: str = "tiny", **query: str) -> httpx.Response:
    ids = {"sourceId": stable_id("source", name), "destinationId": stable_id("destination", name)}
    return server.http.get("/streams", params={**ids, "ignoreCache": "true", **query})


def reason(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["title"]) == (500, "unexpected-problem")
    words = str(answer.json()["data"]["message"])
    assert words.startswith("Something went wrong in the connector. logs:")
    return words


def test_the_streams_of_a_connector_have_its_keys_cursors_modes_and_nested_fields(
    server: ConnectorServer,
) -> None:
    server.describe([], [SHIPS, PORTS], names=["ships"])
    ships, ports = streams(server).json()
    assert ships == {
        "streamName": "ships", "streamnamespace": "public",
        "syncModes": ["full_refresh_append", "full_refresh_overwrite", "incremental_append"],
        "defaultCursorField": ["seen_at"], "sourceDefinedCursorField": True,
        "sourceDefinedPrimaryKey": [["id"]],
        "propertyFields": [["id"], ["position"], ["position", "lat"], ["position", "lon"]],
        "etltctl_checked": True,
    }  # fmt: skip
    assert ports["streamName"] == "ports"
    assert "streamnamespace" not in ports
    assert ports["syncModes"] == ["full_refresh_append", "full_refresh_overwrite"]
    assert server.private == []


def test_without_a_destination_there_are_no_sync_modes(server: ConnectorServer) -> None:
    server.describe([], [PORTS])
    (ports,) = server.http.get("/streams", params={"sourceId": stable_id("source", "tiny")}).json()
    assert "syncModes" not in ports


def test_a_failed_check_is_the_connectors_failure_with_its_own_words(server: ConnectorServer) -> None:
    refused = {
        "type": "CONNECTION_STATUS",
        "connectionStatus": {"status": "FAILED", "message": "bad key k3y-9"},
    }
    server.describe([], config={"check": [refused], "pin": "k3y-9"})
    words = reason(streams(server))
    assert "the connector's check failed: bad key ***" in words
    assert "k3y-9" not in words
    assert server.private == []


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ([error("the database is away", "transient_error")], "check failed: the database is away"),
        ([{"exit": 3}], "check ended with exit code 3"),
        ([{"stderr": "no such file"}, {"exit": 1}], "no such file"),
    ],
)
def test_a_connector_that_ends_early_is_named(server: ConnectorServer, check: list[Any], words: str) -> None:
    server.describe([], config={"check": check})
    assert words in reason(streams(server))


def test_a_connector_that_says_nothing_is_ended(server: ConnectorServer) -> None:
    server.describe([], config={"check": [{"sleep": 60}]}, quiet_minutes=0.02)
    assert "check said nothing for 0.02 minutes and was ended" in reason(streams(server))


def test_the_log_of_the_last_sync_stays(server: ConnectorServer) -> None:
    assert server.run([{"records": ["ships", 1]}])["status"] == "succeeded"
    before = server.log
    server.describe([], config={"check": [error("down")]})
    assert "tiny-discover.log" in reason(streams(server))
    assert server.log == before


def test_a_missing_secret_is_named_without_starting_the_connector(server: ConnectorServer) -> None:
    server.describe([], missing="sources.tiny.config.pin is env:PIN, but PIN is not set")
    assert "PIN is not set" in reason(streams(server))


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({"sourceId": "00000000-0000-0000-0000-000000000000"}, 404, "source"),
        ({"destinationId": "00000000-0000-0000-0000-000000000000"}, 404, "destination"),
    ],
)
def test_an_unknown_id_is_named(
    server: ConnectorServer, query: dict[str, str], status: int, kind: str
) -> None:
    server.describe([])
    answer = streams(server, **query)
    assert answer.status_code == status
    assert answer.json()["data"]["resourceType"] == kind


def test_a_call_without_a_source_is_a_bad_request(server: ConnectorServer) -> None:
    answer = server.http.get("/streams")
    assert answer.status_code == 400
    assert "sourceId is required" in answer.text


def test_a_schema_of_any_shape_has_fields_or_none() -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"properties": {"in": deep}}
    assert len(list(field_paths(deep))) == 51
    for odd in (None, [], "x", {"properties": 7}, {"properties": {"a": None}}):
        assert json.dumps(list(field_paths(odd))) in ("[]", '[["a"]]')
