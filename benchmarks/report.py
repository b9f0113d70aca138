"""The time of `etltctl runs report`, with and without plots: processor time of the command alone, and wall time.

`python benchmarks/report.py [FOLDER]`: FOLDER has a lake whose newest runs are of both pipelines; without it both run
first. The reports on both runs have all of the shipped plots.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
LIMIT = 2.0  # seconds of processor time that a report with plots may take
PIPELINES = ("mongodb", "api")
# What Python compiled is kept, as for any user: to compile everything again takes as long as the report.
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ETLTCTL = str(Path(sys.executable).with_name("etltctl"))


def run(folder: Path, *words: str) -> str:
    """Run a command of etltctl to its success, and return what it prints."""
    done = subprocess.run(
        [ETLTCTL, *words], cwd=folder, env=ENVIRON, check=True, capture_output=True, text=True
    )
    return done.stdout


def measured(folder: Path, *words: str) -> tuple[float, float]:
    """Return the median seconds of processor time and of wall time of a command. The server's time is not in it."""
    processor, wall = [], []
    for _ in range(ROUNDS):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run(folder, *words)
        wall.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(processor), statistics.median(wall)


def newest_run(folder: Path, pipeline: str) -> str:
    """Return the id of the newest run of a pipeline that succeeded."""
    output = run(
        folder, "runs", "list", "--pipeline", pipeline, "--status", "succeeded", "-n", "1", "-o", "json"
    )
    return str(json.loads(output)["rows"][0]["run"])


def main(folder: Path, *, is_new: bool) -> None:
    """Print the figures, with the server up."""
    run(folder, "local", "up")
    try:
        for pipeline in PIPELINES if is_new else ():
            run(folder, "run", pipeline)
        for pipeline in PIPELINES:
            report = ("runs", "report", newest_run(folder, pipeline))
            run(folder, *report)  # so that the modules are compiled
            plots = json.loads(run(folder, *report, "-o", "json"))["plots"]
            processor, wall = measured(folder, *report)
            without, wall_without = measured(folder, *report, "--no-plots")
            sys.stdout.write(
                f"report on {pipeline:<8} {processor:5.2f} s processor {wall:5.2f} s wall, {plots} plots\n"
                f"  without plots     {without:5.2f} s processor {wall_without:5.2f} s wall\n"
                f"  ratio             {processor / without:5.2f} to the one without plots,"
                f" {processor / LIMIT:.2f} to the limit of {LIMIT:.0f} s\n"
            )
    finally:
        run(folder, "local", "down")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), is_new=False)
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place), is_new=True)
