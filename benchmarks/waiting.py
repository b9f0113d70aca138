"""What waiting costs: API calls times mean delay until an end is noticed, of our Waiter and of fixed intervals.

`python benchmarks/waiting.py` waits in simulated time for 2-minute and 10-minute jobs whose durations spread by 2, 5
and 10 per cent, knowing the last twenty. Beside it: the intervals at which Airflow's Glue operator (6 s), its
deferrable form and Prefect's block (60 s) and Dagster's Pipes client (5 s) look. Then it waits for 1,000 runs in one
process.
"""

import itertools
import random
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from etltctl.runs import JobRun
from etltctl.waiting import Waiter

PEERS = {"Airflow, Prefect deferred: 60 s": 60.0, "Airflow: 6 s": 6.0, "Dagster: 5 s": 5.0}
TURNS = 400
RUNS = 1_000
SEED = 20_261_123


@dataclass
class World:
    """Simulated time, and jobs that end in it."""

    now: float = 0.0
    calls: int = 0
    ends: dict[str, float] = field(default_factory=dict)

    def sleep(self, seconds: float) -> None:
        """Passes time."""
        self.now += seconds

    def look(self, key: str) -> JobRun:
        """One call for one run."""
        self.calls += 1
        return self._state(key)

    def look_at_many(self, keys: list[str]) -> dict[str, JobRun]:
        """One call for a page of runs (GetJobRuns gives 200)."""
        self.calls += -(-len(keys) // 200)
        return {key: self._state(key) for key in keys}

    def _state(self, key: str) -> JobRun:
        return JobRun(id=key, name="job", word="SUCCEEDED" if self.now >= self.ends[key] else "RUNNING")


def durations(minutes: float, spread: float, number: int, chance: random.Random) -> list[float]:
    """How long so many runs of a job take, in seconds."""
    return [max(chance.gauss(minutes * 60, minutes * 60 * spread), 1.0) for _ in range(number)]


def wait_learning(end: float, history: list[float]) -> tuple[int, float]:
    """Calls, and seconds from the end until it was noticed, of our Waiter."""
    world = World(ends={"r": end})
    waiter = Waiter(timeout=86_400, expected=tuple(history), clock=lambda: world.now, sleep=world.sleep)
    waiter.wait(JobRun(id="r", name="job", word="RUNNING"), lambda: world.look("r"))
    return world.calls, world.now - end


def wait_fixed(interval: float) -> Callable[[float, list[float]], tuple[int, float]]:
    """The same of a loop that looks every so many seconds."""

    def wait(end: float, _: list[float]) -> tuple[int, float]:
        calls = int(-(-end // interval))
        return calls, calls * interval - end

    return wait


def product(
    wait: Callable[[float, list[float]], tuple[int, float]], minutes: float, spread: float
) -> tuple[float, float]:
    """Mean calls and mean delay over many runs."""
    chance = random.Random(SEED)
    turns = [
        wait(durations(minutes, spread, 1, chance)[0], durations(minutes, spread, 20, chance))
        for _ in range(TURNS)
    ]
    return statistics.mean(calls for calls, _ in turns), statistics.mean(delay for _, delay in turns)


def compare() -> None:
    """A line for every job and way of waiting."""
    print(f"{'job':<16}{'waiting':<34}{'calls':>8}{'delay s':>9}{'calls x delay':>15}{'ours is':>9}")
    for minutes, spread in itertools.product((2, 10), (0.02, 0.05, 0.10)):
        ours = product(wait_learning, minutes, spread)
        ways = {
            "etltctl": ours,
            **{name: product(wait_fixed(s), minutes, spread) for name, s in PEERS.items()},
        }
        for name, (calls, delay) in ways.items():
            share = f"1/{calls * delay / (ours[0] * ours[1]):.1f}" if name != "etltctl" else ""
            job = f"{minutes} min +- {spread:.0%}"
            print(f"{job:<16}{name:<34}{calls:>8.1f}{delay:>9.1f}{calls * delay:>15.0f}{share:>9}")


def wait_for_many() -> None:
    """1,000 runs of ten minutes begun within a minute, in one process."""
    chance = random.Random(SEED)
    world = World(ends={f"r{i}": end for i, end in enumerate(durations(10, 0.05, RUNS, chance))})
    history = tuple(durations(10, 0.05, 20, chance))
    waiter = Waiter(timeout=86_400, expected=history, clock=lambda: world.now, sleep=world.sleep)
    before, wall = time.process_time(), time.perf_counter()
    runs = {key: JobRun(id=key, name="job", word="RUNNING") for key in world.ends}
    ended = waiter.wait_many(runs, world.look_at_many)
    cpu = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(ended):,} runs in one process: {world.calls} calls in {world.now:.0f} s simulated "
        f"({world.calls / world.now:.2f} a second), {cpu:.2f} s of CPU, {time.perf_counter() - wall:.2f} s real, "
        f"{peak:.0f} MB at most"
    )


if __name__ == "__main__":
    compare()
    wait_for_many()
    print("goals: a tenth of calls x delay; 1,000 runs in at most 150 MB")
