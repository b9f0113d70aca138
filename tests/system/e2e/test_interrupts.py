"""Interrupts and kills: no process is left behind, and remote runs that outlive their command are adopted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from etltctl.local.kernel.processes import wait_until
from support.sample_settings import on_sample
from support.workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e
LONGEST_S = 180.0
HELD = """
import pathlib, time
while not pathlib.Path({go_on!r}).exists():
    time.sleep(0.05)
"""
SETTINGS = """
[glue.jobs.held]
script = "held.py"

[pipelines.held]
steps = ["sync:mongodb", "glue:held"]
"""


@pytest.fixture
def holding(workplace: Workplace) -> Workplace:
    """Yield a folder whose job waits for the file `go-on`."""
    (workplace.folder / "held.py").write_text(HELD.format(go_on=str(workplace.folder / "go-on")))
    (workplace.folder / "etltctl.toml").write_text(on_sample(SETTINGS))
    return workplace


def test_a_new_server_starts_after_the_last_one_was_killed(workplace: Workplace) -> None:
    pid = workplace.json("local", "up")["pid"]
    os.kill(pid, signal.SIGKILL)
    again = workplace.json("local", "up")
    assert again["running"]
    assert again["pid"] != pid


def steps_running(folder: Path) -> set[str]:
    """Return the kinds of steps that are running according to the ledger."""
    files = (folder / ".etltctl" / "runs").glob("*.ndjson")
    events = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return {event["step"].partition(":")[0] for event in events if event["type"] == "step.progress"}


# What the folder shows when the command has reached this moment.
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before anything": lambda folder: True,
    "while the server starts": lambda folder: (folder / ".etltctl/server/start.log").exists(),
    "in the sync": lambda folder: "sync" in steps_running(folder),
    "in the job": lambda folder: "glue" in steps_running(folder),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_any_moment_leaves_no_process(holding: Workplace, moment: str) -> None:
    before = _processes(holding.folder)
    command = subprocess.Popen(
        [ETLTCTL, "run", "held"],
        cwd=holding.folder,
        env=holding.full_environ,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert wait_until(lambda: MOMENTS[moment](holding.folder), LONGEST_S)
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=LONGEST_S)
    assert "Traceback" not in errors
    assert command.returncode == (-signal.SIGINT if moment == "before anything" else 130)
    wait_until(lambda: _processes(holding.folder) == before, 60.0)
    assert _processes(holding.folder) == before


def test_a_job_that_is_not_waited_for_outlives_the_command(holding: Workplace) -> None:
    started = holding.json("run-glue", "held", "--no-wait")
    assert holding.json("local", "status")["running"]
    (holding.folder / "go-on").touch()
    again = holding.json("run-glue", "held", "--wait", "--run-id", started["run_id"])
    assert again["verb"] in {"adopted", "reused"}
    assert again["remote_id"] == started["remote_id"]


def _processes(folder: Path) -> set[int]:
    """Return every live process that names the folder in its command line or environment."""
    processes = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if str(folder).encode() in text and state != "Z":
            processes.add(int(entry.name))
    return processes
