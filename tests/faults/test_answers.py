"""Answers that are lost, refused or untrue: what becomes of a run, over the wire."""

from __future__ import annotations

import signal
import time

import pytest
from spoilt import SpoiltLake

pytestmark = pytest.mark.faults

LOST = [{"call": "POST /jobs", "lose": True}, {"call": "StartJobRun", "lose": True}]


def verbs(lake: SpoiltLake, run_id: str) -> list[str]:
    return [step["verb"] for step in lake.json("run", "small", "--run-id", run_id)["steps"]]


@pytest.mark.parametrize("rule", LOST, ids=["Airbyte", "Glue"])
def test_work_whose_answer_was_lost_is_adopted(lake: SpoiltLake, rule: dict[str, object]) -> None:
    run_id, before = f"lost-{LOST.index(rule)}", lake.syncs()
    lake.spoil(rule)
    assert sorted(verbs(lake, run_id)) == ["", "adopted", "started"]
    starts = lake.starts(run_id)
    assert (starts["glue"], starts["airbyte"] - before) == (1, 1)


def test_a_throttled_start_is_sent_again_and_starts_once(lake: SpoiltLake) -> None:
    refused = {"status": 400, "body": {"__type": "ThrottlingException", "message": "Rate exceeded"}}
    lake.spoil({"call": "StartJobRun", "refuse": refused, "times": 2})
    assert verbs(lake, "throttled")[1] == "started"
    assert lake.starts("throttled")["glue"] == 1


def test_a_slot_that_is_freed_late_is_waited_for(lake: SpoiltLake) -> None:
    refused = {"status": 400, "body": {"__type": "ConcurrentRunsExceededException", "message": "too many"}}
    lake.spoil({"call": "StartJobRun", "refuse": refused, "times": 2})
    assert verbs(lake, "lagging")[1] == "started"


def test_a_wait_survives_a_server_in_trouble(lake: SpoiltLake) -> None:
    lake.spoil(
        {
            "call": "GetJobRun",
            "refuse": {"status": 500, "body": {"__type": "InternalServiceException"}},
            "times": 3,
        },
        {"call": "GET /jobs/*", "refuse": {"status": 503}, "times": 3},
    )
    assert verbs(lake, "trouble") == ["started", "started", ""]


def test_a_state_nobody_knows_is_waited_on_and_warned_about(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GetJobRun", "change": {"JobRunState": "PONDERING"}, "times": 1})
    done = lake.run("run", "small", "--run-id", "unknown-state")
    assert "unknown state PONDERING" in done.stderr


@pytest.mark.parametrize("word", ["STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_only_the_service_s_own_success_is_success(lake: SpoiltLake, word: str) -> None:
    lake.spoil({"call": "GetJobRun", "change": {"JobRunState": word}, "times": 0})
    done = lake.run("run-glue", "small", "--wait", "--run-id", f"ended-{word}", code=1)
    assert f"ended {word}" in done.stderr


def test_rows_that_airbyte_reports_and_nobody_finds_stop_the_run(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": {"rowsSynced": 7}, "times": 0})
    done = lake.run("run", "small", "--run-id", "untrue", code=6)
    assert "Airbyte reports 7 rows for api, but 97 landed" in done.stderr
    assert lake.starts("untrue")["glue"] == 0
    lake.spoil()
    assert verbs(lake, "untrue")[1] == "started"


def test_rows_a_job_says_it_wrote_and_did_not_are_not_published(lake: SpoiltLake) -> None:
    script = lake.folder / "small.py"
    honest = script.read_text()
    script.write_text(honest.replace('"rows_out": 5', '"rows_out": 6'))
    try:
        done = lake.run("run-glue", "small", "--wait", "--run-id", "miscounted", code=6)
    finally:
        script.write_text(honest)
    assert "wrote 6 rows of gold.small, but its files hold 5" in done.stderr
    listed = {t["table"]: t["version"] for t in lake.json("athena", "tables")["rows"]}
    assert listed["small"] != "miscounted"


def test_logs_that_cannot_be_read_change_nothing_about_a_failure(lake: SpoiltLake) -> None:
    lake.spoil(
        {"call": "GetJobRun", "change": {"JobRunState": "FAILED", "ErrorMessage": "as wished"}, "times": 0},
        {"call": "*LogEvents", "refuse": {"status": 500}, "times": 0},
    )
    done = lake.run("run-glue", "small", "--wait", "--run-id", "no-logs", code=1)
    assert "ended FAILED" in done.stderr


def test_two_processes_never_drive_one_run(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GetJobRun", "hold": "before"})
    first = lake.begin("run", "small", "--run-id", "twice")
    while not lake.met():
        time.sleep(0.05)
    done = lake.run("run", "small", "--run-id", "twice", code=7)
    assert f"process {first.pid}" in done.stderr
    lake.spoil()
    assert first.wait(60) == 0
    assert lake.starts("twice")["glue"] == 1


@pytest.mark.parametrize(
    ("policy", "state", "code"), [("stop", "STOPPED", 130), ("detach", "SUCCEEDED", 130)]
)
def test_an_interrupt_stops_or_leaves_remote_work_as_asked(
    lake: SpoiltLake, policy: str, state: str, code: int
) -> None:
    script = lake.folder / "small.py"
    honest = script.read_text()
    script.write_text(honest.replace("options = get", "import time; time.sleep(4)\noptions = get"))
    run_id = f"interrupted-{policy}"
    try:
        process = lake.begin("run-glue", "small", "--wait", "--run-id", run_id, "--on-interrupt", policy)
        while not any(e["type"] == "step.progress" and e["state"] == "RUNNING" for e in lake.events(run_id)):
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == code
        done = lake.run("runs", "watch", run_id, code=0)
    finally:
        script.write_text(honest)
    runs = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == run_id]
    assert state in {run["JobRunState"] for run in runs}
    assert len(runs) == (1 if policy == "detach" else 2)
    assert ("started" in done.stderr) is (policy == "stop")
