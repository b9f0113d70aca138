"""Processes of this machine: the safe start of Python, what a process has started, and its certain end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

# The variables of Python that change neither what is imported nor what is run.
HARMLESS = frozenset(
    {
        "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONNOUSERSITE", "PYTHONUSERBASE", "PYTHONUTF8",
        "PYTHONHASHSEED",
    }
)  # fmt: skip

# The variables that a process needs to find its programs, its temporary folder, its language and its time zone.
NEEDED = frozenset({"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TEMP", "TMP", "TMPDIR", "TZ"})
POLL_S = 0.05


def python_command(*arguments: str) -> list[str]:
    """Return the command that runs this Python; `-P` keeps the working folder off the import path."""
    return [sys.executable, "-P", *arguments]


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for such a process: without what the user set for Python.

    A folder on PYTHONPATH may hold a module of the same name as one of Python's own. The folder of etltctl itself
    stays if etltctl was imported from there.
    """
    kept = {
        name: value for name, value in environ.items() if not name.startswith("PYTHON") or name in HARMLESS
    }
    root = str(Path(__file__).resolve().parents[3])
    named = environ.get("PYTHONPATH", "").split(os.pathsep)
    is_named = root in {str(Path(folder).resolve()) for folder in named if folder}
    return {**kept, "PYTHONPATH": root} if is_named else kept


def bare_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that needs no key, token or address: only what Python itself needs.

    The variables of coverage.py pass too, so that the tests see which lines such a process reaches.
    """
    return {
        name: value
        for name, value in clean_environ(environ).items()
        if name in NEEDED or name.startswith(("PYTHON", "LC_", "COVERAGE_"))
    }


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below this one, where the system shows them (Linux does)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything; the parent is the second field after it.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    below = list(children.get(pid, ()))
    # The list grows while it is read, and so reaches every generation.
    for child in below:
        below += children.get(child, ())
    return below


def start_times(pids: Iterable[int]) -> dict[int, str]:
    """Return when each process started, by its id: an id together with this time is never used again."""
    times = {}
    for pid in pids:
        with suppress(OSError, IndexError):
            # Field 22 (proc(5)), counted from the end of the name: the start in clock ticks since the machine's.
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
        # A child that ended stays a zombie until this process reaps it.
        os.waitpid(pid, os.WNOHANG)
    with suppress(OSError, IndexError):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Another user's process refuses the signal, and so it lives.
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
