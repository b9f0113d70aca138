"""Interrupts and kills: no process is left behind, and what goes on without its command is found again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e


def test_a_killed_server_is_no_obstacle(workplace: Workplace) -> None:
    pid = workplace.json("local", "up")["pid"]
    os.kill(pid, signal.SIGKILL)
    again = workplace.json("local", "up")
    assert again["running"]
    assert again["pid"] != pid


@pytest.mark.parametrize("after_s", [0.5, 2.0, 4.0, 7.0])
def test_an_interrupt_at_any_moment_leaves_no_process(workplace: Workplace, after_s: float) -> None:
    before = _processes(workplace.folder)
    command = subprocess.Popen(
        [ETLTCTL, "run", "mongodb"],
        cwd=workplace.folder,
        env=workplace.full_environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(after_s)
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=180)
    assert "Traceback" not in told
    assert command.returncode in {0, 130}
    deadline = time.monotonic() + 60
    while _processes(workplace.folder) - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _processes(workplace.folder) == before


def test_a_job_that_is_not_waited_for_outlives_the_command(workplace: Workplace) -> None:
    workplace.run("sync", "mongodb")
    started = workplace.json("run-glue", "bronze_to_silver", "--no-wait")
    assert workplace.json("local", "status")["running"]
    again = workplace.json("run-glue", "bronze_to_silver", "--wait", "--run-id", started["run_id"])
    assert again["verb"] in {"adopted", "reused"}
    assert again["remote_id"] == started["remote_id"]


def _processes(folder: Path) -> set[int]:
    """Every live process that names the folder in its command line or environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(folder).encode() in text and state != "Z":
            found.add(int(entry.name))
    return found
