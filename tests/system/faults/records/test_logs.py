"""`runs logs`: the log of each step, its errors, and no secret in any of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.spoilt import MET_WITHIN_S, SpoiltLake

pytestmark = pytest.mark.faults


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


def _log_of(*messages: str) -> dict[str, object]:
    """Return the rule that answers one search of a log group with these lines."""
    events = [{"logStreamName": "s", "timestamp": 1, "eventId": text, "message": text} for text in messages]
    return {"call": "FilterLogEvents", "refuse": {"status": 200, "body": {"events": events}}}


def test_two_jobs_without_logs_do_not_send_the_reader_from_one_to_the_other(lake: SpoiltLake) -> None:
    settings = lake.folder / "etltctl.toml"
    kept = settings.read_text()
    other = '[glue.jobs.other]\nscript = "small.py"\nwrites = ["gold.other"]\n'
    settings.write_text(kept.replace('"glue:small", "athena', '"glue:other", "glue:small", "athena') + other)
    try:
        lake.run("run", "small", "--run-id", "silent")
        errors = lake.run("runs", "logs", "silent").stderr
        shown = lake.run("runs", "show", "silent").stdout
        lake.spoil(_log_of(), _log_of(), _log_of("words of the other job"))
        speaking = lake.run("runs", "logs", "silent").stderr
    finally:
        lake.spoil()
        settings.write_text(kept)
    (run,) = [
        run["Id"]
        for run in lake.glue_runs()
        if run["Arguments"].get("--outputs", "").count("small/v=silent/")
    ]
    assert errors == (
        f"small ({run}) wrote nothing, and neither did other: there is no other log of this run to read\n"
    )
    assert "run.started\n     pipeline=small steps=sync:api,glue:other,glue:small,athena:refresh\n" in shown
    assert speaking == f"small ({run}) wrote nothing\n  next: etltctl runs logs silent other\n"
    assert max(map(len, shown.splitlines())) <= 100
    assert "publish.switched rows=5 tables=gold.small " in " ".join(shown.split())
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


def command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_the_reason_of_a_failed_sync_is_an_error(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": {"status": "failed"}, "times": 0})
    lake.run("run", "small", "--run-id", "sync-failed", code=1)
    shown = lake.run("runs", "logs", "sync-failed", "--errors")
    lake.spoil()
    assert "state failed" in shown.stdout
    assert "rows" not in shown.stdout
    assert "wrote no error" not in shown.stderr
