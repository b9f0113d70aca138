"""Real syncs of the embedded Airbyte: states, files, failures, and the server's restart."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from etltctl.airbyte import Airbyte
from etltctl.local.services.s3.directory import S3Directory
from support.airbyte_server import Server, api, mongo

PACK = Path(os.environ.get("ETLTCTL_DATA_PACK", "/nonexistent"))


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
