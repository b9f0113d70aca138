"""Answers that are lost, refused or untrue, and the outcome of the run, over the wire."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from support.job_scripts import writing
from support.spoilt import MET_WITHIN_S, SCRIPT, SpoiltLake

pytestmark = pytest.mark.faults

LOST = [{"call": "POST /jobs", "lose": True}, {"call": "StartJobRun", "lose": True}]


def verbs(lake: SpoiltLake, run_id: str) -> list[str]:
    return [step["verb"] for step in lake.json("run", "small", "--run-id", run_id)["steps"]]


@pytest.mark.parametrize("rule", LOST, ids=["Airbyte", "Glue"])
def test_a_remote_run_whose_start_answer_was_lost_is_adopted(
    lake: SpoiltLake, rule: dict[str, object]
) -> None:
    run_id, before = f"lost-answer-{LOST.index(rule)}", lake.syncs()
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


def test_a_wait_survives_server_errors(lake: SpoiltLake) -> None:
    lake.spoil(
        {
            "call": "GetJobRun",
            "refuse": {"status": 500, "body": {"__type": "InternalServiceException"}},
            "times": 3,
        },
        {"call": "GET /jobs/*", "refuse": {"status": 503}, "times": 3},
    )
    assert verbs(lake, "trouble") == ["started", "started", ""]


def test_an_unknown_state_is_waited_on_with_a_warning(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GetJobRun", "change": {"JobRunState": "PONDERING"}, "times": 1})
    done = lake.run("run", "small", "--run-id", "unknown-state")
    assert "unknown state PONDERING" in done.stderr


@pytest.mark.parametrize("state", ["STOPPED", "TIMEOUT", "ERROR", "EXPIRED"])
def test_only_the_service_s_success_state_is_success(lake: SpoiltLake, state: str) -> None:
    lake.spoil({"call": "GetJobRun", "change": {"JobRunState": state}, "times": 0})
    done = lake.run("run-glue", "small", "--wait", "--run-id", f"ended-{state}", code=1)
    assert f"ended {state}" in done.stderr


def test_rows_that_airbyte_reports_and_bronze_does_not_hold_stop_the_run(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": {"rowsSynced": 98}, "times": 0})
    done = lake.run("run", "small", "--run-id", "untrue", code=6)
    assert "Airbyte reports 98 rows for api, but 97 landed" in done.stderr
    assert lake.starts("untrue")["glue"] == 0
    lake.spoil()
    assert verbs(lake, "untrue")[1] == "started"


def test_rows_beyond_those_that_airbyte_counts_are_a_warning(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": {"rowsSynced": 90}, "times": 0})
    done = lake.run("run", "small", "--run-id", "repeated")
    assert "warning: 97 rows landed for api and Airbyte counts 90" in done.stderr
    assert "more than the 90 of Airbyte" in done.stderr
    assert lake.starts("repeated")["glue"] == 1


def test_rows_that_a_job_reports_but_did_not_write_are_not_published(lake: SpoiltLake) -> None:
    script = lake.folder / "small.py"
    script.write_text(writing({"n": range(5)}, rows_out=6))
    try:
        done = lake.run("run-glue", "small", "--wait", "--run-id", "miscounted", code=6)
    finally:
        script.write_text(SCRIPT)
    assert "wrote 6 rows of gold.small, but its files hold 5" in done.stderr
    versions = {t["table"]: t["version"] for t in lake.json("athena", "tables")["rows"]}
    assert versions["small"] != "miscounted"


def test_logs_that_cannot_be_read_change_nothing_about_a_failure(lake: SpoiltLake) -> None:
    lake.spoil(
        {"call": "GetJobRun", "change": {"JobRunState": "FAILED", "ErrorMessage": "as intended"}, "times": 0},
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
    assert first.wait(MET_WITHIN_S) == 0
    assert lake.starts("twice")["glue"] == 1


@pytest.mark.parametrize(
    ("policy", "state", "code"), [("stop", "STOPPED", 130), ("detach", "SUCCEEDED", 130)]
)
def test_an_interrupt_stops_or_detaches_the_remote_run_as_the_policy_says(
    lake: SpoiltLake, policy: str, state: str, code: int
) -> None:
    run_id = f"interrupted-{policy}"
    with lake.held_script():
        begin = lake.begin_installed if policy == "stop" else lake.begin
        process = begin("run-glue", "small", "--wait", "--run-id", run_id, "--on-interrupt", policy)
        lake.wait_for_state(run_id, "RUNNING")
        process.send_signal(signal.SIGINT)
        assert process.wait(MET_WITHIN_S) == code
        lake.settle()
    watched = lake.run("runs", "watch", run_id, code=1 if policy == "stop" else 0)
    done = lake.run("retry", run_id)
    runs = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == run_id]
    assert state in {run["JobRunState"] for run in runs}
    assert len(runs) == (1 if policy == "detach" else 2)
    assert ("started" in done.stderr) is (policy == "stop")
    assert (f"ended interrupted: interrupt\n  next: etltctl retry {run_id}" in watched.stderr) is (
        policy == "stop"
    )


def test_watching_a_failed_run_reports_how_it_ended_and_starts_nothing(lake: SpoiltLake) -> None:
    with lake.other_script("raise SystemExit('no such column')"):
        lake.run("run", "small", "--run-id", "fell", code=1)
    before, events = lake.starts("fell"), lake.events("fell")
    done = lake.run("runs", "watch", "fell", code=1)
    assert "run fell ended failed: Glue run jr_" in done.stderr
    assert "next: etltctl retry fell" in done.stderr
    assert (lake.starts("fell"), lake.events("fell")) == (before, events)


def test_watching_a_run_whose_process_died_continues_it_unless_its_job_failed(lake: SpoiltLake) -> None:
    for run_id, also, code in (("left-well", "", 0), ("left-ill", "raise SystemExit('no such column')", 1)):
        with lake.other_script(also):
            lake.run("run-glue", "small", "--run-id", run_id)
            lake.settle()
        done = lake.run("runs", "watch", run_id, code=code)
        assert lake.starts(run_id)["glue"] == 1
    assert "ended FAILED" in done.stderr
    assert "next: etltctl retry left-ill" in done.stderr


def test_a_refusal_inside_a_job_is_exit_4_for_the_runner_and_the_watcher(lake: SpoiltLake) -> None:
    message = "AccessDeniedException: Insufficient Lake Formation permission(s) on gold.small"
    failed = {
        "Id": "jr_refused", "JobName": "small", "JobRunState": "FAILED", "ErrorMessage": message, "Attempt": 0,
        "StartedOn": time.time(), "CompletedOn": time.time(), "ExecutionTime": 1,
    }  # fmt: skip
    lake.spoil({"call": "GetJobRun", "refuse": {"status": 200, "body": {"JobRun": failed}}, "times": 0})
    done = lake.run("run-glue", "small", "--wait", "--run-id", "refused-inside", code=4)
    assert "cause: E203 " in done.stderr
    assert "next: published tables stay as they were; add the grant to governance.grants" in done.stderr
    assert "etltctl retry refused-inside" in done.stderr
    lake.run("runs", "watch", "refused-inside", code=4)


def test_the_cost_of_a_run_is_recorded_and_a_job_over_the_limit_is_not_started(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GetJobRun*", "change": {"DPUSeconds": 7200.0}, "times": 0})
    lake.run("run-glue", "small", "--wait", "--run-id", "billed")
    events = lake.events("billed")
    bills = [e["usd"] for e in events if (e["type"], e["step"]) == ("cost.actual", "glue:small")]
    assert [round(usd, 2) for usd in bills if usd > 0.01] == [0.88]
    assert {(row["env"], row["usd"]) for row in lake.json("cost")["rows"]} == {("local", 0.0)}
    dear = {"ETLTCTL__GLUE__JOBS__SMALL__MAX_USD": "0.5"}
    done = lake.run("run-glue", "small", "--wait", "--run-id", "dear", code=9, **dear)
    assert "cost up to 0.88 USD, and glue.jobs.small.max_usd leaves 0.50 USD" in done.stderr
    assert lake.starts("dear")["glue"] == 0


def test_a_fresh_start_writes_another_version_and_starts_again(lake: SpoiltLake) -> None:
    verbs(lake, "fresh")
    again = lake.json("run", "small", "--run-id", "fresh", "--fresh")
    assert [step["verb"] for step in again["steps"]] == ["started", "started", ""]
    assert lake.starts("fresh")["glue"] == 2
    versions = {t["table"]: t["version"] for t in lake.json("athena", "tables")["rows"]}
    assert versions["small"] == "fresh.g1"
    assert verbs(lake, "fresh") == ["reused", "reused", ""]


def test_a_failed_run_is_retried_from_where_it_failed(lake: SpoiltLake) -> None:
    refused = {"status": 400, "body": {"__type": "InvalidInputException", "message": "as intended"}}
    lake.spoil({"call": "StartJobRun", "refuse": refused})
    lake.run("run", "small", "--run-id", "failed-once", code=1)
    done = lake.json("retry", "failed-once")
    assert [step["verb"] for step in done["steps"]] == ["reused", "started", ""]


def test_a_step_run_alone_shares_the_run_that_it_belongs_to(lake: SpoiltLake) -> None:
    assert verbs(lake, "shared")[1] == "started"
    assert lake.json("run-glue", "small", "--wait", "--run-id", "shared")["verb"] == "reused"
    only = lake.json("run", "small", "--run-id", "shared", "--only", "small")
    assert [(step["step"], step["verb"]) for step in only["steps"]] == [("glue:small", "reused")]
    done = lake.run("run", "small", "--from", "athena:refresh", "--to", "sync:api", code=2)
    assert "comes after" in done.stderr


def test_another_process_can_cancel_a_run(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin("run-glue", "small", "--wait", "--run-id", "cancelled")
        lake.wait_for_state("cancelled", "RUNNING")
        (row,) = lake.json("runs", "cancel", "cancelled")["rows"]
        assert (row["service"], row["done"]) == ("Glue", "stopped")
        assert process.wait(MET_WITHIN_S) == 1
    stopped = [e for e in lake.events("cancelled") if e["type"] == "remote.stopped"]
    assert [event["stopped_by"] for event in stopped] == ["runs cancel"]


def test_a_closed_terminal_does_not_end_a_run(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin_installed("run-glue", "small", "--wait", "--run-id", "hung-up")
        lake.wait_for_state("hung-up", "RUNNING")
        process.send_signal(signal.SIGHUP)
        lake.let_go()
        assert process.wait(MET_WITHIN_S) == 0
    assert lake.events("hung-up")[-1]["outcome"] == "succeeded"


def test_logs_are_shown_and_followed(lake: SpoiltLake) -> None:
    with lake.held_script("print('first words', flush=True)"):
        lake.run("run-glue", "small", "--run-id", "logged")
        lake.wait_for_state("logged", "RUNNING", in_ledger=False)
        follower = lake.begin("runs", "logs", "logged", "--follow", stdout=subprocess.PIPE)
        assert follower.stdout is not None
        first = follower.stdout.readline()
        lake.let_go()
        rest, _ = follower.communicate(timeout=MET_WITHIN_S)
    assert (first + rest).count("first words") == 1
    assert follower.returncode == 0
    assert "first words" in lake.run("runs", "logs", "logged", "small").stdout
    errors = lake.run("runs", "logs", "logged", "--errors")
    assert errors.stdout == ""
    assert errors.stderr.endswith("wrote no error\n")
    assert "glue:small" in lake.run("runs", "logs", "logged", "nothing", code=2).stderr


def test_no_secret_is_written_anywhere(lake: SpoiltLake) -> None:
    state = lake.folder / ".etltctl"
    client_secret = json.loads((state / "server" / "endpoint.json").read_text())["client_secret"]
    secrets = [client_secret, lake.keys.secret_access_key, lake.keys.server_key]
    done = lake.run("-vv", "run", "small", "--run-id", "secretive")
    assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []
    keepers = {"endpoint.json", "credentials.json", "keys.json"}
    files = [file for file in state.rglob("*") if file.is_file() and file.name not in keepers]
    leaks = [file for file in files if any(secret.encode() in file.read_bytes() for secret in secrets)]
    assert (len(files) > 20, leaks) == (True, [])
