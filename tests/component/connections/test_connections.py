"""Airbyte as code against the embedded Airbyte, over the wire: after plan and apply no change is left."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.airbyte.resources import Kind, Resources
from etltctl.aws import Aws
from etltctl.connections import apply_plan, as_toml, connection_id, export_settings, make_plan
from etltctl.connections.actual import open_workspace
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    ConfigurationError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
    UnverifiedError,
)
from etltctl.pipeline.services import Services
from etltctl.pipeline.sync_step import SyncRun
from etltctl.settings import load_settings
from etltctl.testing.clock import VirtualClock
from support.airbyte_place import SECRET, Place, open_place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with open_place(tmp_path, monkeypatch) as opened:
        yield opened


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
    assert place.plan() == [], "the mask that Airbyte shows is no change"
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


def test_a_connection_renamed_by_hand_is_found_by_its_id_and_gets_its_name_back(place: Place) -> None:
    place.apply()
    connection_id = place.recorded()["connection:api"]
    place.server.http.patch(f"/connections/{connection_id}", json={"name": "renamed by hand"})
    assert place.plan() == ["~ connection  pi-m3-api\n      name: renamed by hand → pi-m3-api"]
    place.apply()
    assert place.server.http.get(f"/connections/{connection_id}").json()["name"] == "pi-m3-api"


def test_a_resource_made_by_hand_with_the_same_name_is_adopted(place: Place) -> None:
    place.apply()
    before = place.recorded()
    (place.folder / "state" / "connections" / "local.ndjson").unlink()
    assert all(line.startswith("=") for line in place.plan())
    place.apply()
    assert place.recorded() == before
    assert place.plan() == []


def test_two_resources_of_one_name_are_refused_with_their_ids(place: Place) -> None:
    place.apply()
    destination_id = place.recorded()["destination:api"]
    (place.folder / "state" / "connections" / "local.ndjson").unlink()
    shown = place.server.http.get(f"/destinations/{destination_id}").json()
    twin = {key: shown[key] for key in ("name", "workspaceId", "definitionId", "configuration")}
    twin_there = place.server.http.post("/destinations", json=twin).json()
    with pytest.raises(BlockedError, match="2 destinations in Airbyte are called pi-m3-api-bronze") as raised:
        place.plan()
    assert twin_there["destinationId"] in raised.value.facts["ids"]


def test_resources_of_others_stay_unchanged(place: Place) -> None:
    place.apply()
    own = place.server.http.get(f"/connections/{place.recorded()['connection:api']}").json()
    streams = [{"name": each["name"]} for each in own["configurations"]["streams"]]
    kept = {key: own[key] for key in ("sourceId", "destinationId", "namespaceDefinition")}
    copy = {**kept, "name": "another team's", "configurations": {"streams": streams}}
    foreign = place.server.http.post("/connections", json=copy).json()
    source = f"/sources/{own['sourceId']}"
    place.server.http.patch(source, json={"configuration": {"set_by_hand": 1}})
    place.apply(sources__api__seasons=[2099])
    assert place.server.http.get(f"/connections/{foreign['connectionId']}").json() == foreign
    assert place.server.http.get(source).json()["configuration"]["set_by_hand"] == 1


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"sources__api__streams": ["races"]}, "stream results is removed"),
        ({"sources__api__sync_mode": "full_refresh_append"}, "stream races needs a clear or a refresh"),
        ({"sources__api__prefix": "f1"}, "s3_bucket_path moves every stream"),
        ({"sources__mongodb__database": "another"}, "another database"),
    ],
)
def test_a_breaking_change_is_shown_and_refused_without_a_yes(
    place: Place, flags: dict[str, Any], says: str
) -> None:
    place.apply()
    before = [place.server.http.get(path).text for path in ("/sources", "/destinations", "/connections")]
    assert any(f"! {says}" in line for line in place.plan(**flags))
    with pytest.raises(BlockedError, match="nothing was changed") as raised:
        place.apply(**flags)
    assert says in raised.value.facts["because"]
    assert "--yes" in raised.value.hint
    paths = ("/sources", "/destinations", "/connections")
    assert [place.server.http.get(path).text for path in paths] == before
    place.apply(yes=True, **flags)
    assert place.plan(**flags) == []


def test_an_added_stream_and_a_schedule_are_not_breaking_changes(place: Place) -> None:
    place.apply(sources__api__streams=["races"])
    flags = {"sources__api__streams": ["races", "laps"], "sources__api__schedule": "cron 0 0 3 * * ?"}
    (change,) = place.plan(**flags)
    assert "schedule: manual → cron 0 0 3 * * ?" in change
    assert "streams.laps: none → full_refresh_overwrite" in change
    place.apply(**flags)
    assert place.plan(**flags) == []


def test_a_source_removed_from_the_settings_is_deleted_only_with_a_yes(place: Place) -> None:
    place.apply()
    settings = place.settings()
    fewer = settings.model_copy(update={"sources": {"api": settings.sources["api"]}})
    assert [str(change.kind) for change in make_plan(fewer).changes] == [
        "connection",
        "destination",
        "source",
    ]
    with pytest.raises(BlockedError):
        apply_plan(fewer)
    apply_plan(fewer, confirm=lambda plan: True)
    assert [each["name"] for each in place.server.http.get("/connections").json()["data"]] == ["pi-m3-api"]
    assert make_plan(fewer).changes == ()
    assert len(place.plan()) == 3, "the source is created again when the settings contain it again"


def test_a_source_deleted_by_hand_is_created_again_with_its_connection(place: Place) -> None:
    place.apply()
    place.server.http.delete(f"/sources/{place.recorded()['source:api']}")
    assert [line.split()[:2] for line in place.plan()] == [["+", "source"], ["+", "connection"]]
    place.apply()
    assert place.plan() == []


def test_a_source_that_cannot_be_moved_is_replaced_with_its_connection(place: Place) -> None:
    place.apply()
    settings = place.settings()
    workspace = open_workspace(settings)
    other = workspace.resources.create(
        Kind.DEFINITION, workspace.id, {"name": "other", "manifest": {"version": "1", "type": "DeclarativeSource",
                                        "check": {"a": 1}, "streams": [{"name": "races"}]}}
    )  # fmt: skip
    workspace.state.record(workspace.state.read(), "definition:api", other.id)
    plan = make_plan(settings)
    assert [(str(c.action), str(c.kind)) for c in plan.changes] == [
        ("update", "definition"), ("replace", "source"), ("replace", "connection"),
    ]  # fmt: skip
    apply_plan(settings, confirm=lambda plan: True)
    assert place.plan() == []


def test_a_manifest_that_loses_a_stream_is_breaking_and_a_changed_one_is_uploaded(place: Place) -> None:
    shipped = place.settings().manifest_path("api").read_text()
    own = place.folder / "connectors" / "source-f1" / "manifest.yaml"
    own.parent.mkdir(parents=True)
    (place.folder / "etltctl.toml").write_text("version = 1\n")
    place.apply()
    own.write_text(shipped.replace("version: 6.60.0", "version: 6.61.0"))
    (change,) = place.plan()
    assert "version 6.60.0 with 12 streams → version 6.61.0 with 12 streams" in change
    place.apply()
    own.write_text(
        shipped.partition("  # Some 264 requests")[0] + "\nspec:" + shipped.partition("\nspec:")[2]
    )
    with pytest.raises(BlockedError) as raised:
        place.apply()
    assert "stream laps is removed from the connector" in raised.value.facts["because"]


def test_a_manifest_the_server_refuses_is_named_and_nothing_is_half_applied(place: Place) -> None:
    own = place.folder / "manifest.yaml"
    (place.folder / "etltctl.toml").write_text("version = 1\n")
    own.write_text("type: DeclarativeSource\nversion: 1.0.0\nstreams: [{name: races}]\n")
    with pytest.raises(ServiceError, match="the manifest has no check") as raised:
        place.apply(sources__api__manifest="manifest.yaml")
    assert raised.value.facts == {"failed": "create definition pi-m3-api", "done": "nothing"}
    assert place.server.http.get("/sources").json()["data"] == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"sources__api__manifest": "no/such/file.yaml"}, "sources.api.manifest: cannot read"),
        ({"sources__mongodb__uri": "env:NOT_THERE"}, "sources.mongodb.uri is env:NOT_THERE"),
        ({"sources__mongodb__uri": "postgres://me:pw@h/"}, "sources.mongodb.uri is not a MongoDB address"),
        (
            {"sources__mongodb__uri": "mongodb+srv://me@h/"},
            "sources.mongodb.uri is an Atlas address without user",
        ),
        ({"airbyte__workspace_id": "another"}, "airbyte.workspace_id: there is no workspace another"),
        ({"airbyte__destination__access_key_id": "env:NOT_THERE"}, "airbyte.destination.access_key_id"),
    ],
)
def test_an_unresolved_value_is_reported_before_anything_is_changed(
    place: Place, flags: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        place.apply(**flags)
    assert says in raised.value.message
    assert "pw@" not in raised.value.message
    assert place.server.http.get("/sources").json()["data"] == []


def test_a_file_that_is_not_a_manifest_is_named(place: Place) -> None:
    (place.folder / "etltctl.toml").write_text("version = 1\n")
    (place.folder / "other.yaml").write_text("streams: []\n")
    with pytest.raises(ConfigurationError, match=r"other\.yaml is not a low-code manifest"):
        place.plan(sources__api__manifest="other.yaml")


def test_a_refusal_reports_the_finished_changes_and_the_next_apply_continues(place: Place) -> None:
    with pytest.raises(ServiceError, match="no sync mode incremental_append") as raised:
        place.apply(sources__mongodb__sync_mode="incremental_append")
    assert raised.value.facts["failed"] == "create connection pi-m3-mongodb"
    assert "create destination pi-m3-api-bronze" in raised.value.facts["done"]
    assert [line.split()[:2] for line in place.plan()] == [["+", "connection"], ["+", "connection"]]
    place.apply()
    assert place.plan() == []


def test_a_lost_answer_creates_nothing_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = open_workspace(place.settings()).resources
    transport = type(resources.transport)
    send = transport.send

    def lose_answer(self: Any, method: str, path: str, **request: Any) -> Any:
        answer = send(self, method, path, **request)
        if method == "POST":
            raise UnreachableError("the answer was lost")
        return answer

    monkeypatch.setattr(transport, "send", lose_answer)
    place.apply()
    monkeypatch.setattr(transport, "send", send)
    assert place.plan() == []
    assert len(place.server.http.get("/sources").json()["data"]) == 2


def test_a_post_that_never_arrived_has_an_unknown_outcome(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = type(open_workspace(place.settings()).resources.transport)
    send = transport.send

    def drop_request(self: Any, method: str, path: str, **request: Any) -> Any:
        if method == "POST":
            raise UnreachableError("no route")
        return send(self, method, path, **request)

    monkeypatch.setattr(transport, "send", drop_request)
    with (
        VirtualClock(),
        pytest.raises(OutcomeUnknownError, match="after 60 s none of that name is listed: no route"),
    ):
        place.apply()


def test_an_airbyte_that_accepts_a_change_and_ignores_it_is_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply()
    monkeypatch.setattr(Resources, "change", lambda self, resource, workspace, body: resource)
    with pytest.raises(UnverifiedError) as raised:
        place.apply(sources__api__seasons=[2099])
    assert "seasons: none → 2099" in raised.value.facts["left"]


def test_two_applies_exclude_each_other(place: Place) -> None:
    workspace = open_workspace(place.settings())
    with (
        workspace.state.store.lease("local"),
        pytest.raises(AlreadyRunningError, match="another process applies"),
    ):
        place.apply()


def test_an_export_can_be_loaded_as_settings(place: Place) -> None:
    place.apply(sources__api__schedule="cron 0 0 3 * * ?")
    exported = export_settings(place.settings())
    assert exported["left_out"] == {}
    text = as_toml(exported)
    assert SECRET not in text
    (place.folder / "etltctl.toml").write_text(f"version = 1\n{text}")
    tables = tomllib.loads(text)["sources"]
    assert tables["mongodb"]["uri"] == "env:MONGODB_URI"
    assert tables["api"]["schedule"] == "cron 0 0 3 * * ?"
    settings = load_settings(env="aws", environ={}, directory=place.folder)
    assert settings.sources["api"].connection_id == place.recorded()["connection:api"]
