"""The time of the first commands: `import etltctl` compared with a bare interpreter, and `etltctl doctor`.

Each is measured in separate processes. boto3 and typer, measured in alternation, show what imports cost here.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 15
ETLTCTL = Path(sys.executable).with_name("etltctl")


def seconds(*command: str, cwd: str | None = None) -> float:
    """Return the wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def imports() -> dict[str, float]:
    """Return the median milliseconds of an interpreter that imports each of these and ends, in alternation."""
    programs = {"bare": "pass", "etltctl": "import etltctl", "boto3": "import boto3", "typer": "import typer"}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, code in programs.items():
            taken[name].append(1000 * seconds(sys.executable, "-c", code))
    return {name: statistics.median(times) for name, times in taken.items()}


def doctor() -> tuple[list[float], list[float]]:
    """Return the seconds of an `etltctl doctor` that starts the embedded server, and of one that finds it running."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(5):
            cold.append(seconds(str(ETLTCTL), "doctor", cwd=folder))
        subprocess.run([ETLTCTL, "local", "up"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        try:
            for _ in range(5):
                warm.append(seconds(str(ETLTCTL), "doctor", cwd=folder))
        finally:
            subprocess.run([ETLTCTL, "local", "down"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return cold, warm


def main() -> None:
    """Print the figures and the ratio to boto3."""
    costs = imports()
    over = {name: costs[name] - costs["bare"] for name in costs if name != "bare"}
    print(
        f"bare interpreter {costs['bare']:.0f} ms; over it: "
        + ", ".join(f"{n} {ms:.1f} ms" for n, ms in over.items())
    )
    print(f"import etltctl takes {over['etltctl'] / over['boto3']:.3f} of import boto3")
    for what, times in zip(("starting the server", "on a running server"), doctor(), strict=True):
        print(
            f"etltctl doctor, {what}: median {statistics.median(times):.2f} s, {min(times):.2f} to {max(times):.2f} s"
        )


if __name__ == "__main__":
    main()
