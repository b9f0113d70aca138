"""The time of `etltctl runs report`, with and without plots: processor time of the command alone, and wall time.

`python benchmarks/report.py [FOLDER]`: FOLDER has a lake with runs; without it both pipelines run first.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
ETLTCTL = str(Path(sys.executable).with_name("etltctl"))


def run(folder: Path, *words: str) -> None:
    """Run a command of etltctl to its success."""
    subprocess.run(
        [ETLTCTL, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


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


def main(folder: Path, *, is_new: bool) -> None:
    """Print the figures, with the server up."""
    run(folder, "local", "up")
    try:
        if is_new:
            run(folder, "run", "mongodb")
            run(folder, "run", "api")
        for words in (("runs", "report"), ("runs", "report", "--no-plots")):
            processor, wall = measured(folder, *words)
            sys.stdout.write(
                f"etltctl {' '.join(words):<25} {processor:5.2f} s processor {wall:5.2f} s wall\n"
            )
    finally:
        run(folder, "local", "down")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), is_new=False)
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place), is_new=True)
