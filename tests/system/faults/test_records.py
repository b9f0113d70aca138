"""The records of a run: their content, their readers, and how they are rebuilt, through the installed command."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from etltctl.testing import refused
from support.forked import Command
from support.spoilt import MET_WITHIN_S, SpoiltLake
from support.workplace import ETLTCTL

pytestmark = pytest.mark.faults
DEAR = {"call": "GetJobRun*", "change": {"DPUSeconds": 36_000.0}, "times": 0}  # 4.40 USD at 0.44 USD an hour


def stream(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def of_type(lake: SpoiltLake, run_id: str, *types: str) -> list[dict[str, Any]]:
    return [event for event in lake.events(run_id) if event["type"] in types]


def test_events_are_streamed_into_a_file_as_they_are_recorded(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "streamed", "--events", "events.ndjson")
    version, *events = stream((lake.folder / "events.ndjson").read_text())
    assert version == {"type": "version", "schema": "etltctl.events/1.0"}
    assert events == lake.events("streamed")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert all({"ts", "seq", "run_id", "step", "env", "type"} <= set(event) for event in events)


@pytest.mark.parametrize("flags", [("--events", "-"), ("-o", "ndjson")])
def test_an_event_stream_on_stdout_is_the_only_output_there(lake: SpoiltLake, flags: tuple[str, str]) -> None:
    done = lake.run("sync", "api", "--run-id", f"piped{flags[0]}", *flags)
    version, *events = stream(done.stdout)
    assert version["type"] == "version"
    assert events == lake.events(f"piped{flags[0]}")
    assert "Sync of api started" in done.stderr


def test_a_run_can_be_shown_as_its_event_stream(lake: SpoiltLake) -> None:
    version, *events = stream(lake.run("runs", "show", "undisturbed", "-o", "ndjson").stdout)
    assert version["type"] == "version"
    assert events == lake.events("undisturbed")


def test_a_stream_that_cannot_be_written_is_refused_before_the_run_and_survived_during_it(
    lake: SpoiltLake,
) -> None:
    assert "cannot write the events" in lake.run("run", "small", "--events", "/nowhere/e", code=2).stderr
    done = lake.run("run", "small", "--events", "/dev/full", "--run-id", "unheard")
    assert done.stderr.count("the events can no longer be written") == 1
    assert of_type(lake, "unheard", "run.finished")[0]["outcome"] == "succeeded"


def test_a_job_over_budget_is_stopped_while_it_runs_and_the_reason_is_kept(lake: SpoiltLake) -> None:
    limited = {"ETLTCTL__GLUE__JOBS__SMALL__MAX_USD": "1.5"}
    with lake.held_script():
        lake.spoil({**DEAR, "call": "GetJobRun"})
        done = lake.run("run-glue", "small", "--wait", "--run-id", "over-budget", code=9, **limited)
        lake.spoil()
        lake.settle()
    assert "was stopped: 4.40 USD so far, and glue.jobs.small.max_usd leaves 1.50 USD" in done.stderr
    (run,) = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == "over-budget"]
    assert run["JobRunState"] == "STOPPED"
    (stopped,) = of_type(lake, "over-budget", "remote.stopped")
    assert stopped["stopped_by"] == "max_usd"
    assert "4.40 USD" in stopped["reason"]
    (billed,) = of_type(lake, "over-budget", "cost.actual")
    assert billed["usd"] == 4.4
    again = lake.run("run-glue", "small", "--wait", "--run-id", "over-budget", code=9, **limited)
    assert "glue.jobs.small.max_usd leaves 0.00 USD" in again.stderr, "the cost of earlier tries counts"
    assert lake.starts("over-budget")["glue"] == 1


def test_a_whole_run_has_a_cost_limit(lake: SpoiltLake) -> None:
    lake.spoil({**DEAR, "call": "GetJobRun"})
    with lake.held_script():
        done = lake.run("run", "small", "--run-id", "whole-limit", "--max-usd", "2", code=9)
        lake.spoil()
        lake.settle()
    assert "max_usd of the run leaves 2.00 USD" in done.stderr


def test_every_command_that_resumes_a_run_keeps_its_cost_limit(lake: SpoiltLake) -> None:
    lake.spoil(*refused("StartJobRun", "InvalidInputException"))
    lake.run("run", "small", "--run-id", "limited", "--max-usd", "2", code=1)
    with lake.held_script():
        lake.spoil({**DEAR, "call": "GetJobRun"})
        done = lake.run("retry", "limited", code=9)
        lake.spoil()
        lake.settle()
    assert "max_usd of the run leaves 2.00 USD" in done.stderr
    lake.run("retry", "limited", "--max-usd", "50")
    options = [event["options"] for event in of_type(lake, "limited", "run.started")]
    assert options == [{"max_usd": 2.0}, {"max_usd": 2.0}, {"max_usd": 50.0}]


def test_a_waiting_process_reports_who_cancelled_the_run_and_why(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin("run-glue", "small", "--wait", "--run-id", "cancelled-for", to="stderr.txt")
        lake.wait_for_state("cancelled-for", "RUNNING")
        lake.run("runs", "cancel", "cancelled-for", "--reason", "wrong month")
        assert process.wait(MET_WITHIN_S) == 1
    assert "stopped: by runs cancel (" in (lake.folder / "stderr.txt").read_text()
    assert "wrong month" in (lake.folder / "stderr.txt").read_text()
    kinds = [event["type"] for event in lake.events("cancelled-for")]
    assert kinds.index("remote.stopping") < kinds.index("remote.stopped")
    assert [event["seq"] for event in lake.events("cancelled-for")] == list(range(1, len(kinds) + 1))


def test_a_remote_run_that_another_caller_stopped_is_not_reported_as_stopped_by_etltctl(
    lake: SpoiltLake,
) -> None:
    lake.spoil({"call": "GetJobRun", "change": {"JobRunState": "STOPPED"}, "times": 0})
    done = lake.run("run-glue", "small", "--wait", "--run-id", "not-ours", code=1)
    assert "not by etltctl" in done.stderr


@pytest.mark.parametrize(("policy", "state"), [("stop", "STOPPED"), ("detach", "SUCCEEDED")])
def test_sigterm_stops_or_detaches_the_remote_run_and_reports_it(
    lake: SpoiltLake, policy: str, state: str
) -> None:
    run_id = f"terminated-{policy}"
    with lake.held_script():
        begin = lake.begin_installed if policy == "stop" else lake.begin
        process = begin("run-glue", "small", "--wait", "--run-id", run_id, "--on-interrupt", policy)
        lake.wait_for_state(run_id, "RUNNING")
        process.send_signal(signal.SIGTERM)
        assert process.wait(MET_WITHIN_S) == 143
        lake.settle()
    (run,) = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == run_id]
    assert run["JobRunState"] == state
    (event,) = of_type(lake, run_id, "remote.stopped", "remote.detached")
    assert event.get("stopped_by", event.get("detached_by")) == "SIGTERM"
    assert "@" in event["who"]


@pytest.mark.parametrize(("answer", "state"), [("d", "SUCCEEDED"), ("s", "STOPPED")])
def test_ctrl_c_at_a_terminal_asks_whether_to_stop(lake: SpoiltLake, answer: str, state: str) -> None:
    run_id = f"asked-{answer}"
    with lake.held_script():
        terminal, inside = pty.openpty()
        process = subprocess.Popen(
            [ETLTCTL, "run-glue", "small", "--wait", "--run-id", run_id, "--new"],
            cwd=lake.folder,
            env={**lake.full_environ, "TERM": "xterm", "CI": "", "NO_COLOR": ""},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(inside)
        lake.wait_for_state(run_id, "RUNNING")
        process.send_signal(signal.SIGINT)
        shown = read_until(terminal, "[d/s]")
        os.write(terminal, f"{answer}\n".encode())
        shown += read_until(terminal, "runs watch" if answer == "d" else "stopped")
        assert process.wait(MET_WITHIN_S) == 130
        os.close(terminal)
        lake.settle()
    assert run_id in shown
    (run,) = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == run_id]
    assert run["JobRunState"] == state


def read_until(terminal: int, words: str) -> str:
    shown, deadline = "", time.monotonic() + MET_WITHIN_S
    while words not in shown:
        assert time.monotonic() < deadline, f"{words!r} was not printed: {shown}"
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096).decode(errors="replace")
            except OSError:
                break
    return shown


def watching(lake: SpoiltLake, run_id: str) -> Command:
    """Watch the run while the process that drives it waits for its job."""
    lake.spoil({"call": "GetJobRun", "hold": "before", "times": 2})
    words = [ETLTCTL, "runs", "watch", run_id, "-o", "ndjson"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    watcher = Command(words, cwd=lake.folder, env=lake.full_environ, **pipes)
    deadline = time.monotonic() + MET_WITHIN_S
    while lake.met() < 2:
        assert time.monotonic() < deadline, "no process polls the job"
        time.sleep(0.05)
    lake.spoil()
    return watcher


def test_a_run_that_another_process_drives_can_be_watched(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin("run-glue", "small", "--wait", "--run-id", "watched")
        lake.wait_for_state("watched", "RUNNING")
        watcher = watching(lake, "watched")
        lake.let_go()
        output, errors = watcher.communicate(timeout=MET_WITHIN_S)
        assert process.wait(MET_WITHIN_S) == 0
    assert stream(output)[-1]["type"] == "run.finished"
    assert lake.starts("watched")["glue"] == 1
    assert "succeeded" in errors


def test_a_run_that_fails_while_it_is_watched_is_not_started_again(lake: SpoiltLake) -> None:
    with lake.held_script(after="raise SystemExit('no such column')"):
        process = lake.begin("run-glue", "small", "--wait", "--run-id", "fell-watched")
        lake.wait_for_state("fell-watched", "RUNNING")
        watcher = watching(lake, "fell-watched")
        lake.let_go()
        _, errors = watcher.communicate(timeout=MET_WITHIN_S)
        assert (watcher.returncode, process.wait(MET_WITHIN_S)) == (1, 1)
    # The reason comes from the ledger, or from Glue if the watcher polled before the other process recorded it.
    assert "Glue run jr_" in errors
    assert "no such column" in errors
    assert lake.starts("fell-watched")["glue"] == 1


def test_a_run_blocked_by_a_job_s_live_run_names_the_run_to_watch(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin("run-glue", "small", "--wait", "--run-id", "holder")
        lake.wait_for_state("holder", "RUNNING")
        done = lake.run("run-glue", "small", "--run-id", "late", code=7)
        lake.let_go()
        assert process.wait(MET_WITHIN_S) == 0
    assert "held by: run holder\n  next: etltctl runs watch holder\n" in done.stderr


def test_a_sync_does_not_replace_rows_that_another_run_s_job_still_reads(lake: SpoiltLake) -> None:
    with lake.held_script():
        process = lake.begin("run", "small", "--run-id", "reader")
        lake.wait_for_state("reader", "RUNNING")
        syncs = lake.syncs()
        done = lake.run("run", "small", "--run-id", "too-early", code=7)
        assert lake.syncs() == syncs
        lake.let_go()
        assert process.wait(MET_WITHIN_S) == 0
    assert "a run of Glue job small still reads what a sync of api would replace" in done.stderr
    assert "held by: run reader\n  next: etltctl runs watch reader\n" in done.stderr
    assert lake.json("retry", "too-early")["outcome"] == "succeeded"
    assert lake.syncs() == syncs + 1


def test_a_sync_continues_with_a_warning_if_glue_does_not_report_who_reads(lake: SpoiltLake) -> None:
    lake.spoil(*refused("GetJobRuns", "AccessDeniedException", "not allowed", times=0))
    done = lake.run("sync", "api", "--run-id", "blind")
    warned = [event["message"] for event in of_type(lake, "blind", "warning.degraded")]
    for job in ("bronze_to_silver_api", "small"):
        warning = f"whether Glue job {job} still reads what a sync of api replaces is not known: "
        assert warning in done.stderr
        assert [text for text in warned if text.startswith(warning) and "not allowed" in text]


def test_a_lost_ledger_is_rebuilt_and_its_run_starts_nothing_twice(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "lost-1")
    before, syncs = lake.events("lost-1"), lake.syncs()
    kept = lake.folder / ".etltctl" / "runs" / "lost-1.ndjson"
    kept.unlink()
    (row,) = lake.json("runs", "rebuild", "lost-1")["rows"]
    assert (row["run"], row["pipeline"], row["remote runs"]) == ("lost-1", "small", 2)

    def remote(events: list[dict[str, Any]]) -> dict[str, str]:
        return {
            e["step"]: e["remote_id"] for e in events if e["type"].startswith("remote.") and "remote_id" in e
        }

    assert remote(lake.events("lost-1")) == remote(before)
    newer = lake.json("run", "small", "--run-id", "newer-than-lost-1")
    assert newer["outcome"] == "succeeded"
    again = lake.json("retry", "lost-1")
    assert [step["verb"] for step in again["steps"]] == ["reused", "reused", ""]
    assert (lake.starts("lost-1")["glue"], lake.syncs()) == (1, syncs + 1)
    versions = {t["table"]: t["version"] for t in lake.json("athena", "tables")["rows"]}
    assert versions["small"] == "newer-than-lost-1", "the newer version stays published"
    assert lake.json("runs", "rebuild", "lost-1")["rows"] == [], "an existing record is not changed"


def test_one_job_of_a_run_is_resumed_without_waiting(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "unwaited")
    resumed = lake.run("run-glue", "small", "--run-id", "unwaited", "-o", "json")
    assert json.loads(resumed.stdout)["verb"] == "reused"
    assert lake.starts("unwaited")["glue"] == 1


def test_a_failed_start_without_waiting_is_recorded(lake: SpoiltLake) -> None:
    refused = {"status": 400, "body": {"__type": "InvalidInputException", "message": "as intended"}}
    lake.spoil({"call": "StartJobRun", "refuse": refused})
    lake.run("run-glue", "small", "--run-id", "unwaited-failed", code=1)
    ended = of_type(lake, "unwaited-failed", "step.finished", "run.finished")
    assert [event["outcome"] for event in ended] == ["failed", "failed"]
    assert "as intended" in ended[0]["error"]
    (shown,) = [r for r in lake.json("runs", "list")["rows"] if r["run"] == "unwaited-failed"]
    assert shown["outcome"] == "failed"


def test_a_run_of_one_target_is_not_resumed_as_a_run_of_another(lake: SpoiltLake) -> None:
    done = lake.run("run", "api", "--run-id", "undisturbed", code=2)
    assert "run undisturbed is a run of small, not of api" in done.stderr
    assert lake.starts("undisturbed")["glue"] == 1


def test_the_same_query_under_the_same_run_id_is_paid_once(lake: SpoiltLake) -> None:
    sql = "select count(*) as n from pi_m3_gold.small"
    command = ("athena", "query", sql, "--run-id", "asked-once")
    first = lake.json(*command)
    time.sleep(2.1)  # Athena gives the time of a query's submission in whole seconds
    again = lake.json(*command)
    assert (first["verb"], again["verb"], again["query_id"]) == ("started", "reused", first["query_id"])
    assert lake.json("athena", "query", sql)["query_id"] != first["query_id"]


def test_every_check_of_a_step_is_billed_to_it(lake: SpoiltLake) -> None:
    settings = lake.folder / "etltctl.toml"
    kept = settings.read_text()
    rules = '[tables."gold.small"]\nkeys = ["n"]\nnot_null = ["n"]\n[prices.regions.us-east-1]\nathena_tb_usd = 1e6\n'
    settings.write_text(kept + "\n" + rules)
    try:
        lake.run("run-glue", "small", "--wait", "--run-id", "checked")
    finally:
        settings.write_text(kept)
    queries = of_type(lake, "checked", "query.started")
    billed = of_type(lake, "checked", "cost.actual")
    assert queries
    assert [bill["remote_id"] for bill in billed] == [query["remote_id"] for query in queries]
    assert all(bill["usd"] == 10.0 for bill in billed), "ten megabytes at least, at the region's price"


def test_the_log_of_a_sync_is_airbyte_s_job_status(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "sync-logged")
    text = lake.run("runs", "logs", "sync-logged", "sync:api").stdout
    assert "succeeded" in text
    assert "97" in text


def test_a_log_that_was_not_read_to_its_end_is_an_error_and_is_not_reported_as_empty(
    lake: SpoiltLake,
) -> None:
    page = {"status": 200, "body": {"events": [], "searchedLogStreams": [], "nextToken": "0"}}
    lake.run("run", "small", "--run-id", "unread")
    lake.spoil({"call": "FilterLogEvents", "refuse": page, "times": 0})
    try:
        stderr = lake.run("runs", "logs", "unread", code=1).stderr
    finally:
        lake.spoil()
    assert "was not read to its end" in stderr
    assert "50 pages in a row without a new line; 0 lines were shown" in stderr
    assert "next: CloudWatch still searches" in stderr
    assert "wrote nothing" not in stderr


def test_a_job_without_logs_is_named_with_the_run_s_other_job(lake: SpoiltLake) -> None:
    settings = lake.folder / "etltctl.toml"
    kept = settings.read_text()
    other = '[glue.jobs.other]\nscript = "small.py"\nwrites = ["gold.other"]\n'
    settings.write_text(kept.replace('"glue:small", "athena', '"glue:other", "glue:small", "athena') + other)
    try:
        lake.run("run", "small", "--run-id", "silent")
        errors = lake.run("runs", "logs", "silent").stderr
        shown = lake.run("runs", "show", "silent").stdout
    finally:
        settings.write_text(kept)
    (run,) = [
        run["Id"]
        for run in lake.glue_runs()
        if run["Arguments"].get("--outputs", "").count("small/v=silent/")
    ]
    assert errors == f"small ({run}) wrote nothing\n  next: etltctl runs logs silent other\n"
    assert "run.started       pipeline=small steps=sync:api,glue:other,glue:small,athena:refresh\n" in shown
    assert "publish.switched  rows=5 tables=gold.small\n" in shown
    assert not re.search(r"\w=( |$)|[\[{']", shown, re.MULTILINE)


def test_no_secret_shows_in_the_processes_or_the_arguments_of_a_run(lake: SpoiltLake) -> None:
    endpoint = json.loads((lake.folder / ".etltctl" / "server" / "endpoint.json").read_text())
    secrets = [
        endpoint["client_secret"],
        endpoint["client_id"],
        lake.keys.secret_access_key,
        lake.keys.server_key,
    ]
    with lake.held_script():
        process = lake.begin_installed("run-glue", "small", "--wait", "--run-id", "unseen")
        lake.wait_for_state("unseen", "RUNNING")
        lines = [command_line(entry) for entry in Path("/proc").glob("[0-9]*")]
        lake.let_go()
        assert process.wait(MET_WITHIN_S) == 0
    assert any("unseen" in line for line in lines), "the processes were listed"
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    arguments = json.dumps([run["Arguments"] for run in lake.glue_runs()])
    assert [secret for secret in secrets if secret in arguments] == []


def test_a_run_with_unreadable_events_is_named_and_rebuilt(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "emptied")
    (lake.folder / ".etltctl" / "runs" / "emptied.ndjson").write_text("[1]\n")
    for command in ("retry", "runs show", "runs watch", "runs logs"):
        errors = lake.run(*command.split(), "emptied", code=2).stderr
        assert "nothing is on record of run emptied" in errors
        assert "etltctl runs rebuild emptied" in errors
    (row,) = lake.json("runs", "rebuild", "emptied")["rows"]
    assert row["run"] == "emptied"
    assert [step["verb"] for step in lake.json("retry", "emptied")["steps"]][1] == "reused"
    assert lake.starts("emptied")["glue"] == 1


def command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
