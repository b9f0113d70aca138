"""Processor seconds of `etltctl why`, compared with `etltctl runs show` of the same run and with the bare command.

The state folder has 300 runs with 40 events each, and the explained run is one of the newest. Processor seconds are
reliable on a machine with other work, where wall time is not. `python benchmarks/why.py`; Linux only.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from etltctl.ledger import DiskStore, Ledger

ETLTCTL = Path(sys.executable).with_name("etltctl")
ROUNDS = 5
RUNS = 300
EVENTS = 40
STEP = "glue:bronze_to_silver"
ERROR = "Glue run jr_1 of bronze_to_silver ended FAILED: ZeroDivisionError: division by zero"
GOAL_S = 1.0


def record(folder: Path) -> None:
    """Record the runs; every tenth failed."""
    store = DiskStore(folder / "runs")
    for number in range(RUNS):
        ledger = Ledger(store, f"20261123-{number:04}-mongodb-aaaa", "aws")
        ledger.append("run.started", pipeline="mongodb", steps=["sync:mongodb", STEP])
        for _ in range(EVENTS):
            ledger.append("step.progress", STEP, state="RUNNING", remote_id="jr_1")
        outcome = "failed" if number % 10 == 9 else "succeeded"
        ledger.append("step.finished", STEP, outcome=outcome, seconds=60.0, error=ERROR)
        ledger.append("run.finished", outcome=outcome, seconds=70.0)


def seconds(folder: Path, *words: str) -> float:
    """Return the processor seconds of a command, the median of some runs."""
    environ = {**os.environ, "ETLTCTL_STATE_DIR": str(folder), "ETLTCTL_ENV": "local"}
    # An installed package has its bytecode; the first run writes it here, and the median leaves that run out.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    spent = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([ETLTCTL, *words], env=environ, cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(spent)


def main() -> None:
    """Print the processor seconds of each command, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record(folder)
        bare, show = seconds(folder, "--version"), seconds(folder, "runs", "show")
        why = seconds(folder, "why")
    print(f"etltctl --version {bare:.2f} s, runs show {show:.2f} s, why {why:.2f} s of processor time")
    print(f"why / runs show: {why / show:.2f}; why / the goal of {GOAL_S:g} s: {why / GOAL_S:.2f}")


if __name__ == "__main__":
    main()
