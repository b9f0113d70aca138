"""`make test` prints the cost of the run: the processor time of all its processes, orphans included."""

from __future__ import annotations

import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = Path(__file__).parents[1] / "processor_time.py"
described = runpy.run_path(str(MEASURE))["described"]
# The command's grandchild loses its parent, works for a second, and no other process of the test waits for it.
ORPHAN = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(writer, str(os.getpid()).encode())
        while time.process_time() < 1: pass
    os._exit(0)
orphan = os.read(reader, 20).decode()
while os.path.exists(f"/proc/{orphan}"):
    time.sleep(0.01)
"""


def measured(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, MEASURE, sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def seconds(text: str) -> float:
    line = re.fullmatch(r"processor time: (\d+\.\d) seconds \(wall \d+\.\d\)", text.splitlines()[-1])
    assert line is not None, text
    return float(line[1])


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 15)", 128 + signal.SIGTERM),
    ],
)
def test_the_exit_status_is_the_command_s(script: str, status: int) -> None:
    done = measured(script)
    assert done.returncode == status
    assert 0 <= seconds(done.stdout) < 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to an ancestor")
def test_the_processor_time_of_an_orphan_counts() -> None:
    assert seconds(measured(ORPHAN).stdout) >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_the_time_is_still_printed(number: signal.Signals) -> None:
    script = (
        "import signal, sys\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, lambda number, _: sys.exit(number))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    command = [sys.executable, MEASURE, sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert 0 <= seconds(process.stdout.read()) < 1
    assert process.returncode == number


def test_a_long_run_is_printed_in_minutes() -> None:
    assert described(1284.0, 732.0) == "processor time: 21.4 minutes (wall 12.2)"
