"""When to poll a run whose earlier durations are known: the fewest calls for the least delay.

Polling at the rate r(t) costs ∫ r·S calls and notices the end ∫ f/2r seconds late, where f is the density of the
duration and S the chance that the run still goes on. Calls × delay is least where r is proportional to √(f/S), the root
of the hazard, and then it is ½(∫ √(f·S))²: the calculus of variations gives no better for any policy that knows the
distribution and nothing else. For a normal distribution of spread σ that is 1.04 σ; a fixed interval costs half the
duration, whatever the interval (benchmarks/waiting.py).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

POLLS = 12.0  # on average, of a run that ends as expected
LEAST_SPREAD = 0.01  # of the usual duration: no job is more punctual than that
EARLY_SHARE = 0.1  # of the usual duration: what cannot start breaks off early
OVERDUE_SHARE = 0.03  # of the runs take longer than any before
REACH = 4.0  # standard deviations beyond the shortest and the longest
GRID = 400
NEAR = (
    1.25  # times the usual distance of neighbours is as wide as Silverman's rule, for a normal distribution
)
CLUSTERS_FROM = 8  # durations


@dataclass(frozen=True)
class Schedule:
    """When to poll, in seconds since the start, and how often once that is over."""

    polls: tuple[float, ...]
    then_every: float


@lru_cache(maxsize=256)
def schedule(durations: tuple[float, ...]) -> Schedule:
    """Return the polls for a run of a job whose earlier runs took these seconds."""
    middle = statistics.median(durations)
    likely = _Likelihood.of(durations, middle)
    step = (likely.last - likely.first) / GRID
    grid = [likely.first + step * (number + 0.5) for number in range(GRID)]
    likelihoods = [likely.at(time) for time in grid]
    # ∫ √(f·S), shared among the polls: each interval between two polls gets the same part of it.
    between = sum(math.sqrt(density * left) for density, left in likelihoods) * step / POLLS
    polls, sum_ = [middle * EARLY_SHARE], 0.0
    for time, (density, left) in zip(grid, likelihoods, strict=True):
        # The rate of polls is the root of the hazard f/S (see above); a poll is due whenever its integral is up.
        sum_ += math.sqrt(density / left) * step
        if sum_ >= between * (len(polls)):
            polls.append(time)
    return Schedule(tuple(sorted(polls)), between / math.sqrt(1.0 / likely.overdue))


@dataclass(frozen=True)
class _Likelihood:
    """How likely the end is: a bump around every earlier duration, and a long tail for what is overdue.

    The bumps are as wide as Silverman's rule has it, or less where the durations lie in clusters, and drawn together
    so that their spread is the durations' own.
    """

    middles: tuple[float, ...]
    width: float
    overdue: float

    @classmethod
    def of(cls, durations: Sequence[float], middle: float) -> _Likelihood:
        mean = statistics.fmean(durations)
        spread = max(statistics.pstdev(durations), middle * LEAST_SPREAD)
        # Silverman's rule: 0.9 σ n^(-1/5). It smears clusters, such as full and incremental loads of one job, into
        # one.
        usual, near = 0.9 * spread * len(durations) ** -0.2, NEAR * _neighbourhood(durations)
        is_clustered = len(durations) >= CLUSTERS_FROM and near < usual / 2
        width = max(near if is_clustered else usual, middle * LEAST_SPREAD / 2)
        shrink = 1 / math.sqrt(1 + (width / spread) ** 2)
        return cls(tuple(mean + (one - mean) * shrink for one in durations), width, middle / 2)

    @property
    def first(self) -> float:
        """Nothing ends before."""
        return max(min(self.middles) - REACH * self.width, 0.0)

    @property
    def last(self) -> float:
        """What goes on after that is overdue."""
        return max(self.middles) + REACH * self.width

    def at(self, time: float) -> tuple[float, float]:
        """Return the density of the end at this time, and the chance that it is still to come."""
        far = [(time - middle) / self.width for middle in self.middles]
        bell = sum(math.exp(-0.5 * one * one) for one in far) / (self.width * math.sqrt(2 * math.pi))
        above = sum(math.erfc(one / math.sqrt(2)) for one in far) / 2
        tail = math.exp(-max(time - self.first, 0.0) / self.overdue)
        share = (1 - OVERDUE_SHARE) / len(far)
        density = share * bell + OVERDUE_SHARE * tail / self.overdue
        return density, share * above + OVERDUE_SHARE * tail


def _neighbourhood(durations: Sequence[float]) -> float:
    """How far from a duration, usually, the nearest quarter of the others lies."""
    nearest = len(durations) // 4
    reach = [sorted(abs(other - one) for other in durations)[max(nearest, 1)] for one in durations]
    return statistics.median(reach)
