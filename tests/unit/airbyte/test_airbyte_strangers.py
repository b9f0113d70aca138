"""Another server in Airbyte's place: the error names the host, its answer, and what to check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.health import greet
from etltctl.airbyte.resources import Kind, Resource
from etltctl.errors import AccessError, ConfigurationError, EtltctlError, ServiceError
from etltctl.retrying import RetryPolicy
from etltctl.waiting import Waiter

URL = "https://me:s3cret@airbyte.test:8443/v1"
PAGE = "<!doctype html>\n<html><body>Please log in to the proxy</body></html>"
TOKEN = {"access_token": "t", "expires_in": 900}
CALLS: dict[str, Callable[[Airbyte], object]] = {
    "job": lambda airbyte: airbyte.poll("7", "api"),
    "jobs": lambda airbyte: airbyte.jobs("c", "api"),
    "start": lambda airbyte: airbyte.start("c", "api"),
    "connection": lambda airbyte: airbyte.connection("c"),
    "workspaces": lambda airbyte: airbyte.resources.workspaces(),
    "definitions": lambda airbyte: airbyte.resources.of_kind(Kind.DEFINITION, "w"),
    "create": lambda airbyte: airbyte.resources.create(Kind.SOURCE, "w", {"name": "n"}),
}
NULLS = {"jobId": None, "status": None, "data": None, "connectionId": None, "sourceId": None, "name": None}
STRANGERS: dict[str, tuple[dict[str, Any], str]] = {
    "page": ({"text": PAGE}, "with a web page"),
    "empty": ({"text": ""}, "with an empty body"),
    "blanks": ({"text": " \n"}, "with an empty body"),
    "nulls": ({"json": NULLS}, "with an object of nothing but nulls"),
    "list": ({"json": [{"jobId": 7, "status": "running"}]}, "with a JSON list"),
    "word": ({"json": "Successful operation"}, "with JSON that is not an object"),
    "text": ({"text": "no healthy upstream\n"}, "with text that is not JSON"),
    "xml": ({"text": "<?xml version='1.0'?><Error/>"}, "with text that is not JSON"),
    "bytes": ({"content": b"\xff\xfe\x00\x01"}, "with text that is not JSON"),
}


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url="https://airbyte.test:8443/v1", assert_all_called=False) as router:
        yield router


def airbyte() -> Airbyte:
    return Airbyte(URL, "id", "tops3cret", RetryPolicy(attempts=1), Waiter(timeout=0.0))


def failure(call: Callable[[], object]) -> EtltctlError:
    with pytest.raises(EtltctlError) as caught:
        call()
    shown = f"{caught.value.message} {caught.value.facts}"
    assert [text for text in ("<", "\n", "log in", "s3cret") if text in shown] == []
    return caught.value


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_from_another_server_is_recognized(
    server: respx.MockRouter, kind: str, call: str, status: int
) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    body, words = STRANGERS[kind]
    server.route().respond(status, **body)
    error = failure(lambda: CALLS[call](airbyte()))
    assert words in error.message
    assert "airbyte.test:8443" in error.message
    assert f"HTTP {status}" in error.message
    cause = error.__cause__ if call == "create" else error
    assert isinstance(cause, ServiceError)
    assert "check airbyte.url" in cause.hint


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("status", [200, 400, 502])
def test_a_token_from_another_server_is_reported(server: respx.MockRouter, kind: str, status: int) -> None:
    body, words = STRANGERS[kind]
    server.post("/applications/token").respond(status, **body)
    error = failure(lambda: airbyte().jobs("c", "api"))
    assert words in error.message
    assert isinstance(error, AccessError) is (status == 400 and words == "with an empty body")


@pytest.mark.parametrize(("kind", "is_healthy"), [("page", False), ("empty", False), ("word", True)])
def test_health_is_a_line_of_text_and_not_a_page(
    server: respx.MockRouter, kind: str, is_healthy: bool
) -> None:
    body, words = STRANGERS[kind]
    server.get("/health").respond(200, **body)
    if is_healthy:
        assert greet(URL) == "Successful operation"
    else:
        assert words in failure(lambda: greet(URL)).message


@pytest.mark.parametrize(
    ("status", "headers", "error", "words"),
    [
        (401, {}, AccessError, "HTTP 401 with a web page"),
        (404, {}, ConfigurationError, "HTTP 404 with a web page"),
        (
            302,
            {"Location": "https://login.test/?next=x"},
            ConfigurationError,
            "with a redirect to https://login.test",
        ),
        (
            308,
            {"Location": "https://airbyte.test/v1"},
            ConfigurationError,
            "with a redirect to https://airbyte.test",
        ),
    ],
)
def test_a_login_page_does_not_count_as_airbytes_refusal(
    server: respx.MockRouter, status: int, headers: dict[str, str], error: type[EtltctlError], words: str
) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    server.get("/jobs/7").respond(status, text=PAGE, headers=headers)
    raised = failure(lambda: airbyte().poll("7", "api"))
    assert type(raised) is error
    assert words in raised.message
    assert "such as a proxy" in raised.hint


def test_no_error_shows_the_password_of_the_url(server: respx.MockRouter) -> None:
    server.route().mock(side_effect=httpx.ConnectError("refused"))
    failure(lambda: airbyte().poll("7", "api"))
    failure(lambda: greet(URL))
    server.post("/applications/token").respond(503)
    failure(lambda: airbyte().poll("7", "api"))


def test_a_read_is_retried_while_a_load_balancer_answers_for_airbyte(server: respx.MockRouter) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    pages = [
        httpx.Response(502, text=PAGE),
        httpx.Response(503),
        httpx.Response(504, text="upstream timed out"),
    ]
    answer = httpx.Response(200, json={"jobId": 7, "status": "running"})
    server.get("/jobs/7").side_effect = [*pages, answer]
    probe = Airbyte(URL, "id", "secret", RetryPolicy(attempts=4, sleep=[].append))
    assert probe.poll("7", "api").id == "7"


def test_a_missing_field_is_named_with_the_host(server: respx.MockRouter) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    server.get("/jobs/7").respond(json={"jobId": 7})
    error = failure(lambda: airbyte().poll("7", "api"))
    assert error.message == (
        "Airbyte at airbyte.test:8443: GET /jobs/7 was answered with success but without the field status"
    )


def test_a_problem_whose_text_contains_a_page_is_airbytes_own(server: respx.MockRouter) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    body = {"title": "unexpected-problem", "data": {"message": f"the source answered {PAGE}"}}
    server.get("/jobs/7").respond(500, json=body)
    with pytest.raises(ServiceError, match="HTTP 500 the source answered"):
        airbyte().poll("7", "api")


@pytest.mark.parametrize("rows", ["97", 9.5, True, [97], {"rows": 97}])
def test_a_count_that_is_not_a_whole_number_is_named(server: respx.MockRouter, rows: Any) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    server.get("/jobs/7").respond(json={"jobId": 7, "status": "succeeded", "rowsSynced": rows})
    with pytest.raises(ServiceError, match=r"rowsSynced \(a whole number\)"):
        airbyte().poll("7", "api")


SOURCE = Resource(Kind.SOURCE, "s1", "weather", "mongodb-v2", {})


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(302, headers={"Location": "https://sso.example/login"}),
        httpx.Response(404, text=PAGE),
        httpx.Response(404),
    ],
    ids=["redirect", "page", "nothing"],
)
def test_an_answer_from_another_server_deletes_nothing(
    server: respx.MockRouter, response: httpx.Response
) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    server.delete("/sources/s1").mock(response)
    failure(lambda: airbyte().resources.delete(SOURCE, "w"))


def test_a_resource_that_airbyte_no_longer_has_counts_as_deleted(server: respx.MockRouter) -> None:
    server.post("/applications/token").respond(json=TOKEN)
    server.delete("/sources/s1").respond(404, json={"title": "resource-not-found", "status": 404})
    airbyte().resources.delete(SOURCE, "w")
