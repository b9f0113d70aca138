"""Connections whose syncs read only what is new: what Airbyte's connectors accept, and what no request may hold."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.connections import make_plan
from etltctl.errors import ConfigurationError
from support.airbyte_place import Place
from support.sample_settings import on_sample

INCREMENTAL = {"sources__mongodb__sync_mode": "incremental_append"}
MANIFEST = """
type: DeclarativeSource
version: 1.0.0
check: {type: CheckStream, stream_names: [races]}
definitions:
  by_season: {type: DeclarativeStream, incremental_sync: {type: DatetimeBasedCursor, cursor_field: season}}
streams:
  - {name: races, $ref: "#/definitions/by_season"}
  - {name: results, incremental_sync: {type: DatetimeBasedCursor, cursor_field: season}}
  - {name: drivers}
"""


def shown_stream(place: Place, source: str) -> dict[str, Any]:
    path = f"/connections/{place.recorded()[f'connection:{source}']}"
    stream: dict[str, Any] = place.server.http.get(path).json()["configurations"]["streams"][0]
    return stream


def test_airbyte_gets_the_mode_and_keeps_its_own_cursor_and_key(place: Place) -> None:
    place.apply(**INCREMENTAL)
    (request,) = [
        each.request["configurations"]["streams"]
        for each in place.server.exchanges
        if (each.method, each.path) == ("POST", "/connections") and each.request["name"] == "pi-m3-mongodb"
    ]
    assert request == [{"name": "observations", "syncMode": "incremental_append", "namespace": "weather"}]
    stream = shown_stream(place, "mongodb")
    assert {name: stream[name] for name in ("syncMode", "cursorField", "primaryKey")} == {
        "syncMode": "incremental_append",
        "cursorField": ["_ab_cdc_cursor"],
        "primaryKey": [["_id"]],
    }
    assert place.plan(**INCREMENTAL) == []


def test_another_mode_in_airbyte_is_noticed_and_put_right(place: Place) -> None:
    place.apply()
    (change,) = place.plan(**INCREMENTAL)
    assert "streams.observations: full_refresh_overwrite → incremental_append" in change
    assert "! stream observations needs a clear or a refresh" in change
    place.apply(yes=True, **INCREMENTAL)
    assert place.plan(**INCREMENTAL) == []
    assert "incremental_append → full_refresh_overwrite" in place.plan()[0]


def test_a_cursor_of_the_callers_own_is_refused_in_airbytes_words(place: Place) -> None:
    place.apply(**INCREMENTAL)
    path = f"/connections/{place.recorded()['connection:mongodb']}"
    stream = {"name": "observations", "syncMode": "incremental_append", "cursorField": ["dt"]}
    refused = place.server.http.patch(path, json={"configurations": {"streams": [stream]}})
    assert refused.status_code == 400
    assert "is already defined by source for stream: observations." in refused.json()["data"]["message"]


@pytest.mark.parametrize(
    ("cursor", "is_warned"), [("dt", True), ("_id", False), ({"observations": "dt"}, True), ({}, False)]
)
def test_the_plan_says_that_airbyte_does_not_use_the_cursor(
    place: Place, cursor: Any, is_warned: bool
) -> None:
    warnings = make_plan(place.settings(**INCREMENTAL, sources__mongodb__cursor=cursor)).warnings
    assert bool(warnings) is is_warned
    assert not is_warned or warnings[0].startswith("sources.mongodb.cursor is not sent: Airbyte's MongoDB")
    assert make_plan(place.settings(sources__mongodb__cursor=cursor)).warnings == ()


def test_a_connector_that_reads_its_streams_whole_is_named_before_anything_is_changed(place: Place) -> None:
    with pytest.raises(ConfigurationError) as raised:
        place.apply(sources__api__sync_mode="incremental_append", sources__api__streams=["races", "results"])
    assert raised.value.message.startswith(
        'sources.api.sync_mode is "incremental_append", and the connector '
    )
    assert "has no incremental_sync for races, results: Airbyte would refuse" in raised.value.message
    assert place.server.http.get("/sources").json()["data"] == []


@pytest.mark.parametrize(
    ("streams", "unable"), [(["races", "results"], ""), (["races", "drivers"], "drivers")]
)
def test_a_connector_with_cursors_is_applied(place: Place, streams: list[str], unable: str) -> None:
    (place.folder / "etltctl.toml").write_text(on_sample())
    (place.folder / "own.yaml").write_text(MANIFEST)
    flags = {
        "sources__api__sync_mode": "incremental_append",
        "sources__api__streams": streams,
        "sources__api__manifest": "own.yaml",
    }
    if unable:
        with pytest.raises(ConfigurationError, match=f"has no incremental_sync for {unable}: "):
            place.apply(**flags)
        return
    place.apply(**flags)
    assert place.plan(**flags) == []
    assert shown_stream(place, "api")["cursorField"] == ["season"]
