"""Processes of this machine: what one has started, and how they are ended for certain."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

POLL_S = 0.05


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below this one, where the system shows them (Linux does)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything; the parent is the second field after it.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    below = list(children.get(pid, ()))
    for child in below:
        below += children.get(child, ())
    return below


def start_times(pids: Iterable[int]) -> dict[int, str]:
    """Return when each process started, by its id: an id together with this time is never used again."""
    times = {}
    for pid in pids:
        with suppress(OSError, IndexError):
            times[pid] = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    return times


def still(times: dict[int, str]) -> list[int]:
    """Return the ids that still belong to the processes that `start_times` saw."""
    now = start_times(times)
    return [pid for pid, started in times.items() if now.get(pid) == started]


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send the signal to each of them that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """Return whether the process runs; one that has ended and that its parent has not reaped does not."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    with suppress(OSError, IndexError):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_until(is_so: Callable[[], bool], within: float) -> bool:
    """Return whether it became so within so many seconds."""
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
