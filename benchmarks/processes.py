"""What a process and those it started have used of the machine, as Linux tells it."""

import os
import subprocess
import time
from pathlib import Path


def cpu_seconds() -> float:
    """What this process and its children, Spark's JVM among them, have used of the processor so far."""
    ticks = 0
    for member in _family(os.getpid()):
        fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory(process: subprocess.Popen[str]) -> int:
    """The most bytes a process and its children have held together, until it ends."""
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
    """The most memory a process has had so far, so that no peak falls between two looks."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
    return sum(found)
