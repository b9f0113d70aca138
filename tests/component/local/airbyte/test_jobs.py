"""Jobs and resources of the embedded Airbyte, as the public API lists and describes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from etltctl.local.services.airbyte.jobs import Job, Status, java_duration, java_instant
from support.airbyte_server import Server, api


@pytest.mark.parametrize(
    ("body", "status", "title"),
    [
        (
            {"connectionId": "00000000-0000-0000-0000-000000000000", "jobType": "sync"},
            404,
            "resource-not-found",
        ),
        ({}, 404, "resource-not-found"),
        ("no json", 400, "bad-request"),
        (["no", "object"], 400, "bad-request"),
    ],
)
def test_an_impossible_start_is_a_problem(server: Server, body: Any, status: int, title: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    response = server.http.post("/jobs", content=content, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["title"]) == (status, title)


def test_only_syncs_are_run(server: Server) -> None:
    response = server.http.post("/jobs", json={"connectionId": server.ids["api"], "jobType": "refresh"})
    assert (response.status_code, response.json()["title"]) == (422, "unprocessable-entity")


def test_jobs_are_listed_oldest_first_by_default(server: Server) -> None:
    job_ids = [server.sync("api")["jobId"] for _ in range(3)]

    def listed_ids(**query: Any) -> list[int]:
        return [job["jobId"] for job in server.http.get("/jobs", params=query).json()["data"]]

    assert listed_ids() == job_ids
    assert listed_ids(orderBy="createdAt|DESC") == job_ids[::-1]
    assert listed_ids(limit=2) == job_ids[:2]
    assert listed_ids(limit=2, offset=2) == job_ids[2:]
    assert listed_ids(connectionId=server.ids["busy"]) == []
    assert listed_ids(status="succeeded") == job_ids
    assert listed_ids(status="failed") == []


def test_the_link_to_the_next_page_is_empty_only_after_an_empty_page(server: Server) -> None:
    server.sync("api")
    first = server.http.get("/jobs", params={"limit": 5, "status": "succeeded"}).json()
    assert first["next"]
    assert "status" not in first["next"]
    assert server.http.get("/jobs", params={"offset": 5}).json()["next"] == ""


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"offset": -1}, {"orderBy": "name"},
                                   {"status": "done"}])  # fmt: skip
def test_a_meaningless_query_is_a_bad_request(server: Server, query: dict[str, Any]) -> None:
    server.sync("api")
    assert server.http.get("/jobs", params=query).status_code == 400


def test_an_unknown_job_or_path_is_not_found_and_an_unknown_method_not_allowed(server: Server) -> None:
    assert server.http.get("/jobs/999").json()["data"] == {"resourceType": "job", "resourceId": "999"}
    assert server.http.delete("/jobs/999").status_code == 404
    assert server.http.get("/tags").status_code == 404
    assert server.http.post("/workspaces", json={}).status_code == 405


@pytest.mark.parametrize("kind", ["connection", "source", "destination", "workspace"])
def test_resources_can_be_listed_and_read(server: Server, kind: str) -> None:
    resources = server.http.get(f"/{kind}s").json()["data"]
    assert len(resources) == (1 if kind == "workspace" else 4)
    for each in resources:
        assert server.http.get(f"/{kind}s/{each[f'{kind}Id']}").json() == each
    assert server.http.get(f"/{kind}s/nothing").status_code == 404


def test_secrets_are_masked_and_never_written(server: Server) -> None:
    shown = server.http.get("/sources").text
    assert "s3cret" not in shown
    assert "**********" in shown
    server.sync("api")
    written = [file.read_bytes() for file in server.state.rglob("*") if file.is_file()]
    assert not any(b"s3cret" in content for content in written)
    assert "s3cret" not in repr(server.service._connections)


def test_connection_ids_stay_the_same_and_stale_connections_are_deleted(server: Server) -> None:
    before = dict(server.ids)
    after = server.configure(api("api", "sample:"))
    assert after == {"api": before["api"]}
    assert [each["name"] for each in server.http.get("/connections").json()["data"]] == ["api"]


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"name": "x", "bucket": "b", "path": "p", "source": {"kind": "ftp"}}, "no source is of kind 'ftp'"),
        (
            {"name": "x", "bucket": "b", "path": "p", "source": {"kind": "mongodb"}},
            "collections, database, uri",
        ),
        ({"name": "x"}, "no source is of kind None"),
    ],
)
def test_a_description_that_is_incomplete_is_refused(
    server: Server, described: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        server.service.configure([described], None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1_767_323_045.9, "2026-01-02T03:04:05Z"), (1_767_323_040.0, "2026-01-02T03:04Z")],
)
def test_times_are_printed_as_java_prints_them(seconds: float, text: str) -> None:
    assert java_instant(seconds) == text
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(int(seconds), UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "PT0S"), (151, "PT2M31S"), (29_172, "PT8H6M12S"), (3600, "PT1H")]
)
def test_durations_are_printed_as_java_prints_them(seconds: float, text: str) -> None:
    assert java_duration(seconds) == text


def test_a_pending_job_has_no_duration_yet() -> None:
    job = Job(1, "c", Status.PENDING, created=0.0, updated=0.0)
    assert job.answer(now=9.0) == {
        "jobId": 1, "status": "pending", "jobType": "sync", "connectionId": "c", "startTime": "1970-01-01T00:00Z",
    }  # fmt: skip
