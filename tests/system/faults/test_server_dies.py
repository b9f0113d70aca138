"""A server that is killed under a command: the command restarts it, reports it, and ends with the true reason."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from support.forked import Command
from support.spoilt import MET_WITHIN_S, ROWS, SpoiltLake

pytestmark = pytest.mark.faults
RUN_ID = "server-dies"


def server_pid(lake: SpoiltLake) -> int:
    """Return the process id of the live server."""
    return int(json.loads((lake.folder / ".etltctl/server/endpoint.json").read_text())["pid"])


def kill_server_under(lake: SpoiltLake, process: Command) -> int:
    """Kill the server with SIGKILL and return the exit code with which the command then ends."""
    os.kill(server_pid(lake), signal.SIGKILL)
    return process.wait(MET_WITHIN_S)


def sync_runs(lake: SpoiltLake, run_id: str) -> bool:
    """Return whether the ledger shows a live sync of the run."""
    return any(
        event["type"] == "step.progress" and event["step"].startswith("sync:")
        for event in lake.events(run_id)
    )


def test_a_run_whose_server_dies_twice_reports_why_and_is_completed_by_retry(lake: SpoiltLake) -> None:
    port = json.loads((lake.folder / ".etltctl/server/endpoint.json").read_text())["port"]
    lake.spoil({"call": "GET /sample*", "hold": "before"})
    process = lake.begin("run", "small", "--run-id", RUN_ID, to="sync.txt")
    deadline = time.monotonic() + MET_WITHIN_S
    while not sync_runs(lake, RUN_ID):
        assert time.monotonic() < deadline, "the sync never runs"
        time.sleep(0.05)
    assert kill_server_under(lake, process) == 1
    errors = (lake.folder / "sync.txt").read_text()
    assert "the embedded server ended" in errors
    assert "It is started again (1 of 3)" in errors
    assert "the embedded server ended while this sync ran" in errors

    # The kept server runs again at the same address.
    assert json.loads((lake.folder / ".etltctl/server/endpoint.json").read_text())["port"] == port
    with lake.held_job():
        process = lake.begin("retry", RUN_ID, to="job.txt")
        lake.wait_for_state(RUN_ID, "RUNNING")
        assert kill_server_under(lake, process) == 1
    errors = (lake.folder / "job.txt").read_text()
    assert "It is started again (1 of 3)" in errors
    assert "the embedded server that ran it ended before the run did" in errors

    lake.run("retry", RUN_ID)
    assert lake.query("select count(*) as n from pi_m3_gold.small") == [{"n": ROWS}]
    assert lake.events(RUN_ID)[-1]["outcome"] == "succeeded"


def test_stopping_the_server_ends_a_running_command_at_once(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /sample*", "hold": "before"})
    process = lake.begin("run", "small", "--run-id", "stopped-under", to="down.txt")
    deadline = time.monotonic() + MET_WITHIN_S
    while not sync_runs(lake, "stopped-under"):
        assert time.monotonic() < deadline, "the sync never runs"
        time.sleep(0.05)
    lake.run("local", "down")
    try:
        assert process.wait(MET_WITHIN_S) == 1
    finally:
        lake.run("local", "up")
    errors = (lake.folder / "down.txt").read_text()
    assert "it was stopped, as `etltctl local down` does" in errors
    assert "started again" not in errors
