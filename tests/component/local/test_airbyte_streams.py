"""The streams of a connection: returned in full, refused in Airbyte's words, and sent back without empty fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.airbyte_place import Place, open_place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with open_place(tmp_path, monkeypatch) as opened:
        opened.apply()
        yield opened


def connection(place: Place, source: str) -> dict[str, Any]:
    answer: dict[str, Any] = place.server.http.get(path(place, source)).json()
    return answer


def path(place: Place, source: str) -> str:
    return f"/connections/{place.recorded()[f'connection:{source}']}"


def sent(place: Place) -> list[dict[str, Any]]:
    """Return the bodies of all changes of connections."""
    patches = (each for each in place.server.exchanges if each.method == "PATCH")
    return [each.request for each in patches if each.path.startswith("/connections/")]


def test_a_connection_is_answered_with_the_fields_that_airbyte_fills_in(place: Place) -> None:
    shown = connection(place, "mongodb")
    (stream,) = shown["configurations"]["streams"]
    assert stream == {
        "name": "observations",
        "namespace": "weather",
        "syncMode": "full_refresh_overwrite",
        "cursorField": ["_ab_cdc_cursor"],
        "primaryKey": [["_id"]],
        "includeFiles": False,
        "selectedFields": [],
        "mappers": [],
    }
    assert shown["tags"] == []


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (
            {"selectedFields": []},
            "No fields selected for stream races. The list of valid field names includes: [sea",
        ),
        ({"name": "lapz"}, "No streams found with name [lapz] and namespace [null]."),
        ({"cursorField": "season"}, "cursorField of stream races is not a list"),
    ],
)
@pytest.mark.parametrize("is_new", [False, True])
def test_streams_are_refused_in_airbytes_words(
    place: Place, stream: dict[str, Any], words: str, is_new: bool
) -> None:
    before = connection(place, "api")
    body = {"configurations": {"streams": [{"name": "races", **stream}]}}
    if is_new:
        links = {key: before[key] for key in ("sourceId", "destinationId", "namespaceDefinition")}
        refused = place.server.http.post("/connections", json={**links, **body})
    else:
        refused = place.server.http.patch(path(place, "api"), json=body)
    assert (refused.status_code, refused.json()["title"]) == (400, "bad-request")
    assert refused.json()["data"]["message"].startswith(words)
    assert connection(place, "api") == before


def test_a_stream_listed_twice_is_refused(place: Place) -> None:
    body = {"configurations": {"streams": [{"name": "races"}, {"name": "races"}]}}
    refused = place.server.http.patch(path(place, "api"), json=body)
    assert "Duplicate stream found in configuration for stream name [races]" in refused.text


def test_an_unsupported_stream_setting_is_refused(place: Place) -> None:
    for field, value in {
        "selectedFields": [{"fieldPath": ["season"]}],
        "mappers": [{"type": "hashing"}],
    }.items():
        body = {"configurations": {"streams": [{"name": "races", field: value}]}}
        refused = place.server.http.patch(path(place, "api"), json=body)
        assert refused.status_code == 422
        assert f"{field} is not modelled" in refused.text


def test_a_sync_mode_that_airbyte_does_not_know_is_refused(place: Place) -> None:
    body = {"configurations": {"streams": [{"name": "races", "syncMode": "incremental_merge"}]}}
    refused = place.server.http.patch(path(place, "api"), json=body)
    assert refused.status_code == 422
    assert "no sync mode incremental_merge; there are full_refresh_overwrite, " in refused.text


def test_a_change_without_streams_keeps_them(place: Place) -> None:
    before = connection(place, "api")
    for configurations in ({}, {"streams": []}, {"streams": None}):
        answer = place.server.http.patch(path(place, "api"), json={"configurations": configurations})
        assert answer.json() == before


@pytest.mark.parametrize(
    "flags",
    [
        {"sources__api__schedule": "cron 0 0 3 * * ?"},
        {"sources__api__schema_changes": "ignore"},
        {"sources__api__sync_mode": "full_refresh_append"},
        {"sources__api__streams": ["races", "laps"]},
        {"sources__mongodb__database": "another"},
    ],
)
def test_any_change_of_an_existing_connection_is_applied(place: Place, flags: dict[str, Any]) -> None:
    place.apply(yes=True, **flags)
    assert place.plan(**flags) == []
    assert sent(place)
    assert "[]" not in json.dumps(sent(place)), "Airbyte refuses an empty selectedFields"


def test_a_change_of_other_fields_sends_no_streams_and_so_needs_no_discovery(place: Place) -> None:
    place.server.http.patch(path(place, "api"), json={"status": "inactive"})
    place.apply(sources__api__schedule="cron 0 0 3 * * ?")
    assert [body.get("configurations") for body in sent(place)] == [None, None]
    assert connection(place, "api")["status"] == "active"


def test_the_database_of_a_stream_follows_the_settings(place: Place) -> None:
    flags = {"sources__mongodb__database": "another"}
    (source, connection_change) = place.plan(**flags)
    assert "databases: weather → another" in source
    assert "namespace.observations: weather → another" in connection_change
    assert "! stream observations is read from another: what came from weather stays" in connection_change
    place.apply(yes=True, **flags)
    (stream,) = connection(place, "mongodb")["configurations"]["streams"]
    assert stream["namespace"] == "another"


def test_a_cron_expression_is_returned_with_its_time_zone(place: Place) -> None:
    place.apply(sources__api__schedule="cron 0 0 3 * * ?")
    assert connection(place, "api")["schedule"] == {
        "scheduleType": "cron",
        "cronExpression": "0 0 3 * * ? UTC",
    }
    assert place.plan(sources__api__schedule="cron 0 0 3 * * ?") == []
    schedule = {"scheduleType": "cron", "cronExpression": "* 0 3 * * ?"}
    refused = place.server.http.patch(path(place, "api"), json={"schedule": schedule})
    assert refused.status_code == 400
    assert "less than the one hour minimum" in refused.json()["data"]["message"]
