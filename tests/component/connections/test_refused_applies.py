"""An apply that cannot be finished: refused before it starts, or continued by the next one."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.airbyte.resources import Resources
from etltctl.connections.actual import open_workspace
from etltctl.errors import (
    AlreadyRunningError,
    ConfigurationError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
    UnverifiedError,
)
from etltctl.testing.clock import VirtualClock
from support.airbyte_place import Place
from support.sample_settings import on_sample


def test_a_manifest_the_server_refuses_is_named_and_nothing_is_half_applied(place: Place) -> None:
    own = place.folder / "manifest.yaml"
    (place.folder / "etltctl.toml").write_text(on_sample("version = 1\n"))
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
    (place.folder / "etltctl.toml").write_text(on_sample("version = 1\n"))
    (place.folder / "other.yaml").write_text("streams: []\n")
    with pytest.raises(ConfigurationError, match=r"other\.yaml is not a low-code manifest"):
        place.plan(sources__api__manifest="other.yaml")


def test_a_refusal_reports_the_finished_changes_and_the_next_apply_continues(place: Place) -> None:
    with pytest.raises(ServiceError, match="less than the one hour minimum") as raised:
        place.apply(sources__mongodb__schedule="cron * 0 3 * * ?")
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
