"""Starts that are cut off before their answer: the remote run is stopped, detached or reported, and never forgotten."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from etltctl.pipeline import run_step, stop_step
from support.forked import Command
from support.spoilt import MET_WITHIN_S, SpoiltLake

pytestmark = pytest.mark.faults
GLUE, SYNC = ("run-glue", "small", "--wait"), ("sync", "api")


@pytest.fixture
def slow(lake: SpoiltLake) -> Iterator[SpoiltLake]:
    """Yield the lake, with its small job held until the test releases it."""
    with lake.held_script():
        yield lake


@contextmanager
def held(
    lake: SpoiltLake, call: str, side: str, *arguments: str, also: dict[str, Any] | None = None
) -> Iterator[Command]:
    """Yield the command during its start, before or after the start takes effect."""
    lake.spoil({"call": call, "hold": side}, *([also] if also else []))
    before = starts_of(lake)
    process = lake.begin(*arguments, to="stderr.txt")
    deadline = time.monotonic() + MET_WITHIN_S
    while not lake.met() or (side == "after" and starts_of(lake) == before):
        assert time.monotonic() < deadline, f"{call} was never met"
        time.sleep(0.02)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        lake.spoil()


def starts_of(lake: SpoiltLake) -> int:
    """Return the number of Glue runs and syncs."""
    return len(lake.glue_runs()) + lake.syncs()


def errors_of(lake: SpoiltLake) -> str:
    return (lake.folder / "stderr.txt").read_text()


def glue_states(lake: SpoiltLake, run_id: str) -> list[str]:
    lake.settle()
    runs = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == run_id]
    return [run["JobRunState"] for run in runs]


@pytest.mark.parametrize(
    ("ended_by", "policy", "code", "state"),
    [
        (signal.SIGINT, "stop", 130, "STOPPED"),
        (signal.SIGTERM, "stop", 143, "STOPPED"),
        (signal.SIGINT, "detach", 130, "SUCCEEDED"),
    ],
)
def test_a_job_whose_start_is_interrupted_is_stopped_or_detached(
    slow: SpoiltLake, ended_by: signal.Signals, policy: str, code: int, state: str
) -> None:
    run_id = f"cut-off-{ended_by.name}-{policy}"
    command = (*GLUE, "--run-id", run_id, "--on-interrupt", policy)
    with held(slow, "StartJobRun", "after", *command) as process:
        process.send_signal(ended_by)
        assert process.wait(MET_WITHIN_S) == code
    assert ("stopped jr_" if policy == "stop" else "Detached. Follow it:") in errors_of(slow)
    assert glue_states(slow, run_id) == [state]
    kinds = [event["type"] for event in slow.events(run_id)]
    decided = "remote.stopped" if policy == "stop" else "remote.detached"
    assert kinds.index("remote.intended") < kinds.index("remote.adopted") < kinds.index(decided)


def test_a_sync_whose_start_is_interrupted_is_stopped(lake: SpoiltLake) -> None:
    slow_source = {"call": "GET /sample*", "delay": 8}
    command = (*SYNC, "--run-id", "cut-off-sync", "--on-interrupt", "stop")
    with held(lake, "POST /jobs", "after", *command, also=slow_source) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(MET_WITHIN_S) == 130
    (stopped,) = [e for e in lake.events("cut-off-sync") if e["type"] == "remote.stopped"]
    assert f"stopped {stopped['remote_id']} of sync:api" in errors_of(lake)
    assert "state cancelled" in lake.run("runs", "logs", "cut-off-sync", "sync:api").stdout


def test_a_start_that_no_listing_shows_is_reported_as_perhaps_sent(lake: SpoiltLake) -> None:
    command = (*GLUE, "--run-id", "cut-off-before", "--on-interrupt", "stop")
    with held(lake, "StartJobRun", "before", *command) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(MET_WITHIN_S) == 130
        expected = "a start may have gone out; etltctl retry cut-off-before finds it"
        assert expected in errors_of(lake)
        (row,) = lake.json("runs", "cancel", "cut-off-before")["rows"]
        assert (row["name"], row["remote run"], row["done"]) == ("small", "", expected)


@pytest.fixture
def here(slow: SpoiltLake, monkeypatch: pytest.MonkeyPatch) -> SpoiltLake:
    """Yield the lake, with this process's environment pointed to it."""
    monkeypatch.chdir(slow.folder)
    for name, value in slow.json("local", "up")["environ"].items():
        monkeypatch.setenv(name, value)
    return slow


class TerminatedError(BaseException):
    """The exception that a scheduler raises in the task that it ends."""


def test_a_start_that_a_scheduler_cuts_off_is_stopped_once(here: SpoiltLake) -> None:
    """A signal handler calls the task's `on_kill`, and then ends the task with an exception."""

    def on_signal(*_: object) -> None:
        stop_step("glue:small", run_id="cut-off-once", by="Airflow")
        raise TerminatedError

    def end_when_met() -> None:
        while not here.met():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, on_signal)
    here.spoil({"call": "StartJobRun", "hold": "after"})
    scheduler = Thread(target=end_when_met, daemon=True)
    scheduler.start()
    try:
        with pytest.raises(TerminatedError):
            run_step("small", "glue:small", run_id="cut-off-once")
    finally:
        signal.signal(signal.SIGUSR1, before)
    here.spoil()
    events = [e for e in here.events("cut-off-once") if e["type"].startswith("remote.")]
    assert [e["type"] for e in events] == [
        "remote.intended", "remote.adopted", "remote.stopping", "remote.stopped",
    ]  # fmt: skip
    assert events[-1]["stopped_by"] == "Airflow"
    assert glue_states(here, "cut-off-once") == ["STOPPED"]


def test_a_start_under_way_in_another_process_can_be_stopped_from_this_one(here: SpoiltLake) -> None:
    with held(here, "StartJobRun", "after", *GLUE, "--run-id", "cut-off-task"):
        stopped = stop_step("glue:small", run_id="cut-off-task", by="a test")
        assert stopped is not None
    assert glue_states(here, "cut-off-task") == ["STOPPED"]
    with here.held_script(), held(here, "StartJobRun", "after", *GLUE, "--run-id", "cut-off-cancelled"):
        (row,) = here.json("runs", "cancel", "cut-off-cancelled")["rows"]
        assert row["done"] == "stopped"
    assert glue_states(here, "cut-off-cancelled") == ["STOPPED"]


def test_an_interrupt_while_nothing_runs_remotely_says_that_nothing_was_stopped(lake: SpoiltLake) -> None:
    command = ("sync", "api", "--run-id", "cut-off-proof", "--on-interrupt", "stop")
    with held(lake, "GET /pi-m3-bronze", "before", *command) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(MET_WITHIN_S) == 130
    lines = errors_of(lake).splitlines()
    assert lines[-2:] == [
        "warning: interrupted, and nothing remote was stopped: etltctl retry cut-off-proof goes on",
        "interrupted",
    ]
    events = lake.events("cut-off-proof")
    assert {"outcome": "interrupted", "error": "interrupt"}.items() <= events[-2].items()
    assert [step["verb"] for step in lake.json("retry", "cut-off-proof")["steps"]] == ["reused"]
