"""The call that lists the streams of a source: sent once, read strictly, and distinct from a server without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import DISCOVERY_S
from etltctl.airbyte.streams import (
    ConnectorFailedError,
    NoDiscoveryError,
    SourceStream,
    discovered_streams,
)
from etltctl.errors import EtltctlError, NotFoundError, ServiceError
from etltctl.retrying import RetryPolicy

URL = "https://airbyte.test/v1"
SHIPS = {
    "streamName": "ships", "streamnamespace": "public", "syncModes": ["full_refresh_append"],
    "defaultCursorField": ["seen_at"], "sourceDefinedCursorField": True, "sourceDefinedPrimaryKey": [["id"]],
    "propertyFields": [["id"], ["position"], ["position", "lat"]],
}  # fmt: skip
FAILED = {
    "status": 500, "title": "unexpected-problem", "detail": "An unexpected problem has occurred.",
    "data": {"message": "Something went wrong in the connector. logs:no route to mongodb"},
}  # fmt: skip
GONE = {"status": 404, "title": "resource-not-found", "detail": "The requested resource was not found."}


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        router.get("/sources/s").respond(json={"sourceId": "s", "name": "ships"})
        yield router


def streams() -> list[SourceStream]:
    airbyte = Airbyte(URL, "id", "secret", RetryPolicy(attempts=3, sleep=lambda _: None))
    return discovered_streams(airbyte.resources.transport, "s", "d")


def test_the_streams_are_read_with_their_modes_keys_and_fields(server: respx.MockRouter) -> None:
    route = server.get("/streams").respond(json=[SHIPS, {"streamName": "ports", "etltctl_checked": True}])
    ships, ports = streams()
    fields = (("id",), ("position",), ("position", "lat"))
    assert ships == SourceStream(
        "ships", "public", ("full_refresh_append",), ("seen_at",), (("id",),), fields, was_checked=False
    )
    assert ports == SourceStream("ports", was_checked=True)
    request = route.calls.last.request
    assert dict(request.url.params) == {"sourceId": "s", "destinationId": "d", "ignoreCache": "true"}
    assert request.extensions["timeout"]["read"] == DISCOVERY_S


def test_a_source_without_streams_has_an_empty_list(server: respx.MockRouter) -> None:
    server.get("/streams").respond(json=[])
    assert streams() == []


def test_a_connector_that_fails_is_not_started_again(server: respx.MockRouter) -> None:
    route = server.get("/streams").respond(500, json=FAILED)
    with pytest.raises(ConnectorFailedError, match=r"^no route to mongodb$"):
        streams()
    assert route.call_count == 1


def test_a_connector_without_a_reason_is_still_named(server: respx.MockRouter) -> None:
    bare = {**FAILED, "data": {"message": "Something went wrong in the connector."}}
    server.get("/streams").respond(500, json=bare)
    with pytest.raises(ConnectorFailedError, match="gave no reason"):
        streams()


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 404, "json": {"message": "Not Found"}},
        {"status_code": 404, "json": GONE},
        {"status_code": 404, "text": ""},
        {"status_code": 405, "json": {"message": "Method Not Allowed"}},
        {"status_code": 501, "json": {"message": "Not Implemented"}},
    ],
)
def test_a_server_without_the_call_is_told_apart(server: respx.MockRouter, answer: dict[str, Any]) -> None:
    server.get("/streams").respond(**answer)
    with pytest.raises(NoDiscoveryError):
        streams()


def test_a_source_that_is_gone_is_not_taken_for_a_server_without_the_call(server: respx.MockRouter) -> None:
    server.get("/streams").respond(404, json=GONE)
    server.get("/sources/s").respond(404, json=GONE)
    with pytest.raises(NotFoundError, match="/sources/s"):
        streams()


@pytest.mark.parametrize("status", [408, 502, 504])
def test_a_gateway_that_does_not_wait_is_an_error_without_a_second_call(
    server: respx.MockRouter, status: int
) -> None:
    route = server.get("/streams").respond(status, text="<html>Gateway</html>")
    with pytest.raises(ServiceError, match="no answer came while the connector listed the streams") as error:
        streams()
    assert "nothing was changed" in error.value.hint
    assert route.call_count == 1


def test_a_timeout_is_named_with_its_limit(server: respx.MockRouter) -> None:
    server.get("/streams").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(ServiceError, match="at most 660 s"):
        streams()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"data": []}, "an object in place of a list"),
        ([{"name": "ships"}], "the field streamName"),
        ([7], "the field streamName"),
        ([{"streamName": "ships", "syncModes": "x"}], "the field syncModes is not a list"),
        ([{"streamName": "ships", "propertyFields": {"a": 1}}], "the field propertyFields is not a list"),
    ],
)
def test_an_answer_of_another_shape_names_the_field(server: respx.MockRouter, body: Any, words: str) -> None:
    server.get("/streams").respond(json=body)
    with pytest.raises(EtltctlError, match=words):
        streams()
