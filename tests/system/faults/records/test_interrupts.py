"""A run that is stopped or left reports by what, by whom and why."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time

import pytest

from support.event_streams import of_type
from support.spoilt import MET_WITHIN_S, SpoiltLake
from support.workplace import ETLTCTL

pytestmark = pytest.mark.faults


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
        shown += read_until(terminal, f"runs watch {run_id}" if answer == "d" else "stopped")
        assert process.wait(MET_WITHIN_S) == 130
        os.close(terminal)
        lake.settle()
    assert run_id in shown
    assert "error:" not in shown
    assert (f"Detached. Follow it: etltctl runs watch {run_id}" in shown) == (answer == "d")
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
