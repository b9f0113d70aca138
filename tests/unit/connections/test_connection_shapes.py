"""Answers of Airbyte with other shapes than published: `connections plan`, `apply` and `export` name the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import respx

from etltctl.airbyte.resources import Kind
from etltctl.connections import apply_plan, export_settings, make_plan
from etltctl.connections.actual import open_workspace
from etltctl.connections.desired import desired_resources
from etltctl.connections.plan import compare
from etltctl.connections.state import Recorded
from etltctl.errors import ServiceError, UnverifiedError
from etltctl.settings import Settings, load_settings

URL = "https://airbyte.test/v1"
MANIFEST = "type: DeclarativeSource\nversion: 1.0.0\nstreams: []\n"
SETTINGS = f"""
project = "pi-m3"
[airbyte]
url = "{URL}"
client_id = "id"
client_secret = "s3cret"
[sources.mongodb]
kind = "mongodb"
uri = "sample:"
database = "weather"
collections = ["observations"]
[sources.api]
kind = "http"
base_url = "https://api.test"
manifest = "manifest.yaml"
seasons = [2024]
streams = ["races"]
"""
ODD_STREAMS: dict[str, tuple[Any, str]] = {
    "null for a stream": ({"streams": [None]}, "a stream .* the field name"),
    "a stream without a name": ({"streams": [{}]}, "a stream .* the field name"),
    "a text for a stream": ({"streams": ["x"]}, "a stream .* the field name"),
    "a list for a name": ({"streams": [{"name": ["x"]}]}, "the field name is not a text"),
    "a list for a mode": (
        {"streams": [{"name": "x", "syncMode": ["y"]}]},
        "the field syncMode is not a text",
    ),
    "an object of streams": ({"streams": {"a": 1}}, "the field streams is not a list"),
    "a text": ("x", "the field configurations is not an object"),
}
ODD_SCHEDULES: dict[str, tuple[Any, str]] = {
    "a text": ("manual", "the field schedule is not an object"),
    "a list": ([1], "the field schedule is not an object"),
    "a list for a type": ({"scheduleType": [1]}, "the field scheduleType is not a text"),
    "a number for a timing": (
        {"scheduleType": "basic", "basicTiming": 1},
        "the field basicTiming is not a text",
    ),
}
ODD = [
    *(pytest.param({"configurations": odd}, words, id=name) for name, (odd, words) in ODD_STREAMS.items()),
    *(pytest.param({"schedule": odd}, words, id=f"schedule {name}") for name, (odd, words) in ODD_SCHEDULES.items()),
    *(pytest.param({link: None}, f"the field {link}", id=link) for link in ("sourceId", "destinationId")),
]  # fmt: skip


class Shown:
    """An Airbyte with one resource of each kind, as `resources` has them."""

    def __init__(self, settings: Settings, router: respx.MockRouter) -> None:
        self.settings, self.router = settings, router
        names = {each.kind: each.name for each in desired_resources(settings, lambda value, _: value)}
        self.resources: dict[Kind, dict[str, Any]] = {
            Kind.DEFINITION: {"id": "d", "manifest": {"version": "0", "streams": []}},
            Kind.SOURCE: {"sourceId": "s", "definitionId": "d", "configuration": {"base_url": "u"}},
            Kind.DESTINATION: {"destinationId": "t", "destinationType": "s3", "configuration": {}},
            Kind.CONNECTION: {"connectionId": "c", "sourceId": "s", "destinationId": "t"},
        }
        for kind, resource in self.resources.items():
            resource["name"] = names[kind]

    def serve(self, kind: Kind, changes: Mapping[str, Any]) -> None:
        """Answer with the resources, one of them changed."""
        self.resources[kind] |= changes
        self.router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        self.router.get("/workspaces").respond(json={"data": [{"workspaceId": "w", "name": "w"}]})
        for each, resource in self.resources.items():
            path = "/workspaces/w/definitions/declarative_sources" if each is Kind.DEFINITION else f"/{each}s"
            self.router.get(path).respond(json={"data": [resource]})


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    (tmp_path / "etltctl.toml").write_text(SETTINGS)
    (tmp_path / "manifest.yaml").write_text(MANIFEST)
    settings = load_settings(
        config=tmp_path / "etltctl.toml", env="local", environ={}, flags={"state": str(tmp_path / "state")}
    )
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield Shown(settings, router)


@pytest.mark.parametrize("command", [make_plan, apply_plan, export_settings])
@pytest.mark.parametrize(("changes", "words"), ODD)
def test_a_connection_of_another_shape_is_named_with_its_field(
    shown: Shown, changes: dict[str, Any], words: str, command: Any
) -> None:
    shown.serve(Kind.CONNECTION, changes)
    with pytest.raises(ServiceError, match=words) as caught:
        command(shown.settings)
    assert f"{shown.resources[Kind.CONNECTION]['name']} (c)" in caught.value.message
    assert {call.request.method for call in shown.router.calls if "token" not in call.request.url.path} == {
        "GET"
    }


def test_a_source_without_its_definition_is_named_and_not_replaced(shown: Shown) -> None:
    shown.serve(Kind.SOURCE, {"definitionId": None})
    desired = desired_resources(shown.settings, lambda value, _: value)
    existing = open_workspace(shown.settings).all_resources()
    ids = {each.key: next(one.id for one in existing if one.kind is each.kind) for each in desired}
    with pytest.raises(ServiceError, match="without the field definitionId"):
        compare(desired, existing, Recorded("00", ids))


@pytest.mark.parametrize("configuration", ["x", [1]])
def test_a_configuration_of_another_shape_is_named(shown: Shown, configuration: Any) -> None:
    shown.serve(Kind.SOURCE, {"configuration": configuration})
    for command in (make_plan, export_settings):
        with pytest.raises(ServiceError, match="the field configuration is not an object"):
            command(shown.settings)


def test_a_source_whose_database_is_null_is_left_out_of_the_export(shown: Shown) -> None:
    shown.serve(Kind.SOURCE, {"configuration": {"database_config": None}})
    exported = export_settings(shown.settings)
    assert exported["sources"] == {}
    assert list(exported["left_out"]) == [shown.resources[Kind.CONNECTION]["name"]]


@pytest.mark.parametrize(
    ("manifest", "streams"),
    [
        ({"streams": ["x"], "definitions": []}, []),
        ({"streams": [{"$ref": "#/definitions/b"}], "definitions": {"b": None}}, []),
        ({"streams": {"a": 1}}, []),
        ({"streams": [None, {"$ref": "#/definitions/b"}], "definitions": {"b": {"name": "kept"}}}, ["kept"]),
    ],
)
def test_an_odd_entry_of_an_older_manifest_does_not_count_as_a_stream(
    shown: Shown, manifest: dict[str, Any], streams: list[str]
) -> None:
    shown.serve(Kind.DEFINITION, {"manifest": manifest})
    (change,) = (each for each in make_plan(shown.settings).changes if each.kind is Kind.DEFINITION)
    assert [difference.before["streams"] for difference in change.differences] == [streams]


def test_a_change_whose_answer_has_another_id_is_not_recorded(shown: Shown) -> None:
    shown.serve(
        Kind.DEFINITION, {"manifest": {"type": "DeclarativeSource", "version": "1.0.0", "streams": []}}
    )
    shown.router.post("/sources").respond(json={"sourceId": "new", "name": "pi-m3-mongodb"})
    shown.router.patch("/sources/s").respond(json=shown.resources[Kind.SOURCE] | {"sourceId": "another"})
    with pytest.raises(UnverifiedError, match="another instead of s") as caught:
        apply_plan(shown.settings, confirm=lambda plan: True)
    assert "etltctl connections plan" in caught.value.hint
    record = (Path(shown.settings.state) / "connections" / "local.ndjson").read_text()
    assert "source:mongodb" in record
    assert "another" not in record


@pytest.mark.parametrize("token", [None, "", 7])
def test_a_token_that_is_not_text_counts_as_a_missing_token(shown: Shown, token: Any) -> None:
    shown.router.post("/applications/token").respond(json={"access_token": token, "expires_in": 900})
    with pytest.raises(ServiceError, match="without the field access_token"):
        make_plan(shown.settings)
