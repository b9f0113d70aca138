"""Airbyte as code against the embedded Airbyte, over the wire: after plan and apply no change is left."""

from __future__ import annotations

import json
import tomllib

import pytest

from etltctl.aws import Aws
from etltctl.connections import as_toml, connection_id, export_settings
from etltctl.errors import (
    ConfigurationError,
)
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncRun
from etltctl.settings import load_settings
from support.airbyte_place import SECRET, Place
from support.sample_settings import on_sample


def test_after_apply_the_plan_is_empty_and_every_id_is_recorded(place: Place) -> None:
    assert [line.split()[:3] for line in place.plan()] == [
        ["+", "definition", "pi-m3-api"],
        ["+", "source", "pi-m3-mongodb"],
        ["+", "source", "pi-m3-api"],
        ["+", "destination", "pi-m3-mongodb-bronze"],
        ["+", "destination", "pi-m3-api-bronze"],
        ["+", "connection", "pi-m3-mongodb"],
        ["+", "connection", "pi-m3-api"],
    ]
    place.apply()
    assert place.plan() == []
    shown = place.server.http.get("/connections").json()["data"]
    assert {each["connectionId"] for each in shown} == {
        place.recorded()["connection:mongodb"], place.recorded()["connection:api"],
    }  # fmt: skip


def test_a_plan_changes_nothing(place: Place) -> None:
    place.plan()
    assert place.server.http.get("/sources").json()["data"] == []
    assert not (place.folder / "state").exists()


def test_a_connection_that_was_applied_is_synced_without_naming_its_id(place: Place) -> None:
    settings = place.settings()
    with pytest.raises(ConfigurationError, match="`connections apply` recorded no connection") as raised:
        connection_id("api", settings, Aws())
    assert "etltctl connections apply" in raised.value.hint
    place.apply()
    place.server.ids["made"] = SyncRun(Services(settings), "api", "").connection
    assert place.server.sync("made")["rowsSynced"] == 97
    assert place.server.rows("api/") == 97


def test_secrets_are_stored_nowhere_and_a_new_one_is_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply()
    written = [file.read_bytes() for file in (place.folder / "state").rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in content for content in written)
    assert place.plan() == [], "the mask that Airbyte shows is not a change"
    monkeypatch.setenv("MONGO", "mongodb://me:another@127.0.0.1:1/?replicaSet=rs0")
    (change,) = place.plan()
    assert change.startswith("~ source  pi-m3-mongodb")
    assert "password: *** → ***" in change
    assert "another" not in change
    place.apply()
    assert place.plan() == []
    kept = json.loads((place.server.state / "airbyte" / "resources.json").read_text())
    (source,) = (each for each in kept["sources"].values() if each["type"] == "mongodb-v2")
    database = source["configuration"]["database_config"]
    assert (database["username"], database["password"]) == ("me", "another")
    assert database["connection_string"] == "mongodb://127.0.0.1:1/?replicaSet=rs0"


def test_an_export_can_be_loaded_as_settings(place: Place) -> None:
    place.apply(sources__api__schedule="cron 0 0 3 * * ?")
    exported = export_settings(place.settings())
    assert exported["left_out"] == {}
    text = as_toml(exported)
    assert SECRET not in text
    (place.folder / "etltctl.toml").write_text(on_sample(f"version = 1\n{text}"))
    tables = tomllib.loads(text)["sources"]
    assert tables["mongodb"]["uri"] == "env:MONGODB_URI"
    assert tables["api"]["schedule"] == "cron 0 0 3 * * ?"
    settings = load_settings(env="aws", environ={}, directory=place.folder)
    assert settings.sources["api"].connection_id == place.recorded()["connection:api"]
