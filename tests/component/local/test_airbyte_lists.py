"""Lists of the embedded Airbyte as its SDK requests them: repeated parameters, times, and links to follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from support.airbyte_server import Server, api

OTHER = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three jobs that were made at noon, 12:01 and 12:02 UTC."""
    state: Path = tmp_path_factory.mktemp("airbyte")
    running = Server(state, now=lambda: 1_767_355_200.5)
    running.start()
    running.configure(api("api", "sample:", "races"))
    running.sign_in()
    for minute in range(3):
        running.now = lambda minute=minute: 1_767_355_200.5 + 60 * minute
        running.sync("api")
    yield running
    running.stop()


def jobs(server: Server, **query: Any) -> list[int]:
    response = server.http.get("/jobs", params=query)
    assert response.status_code == 200, response.text
    return [job["jobId"] for job in response.json()["data"]]


@pytest.mark.parametrize("path", ["/jobs", "/connections", "/sources", "/destinations", "/workspaces"])
@pytest.mark.parametrize(
    ("workspaces", "is_found"),
    [
        ([WORKSPACE_ID, OTHER], True),
        ([OTHER, WORKSPACE_ID], True),
        ([f"{WORKSPACE_ID},{OTHER}"], True),
        ([OTHER, f"{OTHER},{WORKSPACE_ID}"], True),
        ([OTHER, OTHER], False),
    ],
)
def test_every_value_of_a_list_parameter_counts(
    server: Server, path: str, workspaces: list[str], is_found: bool
) -> None:
    answer = server.http.get(path, params={"workspaceIds": workspaces}).json()
    assert bool(answer["data"]) is is_found


def test_jobs_are_filtered_by_their_times_of_creation_and_change(server: Server) -> None:
    noon, one, two = (f"2026-01-02T12:0{minute}:00Z" for minute in range(3))
    assert jobs(server, createdAtStart=one) == [2, 3]
    assert jobs(server, createdAtEnd=one) == [1, 2]
    assert jobs(server, createdAtStart=one, createdAtEnd=one) == [2]
    assert jobs(server, updatedAtStart=two) == [3]
    assert jobs(server, updatedAtEnd=noon) == [1]
    assert jobs(server, createdAtStart="2026-01-02T14:01:00+02:00") == [2, 3]
    assert jobs(server, createdAtStart="2026-01-02T12:01:00") == [2, 3]


@pytest.mark.parametrize("name", ["createdAtStart", "createdAtEnd", "updatedAtStart", "updatedAtEnd"])
def test_an_invalid_time_is_refused(server: Server, name: str) -> None:
    response = server.http.get("/jobs", params={name: "noon"})
    assert response.status_code == 400
    assert response.json()["data"]["message"].startswith(f"{name} is not a time such as")


def test_the_links_of_a_page_lead_to_the_pages_around_it(server: Server) -> None:
    first = server.http.get("/jobs", params={"limit": 2, "workspaceIds": [WORKSPACE_ID, OTHER]}).json()
    assert first["next"].startswith(f"{server.base_url}/airbyte/v1/jobs?")
    second = server.http.get(first["next"]).json()
    assert [job["jobId"] for job in second["data"]] == [3]
    back = server.http.get(second["previous"]).json()
    assert [job["jobId"] for job in back["data"]] == [1, 2]
    assert server.http.get(second["next"]).json()["data"] == []


def test_a_list_by_tags_is_empty_because_tags_do_not_exist_here(server: Server) -> None:
    assert server.http.get("/connections", params={"tagIds": ["a", "b"]}).json()["data"] == []
