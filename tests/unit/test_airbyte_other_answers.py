"""An answer about a resource that the call did not name is refused, with the field and both values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import respx

from etltctl.airbyte import Airbyte
from etltctl.airbyte.resources import Kind
from etltctl.errors import ServiceError
from etltctl.retrying import RetryPolicy
from etltctl.waiting import Waiter

JOB = {"jobId": 7, "status": "running", "connectionId": "c"}
SOURCE = {"sourceId": "s", "name": "orders", "sourceType": "mongodb-v2", "workspaceId": "w"}
LINK = {"connectionId": "c", "name": "lake", "sourceId": "s", "destinationId": "d"}
BODY = {"name": "lake", "sourceId": "s", "destinationId": "d"}
CALLS: dict[str, tuple[str, str, dict[str, Any], Callable[[Airbyte], object], list[str]]] = {
    "create a source": (
        "POST", "/sources", SOURCE,
        lambda airbyte: airbyte.resources.create(Kind.SOURCE, "w", {"name": "orders"}),
        ["name", "workspaceId"],
    ),
    "create a connection": (
        "POST", "/connections", LINK,
        lambda airbyte: airbyte.resources.create(Kind.CONNECTION, "w", BODY),
        ["name", "sourceId", "destinationId"],
    ),
    "start a sync": ("POST", "/jobs", JOB, lambda airbyte: airbyte.start("c", "api"), ["connectionId"]),
    "read a job": ("GET", "/jobs/7", JOB, lambda airbyte: airbyte.poll("7", "api"), ["jobId"]),
    "read a connection": (
        "GET", "/connections/c", LINK, lambda airbyte: airbyte.connection("c"), ["connectionId"],
    ),
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url="https://airbyte.test/v1") as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        yield router


@pytest.fixture
def airbyte() -> Airbyte:
    return Airbyte("https://airbyte.test/v1", "id", "secret", RetryPolicy(attempts=1), Waiter(timeout=0.0))


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_about_the_right_resource_is_accepted(
    server: respx.MockRouter, airbyte: Airbyte, name: str
) -> None:
    method, path, answer, call, _ = CALLS[name]
    server.request(method, path).respond(json=answer)
    assert call(airbyte)


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in CALLS for field in CALLS[name][4]])
def test_an_answer_about_another_resource_is_refused(
    server: respx.MockRouter, airbyte: Airbyte, name: str, field: str
) -> None:
    method, path, answer, call, _ = CALLS[name]
    other = 99 if field == "jobId" else "other"
    server.request(method, path).respond(json={**answer, field: other})
    with pytest.raises(ServiceError) as raised:
        call(airbyte)
    sent = f"another {field}: {answer[field]} was sent, and {other} came back"
    assert sent in raised.value.message
    assert raised.value.is_open
