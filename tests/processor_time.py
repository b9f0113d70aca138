"""Run a command and print the processor time of it and of every process that it started.

`make test` runs the suite with it. On Linux it also counts the processes whose parents ended before them: the kernel
hands these orphans over to it. Elsewhere it counts only what the command itself waited for.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main(command: list[str]) -> int:
    """Run the command, print what it cost, and return its exit status; 128 + N if signal N ended it."""
    began = time.monotonic()
    adopt_orphans()
    with subprocess.Popen(command) as process:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: pass_on(process, number, frame))
        status = wait_for(process.pid)
        process.returncode = status  # otherwise Popen would wait for a process that no longer exists
    reap_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(described(used.ru_utime + used.ru_stime, time.monotonic() - began), flush=True)
    return status if status >= 0 else 128 - status


def described(spent_s: float, passed_s: float) -> str:
    """Return the line that is printed: in minutes, or in seconds below one minute."""
    size, unit = (60, "minutes") if spent_s >= 60 else (1, "seconds")
    return f"processor time: {spent_s / size:.1f} {unit} (wall {passed_s / size:.1f})"


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, if the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_for(pid: int) -> int:
    """Reap every process that ends until the one with this id does; return its exit status, or minus its signal."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def reap_the_rest() -> None:
    """Reap the orphans that have ended meanwhile; without that their time would not count."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def pass_on(process: subprocess.Popen[bytes], number: int, frame: FrameType | None) -> None:
    """Send the command the signal, unless the terminal has already sent it to both."""
    if number != signal.SIGINT or not is_in_foreground():
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def is_in_foreground() -> bool:
    """Return whether Ctrl-C in the terminal reaches this process, and so the command, which shares its group."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
