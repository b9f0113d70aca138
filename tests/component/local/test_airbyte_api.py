"""The embedded Airbyte over the wire: tokens, jobs and resources as the public API has them, and real syncs."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from etltctl.airbyte import Airbyte
from etltctl.local.services.airbyte.jobs import Job, Status, java_duration, java_instant
from etltctl.local.services.airbyte.service import AirbyteService
from etltctl.local.services.s3.directory import S3Directory
from support.airbyte_server import Server, api, mongo

PACK = Path(os.environ.get("ETLTCTL_DATA_PACK", "/nonexistent"))
SECRET_URI = "mongodb://me:s3cret@127.0.0.1:1/"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    running.start()
    running.configure(
        api("api", "sample:", "races", "results"),
        api("busy", f"{running.base_url}/busy/ergast/f1"),
        api("gone", "http://127.0.0.1:1/"),
        mongo("secret", SECRET_URI),
    )
    running.sign_in()
    yield running
    running.stop()


def test_a_token_is_issued_for_json_and_forms_and_each_spelling_of_the_grant_type(server: Server) -> None:
    body = {"client_id": server.service.client_id, "client_secret": server.service.client_secret}
    grants: list[dict[str, str]] = [
        {},
        {"grant-type": "client_credentials"},
        {"grant_type": "client_credentials"},
    ]
    for grant in grants:
        for request in ({"json": body | grant}, {"data": body | grant}):
            answer = server.http.post("/applications/token", **request).json()
            assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
            assert answer["access_token"].count(".") == 2


def test_wrong_credentials_are_refused_in_the_frameworks_own_shape(server: Server) -> None:
    response = server.http.post("/applications/token", json={"client_id": "me", "client_secret": "no"})
    assert response.status_code == 400
    assert response.json()["_embedded"] == {"errors": [{"message": "Invalid client id or token"}]}


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}]
)
def test_every_call_but_token_and_health_needs_a_token(server: Server, header: dict[str, str]) -> None:
    del server.http.headers["Authorization"]
    assert server.http.get("/health").text == "Successful operation"
    for path in ("/jobs", "/jobs/1", "/connections", "/sources", "/nothing"):
        response = server.http.get(path, headers=header)
        assert (response.status_code, response.json()["title"]) == (401, "invalid-api-key")
        assert response.headers["Content-Type"] == "application/json"


def test_a_token_expires_after_900_seconds(server: Server) -> None:
    issued = time.time()
    server.now = lambda: issued + 895
    assert server.http.get("/jobs").status_code == 200
    server.now = lambda: issued + 901
    assert server.http.get("/jobs").status_code == 401


def test_a_token_that_was_changed_is_refused(server: Server) -> None:
    head, payload, signature = server.http.headers["Authorization"].split(".")
    for changed in (
        f"{head}.{payload}x.{signature}",
        f"{head}.{payload}.{signature[:-2]}",
        f"{head}.{payload}",
    ):
        assert server.http.get("/jobs", headers={"Authorization": changed}).status_code == 401


def test_credentials_are_created_once_and_only_their_owner_may_read_them(server: Server) -> None:
    file = server.state / "airbyte" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = AirbyteService(server.state, server.lake, lambda: "")
    assert (again.client_id, again.client_secret) == (server.service.client_id, server.service.client_secret)


def test_a_sync_goes_through_its_states_and_writes_its_files(server: Server) -> None:
    started = server.http.post("/jobs", json={"connectionId": server.ids["api"], "jobType": "sync"}).json()
    assert started["status"] in ("pending", "running", "succeeded")
    job = server.wait(started["jobId"])
    assert {name: job[name] for name in ("status", "jobType", "connectionId", "rowsSynced")} == {
        "status": "succeeded",
        "jobType": "sync",
        "connectionId": server.ids["api"],
        "rowsSynced": 19,
    }
    assert job["duration"].startswith("PT")
    assert job["bytesSynced"] == sum(each.size for each in server.lake.list_objects("bronze"))
    assert {"startTime", "lastUpdatedAt"} <= job.keys()
    assert (server.rows("api/races/"), server.rows("api/results/")) == (9, 10)


def test_a_second_sync_replaces_the_first_ones_files(server: Server) -> None:
    server.sync("api")
    first = server.files()
    server.sync("api")
    assert len(server.files()) == 2
    assert not set(first) & set(server.files())


def test_a_second_start_is_refused_while_a_sync_runs_and_cancelling_frees_the_connection(
    server: Server,
) -> None:
    body = {"connectionId": server.ids["busy"], "jobType": "sync"}
    job = server.http.post("/jobs", json=body).json()
    refused = server.http.post("/jobs", json=body)
    assert refused.status_code == 409
    assert refused.json() == {
        "status": 409,
        "type": "https://reference.airbyte.com/reference/errors#try-again-later",
        "title": "try-again-later",
        "detail": "Please try again later.",
        "documentationUrl": None,
        "data": {"message": f"A sync is already running for: {server.ids['busy']}"},
    }
    cancelled = server.http.delete(f"/jobs/{job['jobId']}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = server.http.delete(f"/jobs/{job['jobId']}")
    assert (again.status_code, again.json()["title"]) == (409, "state-conflict")
    assert server.http.post("/jobs", json=body).status_code == 200


def test_exactly_one_of_many_simultaneous_starts_succeeds(server: Server) -> None:
    body = {"connectionId": server.ids["busy"], "jobType": "sync"}
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(server.http.post("/jobs", json=body).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7


def test_a_failed_job_says_why_without_the_password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.source_mongodb.SERVER_TIMEOUT_S", 0.2)
    job = server.sync("secret")
    assert job["status"] == "failed"
    assert job["etltctl_failure"]["kind"] == "transient_error"
    assert "127.0.0.1:1 cannot be reached" in job["etltctl_failure"]["message"]
    assert "s3cret" not in json.dumps(job)


def test_a_failed_sync_keeps_the_earlier_files_and_the_next_success_cleans_up(server: Server) -> None:
    server.sync("api")
    good = server.files()
    server.configure(api("api", f"{server.base_url}/sample/ergast/f1", "races", "nothing"))
    assert server.sync("api")["etltctl_failure"]["kind"] == "config_error"
    assert server.files() == good
    server.configure(api("api", "sample:", "races", "results"))
    assert server.sync("api")["status"] == "succeeded"
    assert len(server.files()) == 2


def test_a_missing_bucket_fails_the_job(server: Server) -> None:
    (server.state / "s3" / "bronze").rmdir()
    job = server.sync("api")
    assert job["status"] == "failed"
    assert job["etltctl_failure"] == {
        "message": "s3://bronze/api: The specified bucket does not exist",
        "kind": "config_error",
    }


def test_a_full_disk_fails_the_job(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(S3Directory, "put_object", full)
    assert server.sync("api")["etltctl_failure"] == {
        "message": "the files could not be written: No space left on device",
        "kind": "system_error",
    }


def test_even_an_unforeseen_error_ends_the_job(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(S3Directory, "put_object", broken)
    job = server.sync("api")
    assert job["status"] == "failed"
    assert "unforeseen" in job["etltctl_failure"]["message"]


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
    assert server.http.get("/streams").status_code == 404
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


def test_jobs_survive_a_restart_and_an_interrupted_one_has_failed(tmp_path: Path) -> None:
    def job(number: int, status: str) -> dict[str, Any]:
        times = {"created": 1.0, "updated": 2.0, "started": 1.0, "ended": None}
        return {"id": number, "connection_id": "c", "status": status, **times, "rows": 5, "bytes": 7,
                "failure": "", "failure_kind": ""}  # fmt: skip

    file = tmp_path / "airbyte" / "jobs.json"
    file.parent.mkdir()
    state = {"next_id": 3, "generations": {"c": 4}, "jobs": [job(1, "succeeded"), job(2, "running")]}
    file.write_text(json.dumps(state))
    server = Server(tmp_path)
    server.start()
    server.configure(api("api", "sample:", "races"))
    server.sign_in()
    try:
        assert server.http.get("/jobs/1").json()["status"] == "succeeded"
        cut_off = server.http.get("/jobs/2").json()
        assert (cut_off["status"], cut_off["etltctl_failure"]["kind"]) == ("failed", "system_error")
        assert "server ended" in cut_off["etltctl_failure"]["message"]
        assert server.sync("api")["jobId"] == 3
    finally:
        server.stop()
    assert [each["status"] for each in json.loads(file.read_text())["jobs"]] == [
        "succeeded",
        "failed",
        "succeeded",
    ]


def test_a_server_that_closes_cancels_live_syncs(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    server.configure(api("busy", f"{server.base_url}/busy/ergast/f1"))
    server.sign_in()
    server.http.post("/jobs", json={"connectionId": server.ids["busy"], "jobType": "sync"})
    server.stop()
    (job,) = json.loads((tmp_path / "airbyte" / "jobs.json").read_text())["jobs"]
    assert job["status"] == "cancelled"


def test_etltctls_own_client_works_with_it(server: Server) -> None:
    client = Airbyte(f"{server.base_url}/airbyte/v1", server.service.client_id, server.service.client_secret)
    verb, job, is_ours = client.start_or_adopt(server.ids["api"], "api")
    assert (verb.name, is_ours) == ("STARTED", True)
    server.wait(int(job.id))
    done = client.poll(job.id, "api")
    assert (done.status, done.rows) == ("succeeded", 19)
    _, busy, _ = client.start_or_adopt(server.ids["busy"], "busy")
    again, adopted, is_ours = client.start_or_adopt(server.ids["busy"], "busy")
    assert (again.name, adopted.id, is_ours) == ("ADOPTED", busy.id, False)
    assert client.cancel(busy).status == "cancelled"


def test_the_weather_sample_is_written_completely(server: Server) -> None:
    server.configure(mongo("mongodb", "sample:"))
    job = server.sync("mongodb")
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 17_409)
    (key,) = server.files()
    assert key.startswith("mongodb/weather/observations/")
    table = pq.read_table(server.lake.path("bronze", key), columns=["city_name", "dt", "main"])
    assert set(table["city_name"].to_pylist()) == {"Newark Liberty Intl", "La Guardia"}
    assert table["main"][0].as_py() == '{"temp":3.9,"pressure":1012,"humidity":59.37,"dew_point":-3.3}'


@pytest.mark.pack
@pytest.mark.skipif(not PACK.is_dir(), reason="ETLTCTL_DATA_PACK names no folder")
def test_the_pack_is_written_completely(server: Server) -> None:
    connections = [mongo("mongodb", "sample:"), {**api("api", "sample:")}]
    connections[1]["source"]["seasons"] = "all"
    server.configure(*connections, data_pack=str(PACK))
    assert server.sync("mongodb")["rowsSynced"] == 31_779
    assert server.sync("api")["status"] == "succeeded"
    results = [
        row
        for key in server.files()
        if key.startswith("api/results/")
        for race in pq.ParquetFile(server.lake.path("bronze", key)).read()["Results"].to_pylist()
        for row in json.loads(race)
    ]
    assert len(results) == 2_988
    assert server.rows("api/driver_standings/") == 146


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
