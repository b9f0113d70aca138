"""Calls for which Airbyte discovers a source first: a longer timeout, and a search after a lost answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.health import TIMEOUT_S, greet
from etltctl.airbyte.resources import DISCOVERY_S, Kind, Resource
from etltctl.errors import OutcomeUnknownError, ServiceError
from etltctl.retrying import RetryPolicy
from etltctl.testing.clock import VirtualClock

URL = "https://airbyte.test/v1"
BODY = {
    "name": "lake",
    "sourceId": "s",
    "destinationId": "d",
    "configurations": {"streams": [{"name": "races"}]},
}
MADE = {"connectionId": "c", "name": "lake", "sourceId": "s", "destinationId": "d"}
FOUND = Resource(Kind.CONNECTION, "c", "lake", "", MADE)
BROKEN = {
    "status": 500, "title": "unexpected-problem", "detail": "An unexpected problem has occurred.",
    "data": {"message": "Something went wrong in the connector. logs:no route to mongodb"},
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        router.get("/connections").respond(json={"data": []})
        yield router


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    with VirtualClock() as virtual:
        yield virtual


def airbyte() -> Airbyte:
    return Airbyte(URL, "id", "secret", RetryPolicy(attempts=1))


def read_timeout(route: respx.Route) -> float:
    return float(route.calls.last.request.extensions["timeout"]["read"])


def listed_after(clock: VirtualClock, seconds: float, *entries: dict[str, Any]) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": list(entries) if clock.now >= seconds else []})

    return answer


def test_only_calls_that_discover_a_schema_have_a_longer_timeout(server: respx.MockRouter) -> None:
    resources = airbyte().resources
    created, changed = (
        server.post("/connections").respond(json=MADE),
        server.patch("/connections/c").respond(json=MADE),
    )
    resources.create(Kind.CONNECTION, "w", BODY)
    resources.change(FOUND, "w", BODY)
    assert [read_timeout(created), read_timeout(changed)] == [DISCOVERY_S, DISCOVERY_S]
    assert DISCOVERY_S > 600, "source-mongodb-v2 looks at documents for 600 s"
    resources.change(FOUND, "w", {"name": "lake", "status": "active"})
    source = server.post("/sources").respond(json={"sourceId": "s", "name": "mongo"})
    resources.create(Kind.SOURCE, "w", {"name": "mongo", "configuration": {}})
    resources.of_kind(Kind.CONNECTION, "w")
    assert [read_timeout(changed), read_timeout(source), read_timeout(server.routes[1])] == [60.0] * 3
    health = server.get("/health").respond(text="Successful operation")
    assert greet(URL) == "Successful operation"
    assert read_timeout(health) == TIMEOUT_S


@pytest.mark.parametrize(
    "lost", [httpx.Response(504, text="<html>504</html>"), httpx.Response(502), httpx.ReadTimeout("slow")]
)
def test_a_connection_whose_answer_was_cut_off_is_searched_for_as_long_as_a_discovery_takes(
    server: respx.MockRouter, clock: VirtualClock, lost: Any
) -> None:
    route = server.post("/connections").mock(side_effect=[lost])
    server.get("/connections").mock(side_effect=listed_after(clock, DISCOVERY_S - 60, MADE))
    assert airbyte().resources.create(Kind.CONNECTION, "w", BODY).id == "c"
    assert route.call_count == 1
    assert len(clock.slept) < 100


def test_a_connection_that_never_appears_ends_as_an_unknown_outcome(
    server: respx.MockRouter, clock: VirtualClock
) -> None:
    server.post("/connections").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknownError, match="after 660 s none of that name is listed") as caught:
        airbyte().resources.create(Kind.CONNECTION, "w", BODY)
    assert "etltctl connections plan" in caught.value.hint
    assert clock.now == DISCOVERY_S


def test_the_time_that_the_call_took_counts(server: respx.MockRouter, clock: VirtualClock) -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        clock.now += DISCOVERY_S
        raise httpx.ReadTimeout("slow")

    server.post("/connections").mock(side_effect=slow)
    with pytest.raises(OutcomeUnknownError, match="after 60 s"):
        airbyte().resources.create(Kind.CONNECTION, "w", BODY)


def test_a_failed_discovery_is_reported_in_airbytes_words_without_a_wait(
    server: respx.MockRouter, clock: VirtualClock
) -> None:
    server.post("/connections").respond(500, json=BROKEN)
    with pytest.raises(OutcomeUnknownError, match="no route to mongodb"):
        airbyte().resources.create(Kind.CONNECTION, "w", BODY)
    assert clock.now == 60.0


def test_a_source_whose_answer_was_lost_is_searched_for_too(
    server: respx.MockRouter, clock: VirtualClock
) -> None:
    server.post("/sources").mock(side_effect=httpx.ReadTimeout("slow"))
    other = {"sourceId": "o", "name": "mongo", "sourceType": "postgres"}
    new_source = {"sourceId": "s", "name": "mongo", "sourceType": "mongodb-v2"}
    server.get("/sources").mock(side_effect=listed_after(clock, 10, other, new_source))
    body = {"name": "mongo", "configuration": {"sourceType": "mongodb-v2"}}
    assert airbyte().resources.create(Kind.SOURCE, "w", body).id == "s", "not the other one of that name"


def test_another_source_s_connection_of_that_name_does_not_count_as_the_created_one(
    server: respx.MockRouter, clock: VirtualClock
) -> None:
    server.post("/connections").mock(side_effect=httpx.ReadTimeout("slow"))
    server.get("/connections").respond(json={"data": [{**MADE, "sourceId": "another"}]})
    with pytest.raises(OutcomeUnknownError):
        airbyte().resources.create(Kind.CONNECTION, "w", BODY)


def test_a_change_whose_answer_was_lost_may_be_sent_again(server: respx.MockRouter) -> None:
    server.patch("/connections/c").mock(side_effect=httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknownError, match="whether Airbyte changed the connection lake") as caught:
        airbyte().resources.change(FOUND, "w", BODY)
    assert "may safely send it again" in caught.value.hint


def test_a_refusal_is_final_at_once(server: respx.MockRouter, clock: VirtualClock) -> None:
    server.post("/connections").respond(400, json={"title": "bad-request", "data": {"message": "no"}})
    with pytest.raises(ServiceError, match="HTTP 400 no"):
        airbyte().resources.create(Kind.CONNECTION, "w", BODY)
    assert clock.slept == []
