"""Runs that another process drives: watched, and named where they block a start."""

from __future__ import annotations

import subprocess
import time

import pytest

from etltctl.testing import refused
from support.event_streams import of_type, stream
from support.forked import Command
from support.spoilt import MET_WITHIN_S, SpoiltLake
from support.workplace import ETLTCTL

pytestmark = pytest.mark.faults


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
    step, last = errors.splitlines()[-2:]
    assert step.split()[:3] == ["small", "small", "started"], "the step's line comes when it ends"
    assert last.startswith("Run watched succeeded in ")


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
