"""The resources that a process and its children have used, as Linux reports them."""

import ctypes
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
QUIET_S = 1.0
QUIET_SHARE = 0.05  # of one core: a server that polls its leases counts as quiet


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, so that none escapes the count."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("this system does not let a process adopt orphans")


def spent_seconds() -> float:
    """Return the processor seconds of all descendants, including ended ones; call `adopt_orphans` first.

    The four fields are utime, stime, cutime and cstime of proc(5). The last two hold the children that a process
    has waited for. This process's own work is not counted.
    """
    _reap()
    own = os.times()
    ticks = 0
    for member in _family(os.getpid())[1:]:
        with suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return own.children_user + own.children_system + ticks / os.sysconf("SC_CLK_TCK")


def wait_until_quiet() -> None:
    """Wait until the descendants use almost no processor time."""
    before = spent_seconds()
    while True:
        time.sleep(QUIET_S)
        now = spent_seconds()
        if now - before < QUIET_SHARE * QUIET_S:
            return
        before = now


def wait_for_children() -> None:
    """Wait until every descendant has ended."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _reap() -> None:
    """Wait for the adopted processes that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def cpu_seconds() -> float:
    """Return the processor seconds that this process and its children, including Spark's JVM, have used so far."""
    ticks = 0
    for member in _family(os.getpid()):
        fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Return the most bytes that a process and its children held together, until it ends."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_most_resident, _family(process.pid))))
        time.sleep(0.2)
    return peak


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _most_resident(pid: int) -> int:
    """Return the most memory that a process has held so far, so that no peak falls between two polls."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peaks = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
    return sum(peaks)
