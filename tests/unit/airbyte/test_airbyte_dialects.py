"""The Airbyte client against servers that answer differently: nulls, lists without pages, proxies in between."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import Kind, Resource
from etltctl.connections.desired import Desired
from etltctl.connections.plan import compare
from etltctl.connections.state import Recorded
from etltctl.errors import ConfigurationError
from etltctl.retrying import RetryPolicy

URL = "https://airbyte.test/v1"
DEFINITIONS = "/workspaces/w/definitions/declarative_sources"


@pytest.fixture
def server():
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        yield router


def airbyte(url: str = URL) -> Airbyte:
    return Airbyte(url, "id", "secret", RetryPolicy(attempts=1))


def definitions(count: int) -> list[dict[str, Any]]:
    return [{"id": f"d{at}", "name": f"source {at}", "manifest": {}, "version": 1} for at in range(count)]


@pytest.mark.parametrize("count", [0, 99, 100, 150, 200])
def test_the_list_of_definitions_has_no_pages_and_is_requested_once(server: respx.Router, count: int) -> None:
    route = server.get(DEFINITIONS).respond(json={"data": definitions(count)})
    resources = airbyte().resources.of_kind(Kind.DEFINITION, "w")
    assert [each.id for each in resources] == [f"d{at}" for at in range(count)]
    assert [str(call.request.url.query) for call in route.calls] == ["b''"]


def sources(count: int) -> list[dict[str, Any]]:
    return [{"sourceId": f"s{at}", "name": f"source {at}", "sourceType": "s3"} for at in range(count)]


@pytest.mark.parametrize("count", [0, 99, 100, 150, 200, 250])
@pytest.mark.parametrize("has_pages", [True, False])
def test_a_list_is_read_to_its_end_even_if_the_server_ignores_the_offset(
    server: respx.Router, count: int, has_pages: bool
) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params["offset"])
        rows = sources(count)[start : start + 100] if has_pages else sources(count)
        return httpx.Response(200, json={"data": rows})

    server.get("/sources").mock(side_effect=page)
    assert len(airbyte().resources.of_kind(Kind.SOURCE, "w")) == count


def test_the_token_is_requested_in_both_spellings(server: respx.Router) -> None:
    server.get("/jobs").respond(json={"data": []})
    assert airbyte().jobs("c", "c") == []
    body = json.loads(server.calls[0].request.content)
    assert (body["grant_type"], body["grant-type"]) == ("client_credentials", "client_credentials")


def test_a_definition_is_created_with_its_workspace_in_the_body(server: respx.Router) -> None:
    route = server.post(DEFINITIONS).respond(json=definitions(1)[0])
    airbyte().resources.create(Kind.DEFINITION, "w", {"name": "source 0", "manifest": {}})
    assert json.loads(route.calls.last.request.content) == {
        "workspaceId": "w", "name": "source 0", "manifest": {},
    }  # fmt: skip


NULLS: dict[str, Any] = {
    "connectionId": "c", "name": "lake", "status": None, "prefix": None, "namespaceDefinition": None,
    "nonBreakingSchemaUpdatesBehavior": None, "sourceId": "s", "destinationId": "t",
    "schedule": {"scheduleType": "manual", "cronExpression": None, "basicTiming": None},
    "configurations": {"streams": [{"name": "races", "syncMode": None, "cursorField": None}]},
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": None},
        {"schedule": {"scheduleType": None}},
        {"status": "active", "prefix": "", "namespaceDefinition": "destination"},
    ],
)
def test_null_in_an_optional_field_means_airbytes_default(changes: dict[str, Any]) -> None:
    desired = Desired(
        "connection:lake", Kind.CONNECTION, "lake", "",
        {
            ("schedule",): "manual", ("status",): "active", ("namespaceDefinition",): "destination",
            ("prefix",): "", ("nonBreakingSchemaUpdatesBehavior",): "ignore",
            ("streams", "races"): "full_refresh_overwrite",
        },
    )  # fmt: skip
    actual = Resource(Kind.CONNECTION, "c", "lake", "", NULLS | changes)
    changes_left = compare([desired], [actual], Recorded("salt", {"connection:lake": "c"})).changes
    assert [line for change in changes_left for line in change.lines()] == []


PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


@pytest.fixture
def socks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Name a SOCKS proxy in one variable of the environment, in capitals or not."""
    for name in (*PROXIES, "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(request.param, "socks5://me:s3cret@127.0.0.1:1")
    return str(request.param)


each_variable = pytest.mark.parametrize("socks", [*PROXIES, *map(str.lower, PROXIES)], indirect=True)


@each_variable
def test_a_socks_proxy_without_its_package_is_named_with_its_variable(socks: str) -> None:
    with pytest.raises(ConfigurationError, match=f"that {socks.upper()} names; nothing was sent") as raised:
        airbyte().jobs("c", "c")
    assert "s3cret" not in f"{raised.value.message} {raised.value.hint}"
    assert "pip install 'httpx[socks]'" in raised.value.hint
    assert "add airbyte.test to NO_PROXY" in raised.value.hint


@each_variable
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.2:8000"])
def test_no_proxy_is_used_for_this_machine(socks: str, host: str) -> None:
    with respx.mock(base_url=f"http://{host}/v1") as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        router.get("/jobs").respond(json={"data": []})
        assert airbyte(f"http://{host}/v1").jobs("c", "c") == []


@each_variable
def test_a_host_in_no_proxy_is_called_without_a_proxy(
    socks: str, server: respx.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "airbyte.test")
    server.get("/jobs").respond(json={"data": []})
    assert airbyte().jobs("c", "c") == []
