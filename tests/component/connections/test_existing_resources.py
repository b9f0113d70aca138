"""Resources that exist already or no longer: adopted, left alone, created again, or deleted with a yes."""

from __future__ import annotations

import pytest

from etltctl.airbyte.resources import Kind
from etltctl.connections import apply_plan, make_plan
from etltctl.connections.actual import open_workspace
from etltctl.errors import (
    BlockedError,
)
from support.airbyte_place import Place


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
