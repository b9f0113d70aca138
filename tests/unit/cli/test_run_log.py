"""A run in a log: lines as steps happen, a heartbeat between them, and how a detached command ends."""

from __future__ import annotations

import io
import json
import os
import pty
import struct
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

from etltctl.cli.progress import RunProgress, drawn_run
from etltctl.cli.run_state import RunState
from etltctl.console import Console, is_terminal
from etltctl.console.heartbeat import INTERVAL_S, beat_until_ended
from etltctl.console.layouts import Output
from etltctl.errors import DetachedError, NextStep, command
from etltctl.history import step_seconds
from etltctl.ledger import DiskStore, Ledger
from etltctl.local.kernel.processes import wait_until
from etltctl.runs import SyncJob
from etltctl.settings import load_settings

SYNC, JOB = "sync:mongodb", "glue:bronze_to_silver"
COMMON = {"run_id": "r-1", "env": "aws", "ts": "2026-01-01T03:05:00+00:00"}
STARTED = {**COMMON, "type": "run.started", "step": "", "steps": [SYNC, JOB]}
PLANNED = {**COMMON, "type": "step.planned", "step": SYNC}
RUNNING = {**COMMON, "type": "remote.started", "step": SYNC, "state": "running", "remote_id": "7"}
SYNCED = {
    **COMMON, "type": "step.finished", "step": SYNC, "outcome": "succeeded", "verb": "started", "rows": 5,
    "reported_rows": 5, "layer": "bronze", "seconds": 8.0,
}  # fmt: skip


def test_a_heartbeat_comes_every_thirty_seconds_until_the_work_ends() -> None:
    slept, beats = list[float](), list[float]()

    def wait(seconds: float) -> bool:
        slept.append(seconds)
        return len(slept) == 4

    beat_until_ended(lambda: beats.append(sum(slept)), wait)
    assert INTERVAL_S == 30.0
    assert beats == [30.0, 60.0, 90.0]


def test_the_heartbeat_names_the_running_step_its_clock_and_what_it_moved() -> None:
    now = 0.0
    state = RunState("mongodb", {SYNC: [100.0]}, clock=lambda: now)
    assert state.line() == ""
    for event in (STARTED, PLANNED, RUNNING):
        state.apply(event)
    state.poll(SYNC, SyncJob("7", "mongodb", "running", rows=4355, bytes=2300), 0.02, "aws")
    now = 30.0
    assert state.line() == ("sync:mongodb running 7 for 0:30, 4,355 rows 2.3 kB, ~1:10 left, 0.02 USD so far")
    now = 130.0
    assert "usual 1:40" in state.line()
    state.apply(SYNCED)
    assert state.line() == ""


def test_a_log_gets_heartbeats_until_the_run_is_drawn_to_its_end() -> None:
    log = io.StringIO()
    with drawn_run(Console(plain=True, stderr=log, heartbeat_s=0.01), "mongodb") as progress:
        progress.draw(RUNNING)
        assert wait_until(lambda: log.getvalue().count("  sync:mongodb running 7 for 0:00") >= 2, 30.0)
    written = log.getvalue()
    assert set(written.splitlines()) == {"  sync:mongodb running 7 for 0:00"}


def test_a_query_gets_heartbeats_too_but_not_where_no_progress_is_wanted() -> None:
    log = io.StringIO()
    with Console(plain=True, stderr=log, heartbeat_s=0.01).working("query") as describe:
        describe("query RUNNING")
        assert wait_until(lambda: "query RUNNING, for 0 s\n" in log.getvalue(), 30.0)
    quiet = Console(plain=True, quiet=True, stderr=io.StringIO(), heartbeat_s=0.0)
    with quiet.working("query") as describe:
        describe("query RUNNING")
    assert quiet.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_command_that_joins_a_run_prints_each_step_once() -> None:
    log = io.StringIO()
    resumed = {**SYNCED, "verb": "reused", "seconds": 0.1}
    job_done = {**SYNCED, "step": JOB, "layer": "silver"}
    with drawn_run(Console(plain=True, stderr=log), "mongodb", so_far=[STARTED, PLANNED, SYNCED]) as progress:
        assert log.getvalue().startswith("mongodb   sync")
        for event in (STARTED, PLANNED, resumed, job_done):
            progress.draw(event)
    steps = [line.split()[:2] for line in log.getvalue().splitlines()]
    assert steps == [["mongodb", "sync"], ["run", "r-1"], ["bronze_to_silver", "started"]]


def test_a_joined_run_has_the_clocks_of_its_record_and_survives_gaps_in_it() -> None:
    state = RunState("mongodb", clock=lambda: 50.0)
    state.replay([{**COMMON, "type": "remote.adopted", "step": JOB}, {**STARTED, "steps": None}])
    assert (state.steps[JOB].seconds(50.0) or 0.0) > 86_400, "it began on an earlier day"
    older = {"type": "step.finished", "step": SYNC, "outcome": "succeeded", "ts": COMMON["ts"]}
    progress = RunProgress(Console(plain=True, stderr=io.StringIO()), RunState("mongodb"))
    progress.replay([older])
    assert progress.state.steps[SYNC].status == "done"


def ledger_of(folder: Path, run_id: str, env: str, *events: dict[str, object]) -> None:
    ledger = Ledger(DiskStore(folder / "runs"), run_id, env)
    for event in events:
        ledger.append("step.finished", SYNC, **{"outcome": "succeeded", "verb": "started", **event})


def test_durations_come_from_steps_that_did_all_their_work_in_this_environment(tmp_path: Path) -> None:
    settings = load_settings(environ={"ETLTCTL_STATE_DIR": str(tmp_path)}, directory=tmp_path)
    assert step_seconds(settings) == {}
    others = [{"seconds": 0.1, "verb": "reused"}, {"seconds": 5.0, "outcome": "failed"}, {"seconds": None}]
    ledger_of(tmp_path, "one", "local", {"seconds": 8.0}, *others)
    ledger_of(tmp_path, "two", "local", {"seconds": 9.0})
    ledger_of(tmp_path, "far", "aws", {"seconds": 300.0})
    (tmp_path / "runs" / "later.ndjson").write_text('{"type": "version", "schema": "etltctl.events/9.0"}\n')
    assert sorted(step_seconds(settings)[SYNC]) == [8.0, 9.0]


@pytest.mark.parametrize(("columns", "is_live"), [(20, False), (39, False), (40, True), (0, True)])
def test_a_terminal_of_fewer_than_40_columns_gets_plain_lines(columns: int, is_live: bool) -> None:
    controller, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(terminal, "w") as stream:
        assert is_terminal(stream, {}) is is_live
    os.close(controller)


@pytest.mark.parametrize("verbosity", [0, 1])
def test_a_detach_that_was_asked_for_is_no_error(verbosity: int) -> None:
    stderr = io.StringIO()
    hint = NextStep("follow it: ", command("runs", "watch", "r-1"))
    Console(stderr=stderr, verbosity=verbosity).detached(
        DetachedError("detached: Glue run jr_1 goes on", hint=hint)
    )
    said = stderr.getvalue().splitlines()
    assert said[-1] == "Detached. Follow it: etltctl runs watch r-1"
    assert said[:-1] == ["detached: Glue run jr_1 goes on"] * verbosity


def test_a_program_that_reads_json_gets_the_detach_as_a_document() -> None:
    stderr = io.StringIO()
    hint = NextStep("follow it: ", command("runs", "watch", "r-1"))
    Console(Output.JSON, stderr=stderr).detached(DetachedError("detached: Glue run jr_1 goes on", hint=hint))
    assert json.loads(stderr.getvalue())["exit_code"] == 130
