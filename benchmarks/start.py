"""Processor seconds of a command, of a cold JVM and of both demo pipelines, cold and warm.

Processor seconds are user and system time of every process that was started, including servers and JVMs that outlive
their command. They are reliable on a machine with other work, where wall time is not. The state folder and the cache
of class archives are created for this run. The sample is the shipped one, so no data pack is needed.
`python benchmarks/start.py`; Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import adopt_orphans, spent_seconds, wait_for_children, wait_until_quiet

from etltctl.local.services.glue.class_archive import installed_archive, train

PROJECT = Path(__file__).parents[1]
ETLTCTL = Path(sys.executable).with_name("etltctl")
PIPELINES = ("mongodb", "api")
ELSEWHERE = (
    "AWS_",
    "AIRBYTE_",
    "MONGODB_",
    "ETLTCTL",
)  # variables that would lead the demo to other services
JVM_TIMEOUT_S = 300.0
ROUNDS = 3  # of measurements that take about a second
GOALS = {"warm": 20.0, "cold": 45.0, "jvm": 0.65}


@dataclass(frozen=True)
class Demo:
    """The demo's commands in one state folder and one cache folder."""

    folder: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """Return the environment of a user who has set nothing."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ELSEWHERE)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        places = {
            "ETLTCTL_STATE_DIR": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        return {**kept, **places}

    def run(self, *arguments: str) -> None:
        """Run one command, which must succeed."""
        done = subprocess.run(
            [ETLTCTL, *arguments], cwd=PROJECT, env=self.environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"etltctl {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")

    def pipelines(self) -> list[float]:
        """Return the seconds of each pipeline, and of the processes that it starts in the background."""
        return [spent(lambda name=name: self.run("run", name)) for name in PIPELINES]  # type: ignore[misc]


def spent(work: Callable[[], object]) -> float:
    """Return the processor seconds of the work and of all processes that it leaves running, until they are quiet."""
    before = spent_seconds()
    work()
    wait_until_quiet()
    return spent_seconds() - before


def cold_jvm(options: Sequence[str]) -> float:
    """Return the seconds of a JVM and its Python process that run one small Spark job and end."""
    with tempfile.TemporaryDirectory() as folder:
        return spent(lambda: train(Path(folder), options, JVM_TIMEOUT_S))


def least(measure: Callable[[], float]) -> float:
    """Return the least of some rounds: other work on this machine only adds time."""
    return min(measure() for _ in range(ROUNDS))


def print_line(what: str, seconds: float, remark: str = "") -> None:
    """Print one line of the table."""
    print(f"{what:<58}{seconds:>8.2f} s  {remark}".rstrip(), flush=True)


def print_pipelines(when: str, seconds: Sequence[float], goal: float | None = None) -> float:
    """Print the seconds of both pipelines and their sum, which is returned."""
    for name, of_one in zip(PIPELINES, seconds, strict=True):
        print_line(f"etltctl run {name}, {when}", of_one)
    total = sum(seconds)
    print_line(f"both, {when}", total, f"goal: at most {goal:.0f} s" if goal else "")
    return total


def measure_demo(demo: Demo) -> None:
    """Print the seconds of the demo: cold, with a class archive, and once more on the same server."""
    print_line("etltctl local up in a new state folder", spent(lambda: demo.run("local", "up")))
    cold = print_pipelines("cold, no class archive", demo.pipelines(), GOALS["cold"])
    print_line("etltctl local down, and the class archive made after it", spent(lambda: end(demo)))
    demo.run("local", "up")
    try:
        first = print_pipelines("class archive, first on the server", demo.pipelines())
        warm = print_pipelines("class archive, second on the server", demo.pipelines(), GOALS["warm"])
        print(f"warm takes {warm / cold:.2f} of cold, first with an archive {first / cold:.2f}")
        query = least(lambda: spent(lambda: demo.run("athena", "query", "select 1")))
        print_line('etltctl athena query "select 1" on a server that is up', query)
    finally:
        end(demo)


def end(demo: Demo) -> None:
    """End the server and wait for all processes that it has started, including the builder of the class archive."""
    demo.run("local", "down")
    wait_for_children()


def measure_jvm() -> None:
    """Print the seconds of a cold JVM without and with the class archive, which the demo has created."""
    archive = installed_archive()
    if archive is None or not archive.is_usable():
        raise SystemExit("the demo left no class archive")
    without = least(lambda: cold_jvm(()))
    print_line("cold JVM and one small Spark job, no class archive", without)
    with_archive = least(lambda: cold_jvm(archive.options()))
    ratio = f"{with_archive / without:.2f} of the one without, goal: at most {GOALS['jvm']}"
    print_line("cold JVM and one small Spark job, class archive", with_archive, ratio)


def main() -> None:
    """Print every figure in one run."""
    os.environ.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # Python's compiled files are kept, as they are for a user
    adopt_orphans()
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(Path(folder))
        os.environ["XDG_CACHE_HOME"] = demo.environ["XDG_CACHE_HOME"]
        measure_demo(demo)
        measure_jvm()


if __name__ == "__main__":
    main()
