"""The cost of waiting, API calls times mean delay until an end is noticed: etltctl's Waiter and fixed intervals.

`python benchmarks/waiting.py` waits in simulated time for 2-minute and 10-minute jobs. Their durations are drawn at
random (with a given spread, of two kinds, or with a few far longer). The Waiter does not know a run's duration, only
those of the last twenty runs.

It is compared with the intervals at which other tools poll: Airflow's Glue operator (6 s), its deferrable form and
Prefect's block (60 s), and Dagster's Pipes client (5 s). It is also compared with the lower bound: a policy that knows
only the distribution of durations cannot cost less than half the square of the integral of
√(density × chance to continue). A fixed interval of any length costs half the duration.
"""

import bisect
import itertools
import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from etltctl.runs import JobRun
from etltctl.waiting import Waiter

PEERS = {"Airflow, Prefect deferred: 60 s": 60.0, "Airflow: 6 s": 6.0, "Dagster: 5 s": 5.0}
TURNS = 300
DRAWN = 20_000
SEED = 20_261_123
Draw = Callable[[float, random.Random], float]  # the usual duration in seconds → the duration of one run


@dataclass
class World:
    """Simulated time, and jobs that end in it."""

    now: float = 0.0
    calls: int = 0
    ends: dict[str, float] = field(default_factory=dict)
    noticed: dict[str, float] = field(default_factory=dict)

    def sleep(self, seconds: float) -> None:
        """Advance the time."""
        self.now += seconds

    def poll(self, key: str) -> JobRun:
        """Poll one run once."""
        self.calls += 1
        return self._state(key)

    def _state(self, key: str) -> JobRun:
        if self.now < self.ends[key]:
            return JobRun(id=key, name="job", status="RUNNING")
        self.noticed.setdefault(key, self.now)
        return JobRun(id=key, name="job", status="SUCCEEDED")


def spread(share: float) -> Draw:
    """Draw from a normal distribution with this spread."""
    return lambda middle, chance: max(chance.gauss(middle, middle * share), 1.0)


def two_kinds(middle: float, chance: random.Random) -> float:
    """Let three runs in ten take half as long again, like the runs of a weekend or a month's end."""
    return spread(0.03)(middle * (1.0 if chance.random() < 0.7 else 1.5), chance)


def with_outliers(middle: float, chance: random.Random) -> float:
    """Let one run in twenty take up to four times as long."""
    return spread(0.05)(middle, chance) * (1.0 if chance.random() < 0.95 else chance.uniform(1.5, 4.0))


JOBS: dict[str, Draw] = {
    "+- 2 %": spread(0.02),
    "+- 3 %": spread(0.03),
    "+- 5 %": spread(0.05),
    "+- 10 %": spread(0.10),
    "two kinds": two_kinds,
    "outliers": with_outliers,
}


def durations(minutes: float, draw: Draw, count: int, chance: random.Random) -> list[float]:
    """Return the durations of `count` runs of a job, in seconds."""
    return [draw(minutes * 60, chance) for _ in range(count)]


def least_possible(minutes: float, draw: Draw) -> float:
    """Return the bound for calls × delay from many durations: half the square of the integral of √(density × rest)."""
    ends = sorted(durations(minutes, draw, DRAWN, random.Random(SEED)))
    step = minutes * 60 / 200
    sum_, at = 0.0, 0.0
    while at < ends[-1]:
        before, after = bisect.bisect(ends, at), bisect.bisect(ends, at + step)
        left = 1 - (before + after) / 2 / len(ends)
        sum_ += math.sqrt((after - before) / len(ends) / step * left) * step
        at += step
    return sum_ * sum_ / 2


def wait_learning(end: float, history: list[float]) -> tuple[int, float]:
    """Return the calls of etltctl's Waiter, and the seconds from the end until it was noticed."""
    world = World(ends={"r": end})
    waiter = Waiter(timeout=86_400, expected=tuple(history), clock=lambda: world.now, sleep=world.sleep)
    waiter.wait(JobRun(id="r", name="job", status="RUNNING"), lambda: world.poll("r"))
    return world.calls, world.now - end


def wait_fixed(interval: float) -> Callable[[float, list[float]], tuple[int, float]]:
    """Return the same for a loop that polls at a fixed interval."""

    def wait(end: float, _: list[float]) -> tuple[int, float]:
        calls = int(-(-end // interval))
        return calls, calls * interval - end

    return wait


def product(
    wait: Callable[[float, list[float]], tuple[int, float]], minutes: float, draw: Draw
) -> tuple[float, float]:
    """Return mean calls and mean delay over many runs."""
    chance = random.Random(SEED)
    turns = [
        wait(durations(minutes, draw, 1, chance)[0], durations(minutes, draw, 20, chance))
        for _ in range(TURNS)
    ]
    return statistics.mean(calls for calls, _ in turns), statistics.mean(delay for _, delay in turns)


def compare() -> None:
    """Print a line for every job and way of waiting."""
    print(f"{'job':<18}{'waiting':<34}{'calls':>8}{'delay s':>9}{'calls x delay':>15}{'ours is':>9}")
    for minutes, (name, draw) in itertools.product((2, 10), JOBS.items()):
        ours = product(wait_learning, minutes, draw)
        ways = {"etltctl": ours, **{peer: product(wait_fixed(s), minutes, draw) for peer, s in PEERS.items()}}
        job = f"{minutes} min {name}"
        for way, (calls, delay) in ways.items():
            share = f"1/{calls * delay / (ours[0] * ours[1]):.1f}" if way != "etltctl" else ""
            print(f"{job:<18}{way:<34}{calls:>8.1f}{delay:>9.1f}{calls * delay:>15.1f}{share:>9}")
        print(f"{job:<18}{'the least that is possible':<34}{least_possible(minutes, draw):>32.1f}")


if __name__ == "__main__":
    compare()
    print("goal: a tenth of calls x delay")
