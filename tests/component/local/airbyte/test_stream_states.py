"""The kept states of incremental streams: cleared over the API, and never dropped without a word."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from etltctl.local.services.airbyte.states import StreamStates
from support.incremental import IncrementalLake


@pytest.mark.parametrize("job_type", ["reset", "clear"])
def test_a_clear_deletes_files_and_state_and_the_next_sync_reads_all_in_a_new_generation(
    lake: IncrementalLake, job_type: str
) -> None:
    lake.sync()
    job = lake.run(job_type)
    assert (job["status"], job["jobType"], job["rowsSynced"]) == ("succeeded", "reset", 0)
    assert (lake.server.files(), lake.file.exists()) == ([], False)
    assert lake.synced() == 5
    assert {generation for _, generation in lake.rows()} == {2}


def test_a_clear_is_not_among_the_syncs_and_refuses_a_second_job(
    lake: IncrementalLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.sync()
    may_end = threading.Event()
    reset = StreamStates.reset

    def slow(self: Any, connection_id: str) -> None:
        may_end.wait(60)
        reset(self, connection_id)

    monkeypatch.setattr(StreamStates, "reset", slow)
    body = {"connectionId": lake.server.ids["mongodb"], "jobType": "clear"}
    job = lake.server.http.post("/jobs", json=body).json()
    assert lake.server.http.post("/jobs", json={**body, "jobType": "sync"}).status_code == 409
    may_end.set()
    lake.server.wait(job["jobId"])

    def jobs_of(job_type: str) -> list[int]:
        query = {"jobType": job_type}
        return [each["jobId"] for each in lake.server.http.get("/jobs", params=query).json()["data"]]

    assert (jobs_of("sync"), jobs_of("reset"), jobs_of("clear")) == ([1], [2], [])


def test_a_refresh_is_refused_in_airbytes_words(lake: IncrementalLake) -> None:
    body = {"connectionId": lake.server.ids["mongodb"], "jobType": "refresh"}
    answer = lake.server.http.post("/jobs", json=body)
    assert (answer.status_code, answer.json()["data"]["message"]) == (
        422, "Refreshes are not supported in the public API",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"version": 0, "streams": {}}', "is of version 0, and this version of etltctl reads 1 and 2"),
        ('{"version": 1, "str', "is damaged (JSONDecodeError"),
        ('{"version": 1, "streams": {"observations": {}}}', "is damaged (KeyError"),
        ("[]", "is damaged (TypeError"),
    ],
)
def test_a_state_that_cannot_be_read_fails_the_sync_stays_and_is_gone_after_a_clear(
    lake: IncrementalLake, content: str, words: str
) -> None:
    lake.sync()
    rows = lake.rows()
    lake.file.write_text(content)
    failure = lake.sync()["etltctl_failure"]
    assert (failure["kind"], failure["code"]) == ("config_error", "state-unusable")
    assert words in failure["message"]
    assert "nothing was read" in failure["message"]
    assert "`sync --full`" in failure["message"]
    assert (lake.file.read_text(), lake.rows()) == (content, rows)
    lake.run("clear")
    assert lake.synced() == 5


def test_a_state_without_its_files_is_refused(lake: IncrementalLake) -> None:
    lake.sync()
    for key in lake.server.files():
        lake.server.lake.delete_object("bronze", key)
    message = lake.sync()["etltctl_failure"]["message"]
    assert (
        "weather.observations: the kept state says that 5 rows were written, and bronze holds no file"
        in message
    )


def test_a_state_of_another_database_is_refused(lake: IncrementalLake, observations: Any) -> None:
    lake.sync()
    observations.database.client["other"]["observations"].insert_one({"_id": 1})
    lake.configure(database="other")
    failure = lake.sync()["etltctl_failure"]
    message = failure["message"]
    assert failure["code"] == "state-unusable"
    assert "other.observations: the kept state is of weather.observations" in message
