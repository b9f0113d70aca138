"""The live line of a run on a real terminal of 80 columns: step, status and a running clock."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

FOLLOW = """
import sys
from etltctl.cli.progress import drawn_run
from etltctl.console import Console
from etltctl.waiting import Waiter
step, remote_id = sys.argv[1:]
with drawn_run(Console(), "mongodb") as draw:
    draw({"type": "remote.started", "step": step, "remote_id": remote_id, "state": "RUNNING"})
    Waiter().sleep(2.5)
"""


def frames(columns: int, *arguments: str) -> list[str]:
    """Return the frames that the terminal received, without the codes that move the cursor."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, *arguments], stderr=terminal, env={**environ, "TERM": "xterm"}
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(controller, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    return [frame.rstrip() for frame in re.split(r"[\r\n]+", plain) if frame.strip()]


@pytest.mark.parametrize(
    ("step", "remote_id"),
    [
        ("glue:bronze_to_silver", "jr_" + "d6f56d67" * 8),
        ("glue:a_job_whose_name_is_as_long_as_some_people_like_them_to_be", "jr_" + "d6f56d67" * 8),
        ("sync:mongodb", "1"),
    ],
)
def test_the_state_and_a_running_clock_fit_on_a_line_of_80_columns(step: str, remote_id: str) -> None:
    shown = frames(80, step, remote_id)
    running = [frame for frame in shown if " RUN" in frame or "…" in frame or "RUNNING" in frame]
    assert max(map(len, shown)) <= 80
    assert all(step.removeprefix("glue:")[:12] in frame for frame in running)
    clocks = {clock for frame in running for clock in re.findall(r"\d:\d\d:\d\d$", frame)}
    assert {"0:00:01", "0:00:02"} <= clocks


def test_a_job_run_is_named_by_the_ends_of_its_id() -> None:
    (last,) = frames(80, "glue:bronze_to_silver", "jr_" + "d6f56d67" * 8)[-1:]
    assert " RUNNING jr_d6f5…6d67 " in last
