"""Wait for any remote run: look, sleep, look again, never past the deadline."""

from __future__ import annotations

import asyncio
import heapq
import statistics
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from etltctl.errors import AccessError, ServiceError, WaitTimeoutError
from etltctl.runs import Run, State

R = TypeVar("R", bound=Run)
T = TypeVar("T")
Trouble = ServiceError | AccessError  # of the looking, not of the run: credentials expire and are renewed

LEARNS_FROM = 3  # earlier runs
EARLY_SHARE = 0.1  # of the usual duration: what cannot start breaks off early
LEAST_SPREAD = 0.01
# When to look, in standard deviations from the median: the fewest calls for the least delay (benchmarks/waiting.py).
LOOKS_AT = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5)


@dataclass(frozen=True)
class Waiter:
    """How to wait; all times in seconds.

    Where it is known how long such runs took before (`expected`), the first look comes shortly before the end is
    likely, and more follow close together until it is overdue. Where nothing is known, looks begin `first_look`
    apart and grow by `growth` up to `longest`, so short runs are noticed at once and long ones cost few calls.
    Looks that fail do not fail the run: they are tolerated for `patience`, because a throttled or unreachable API, or
    a token that has expired, says nothing about the work.
    """

    timeout: float = 3600.0
    expected: Sequence[float] = ()
    first_look: float = 0.2
    growth: float = 1.1  # a run is noticed at most a tenth of its own length late
    longest: float = 20.0
    patience: float = 300.0
    together: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wait(self, run: R, look: Callable[[], R], *, on_look: Callable[[R], None] | None = None) -> R:
        """The run in its final state.

        Raises WaitTimeoutError past the deadline (the run goes on) and the last error of looking when looks have
        failed for longer than `patience`.
        """
        steps = self._decide(run, on_look)
        seen: R | Trouble | None = None
        try:
            while True:
                self.sleep(steps.send(seen))
                seen = self._looked(look)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def wait_many(
        self, runs: Mapping[str, R], look: Callable[[list[str]], Mapping[str, R]]
    ) -> dict[str, R | WaitTimeoutError | Trouble]:
        """Every run in its final state, or the error its wait ended with, by its key.

        One look serves all runs that are due within `together` seconds: where the service answers for many at once,
        a thousand runs cost hardly more calls than one.
        """
        waits = {key: self._decide(run, None) for key, run in runs.items()}
        ended: dict[str, R | WaitTimeoutError | Trouble] = {}
        due: list[tuple[float, str]] = []
        seen: dict[str, R | Trouble | None] = dict.fromkeys(waits)
        while seen or due:
            for key, answer in seen.items():
                try:
                    heapq.heappush(due, (self.clock() + waits[key].send(answer), key))
                except StopIteration as done:
                    ended[key] = done.value
                except (WaitTimeoutError, ServiceError, AccessError) as error:
                    ended[key] = error
            seen = {}
            if due:
                self.sleep(max(due[0][0] - self.clock(), 0.0))
                now = self.clock() + self.together
                keys = [heapq.heappop(due)[1] for _ in range(sum(at <= now for at, _ in due))]
                found = self._looked(partial(look, keys))
                seen = {key: found if isinstance(found, Trouble) else found[key] for key in keys}
        return ended

    async def wait_async(
        self, run: R, look: Callable[[], R], *, on_look: Callable[[R], None] | None = None
    ) -> R:
        """The same as `wait` for an event loop: sleeps without blocking it, looks in a thread."""
        steps = self._decide(run, on_look)
        seen: R | Trouble | None = None
        try:
            while True:
                await self.sleep_async(steps.send(seen))
                seen = await asyncio.to_thread(self._looked, look)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    @staticmethod
    def _looked(look: Callable[[], T]) -> T | Trouble:
        try:
            return look()
        except (ServiceError, AccessError) as error:
            return error

    def _decide(self, run: R, on_look: Callable[[R], None] | None) -> Generator[float, Any, R]:
        """Yields how long to sleep, receives what the look saw, returns the run once it ended."""
        started = last_seen = self.clock()
        pauses = self._pauses()
        while run.state is State.RUNNING:
            left = started + self.timeout - self.clock()
            if left <= 0:
                raise self._timed_out(run)
            seen: R | Trouble = yield min(next(pauses), left)
            if isinstance(seen, Trouble):
                never_allowed = isinstance(seen, AccessError) and last_seen == started
                if never_allowed or self.clock() - last_seen > self.patience:
                    raise seen
                continue
            run, last_seen = seen, self.clock()
            if on_look:
                on_look(run)
        return run

    def _pauses(self) -> Generator[float, None, None]:
        """How long to sleep before each look."""
        if len(self.expected) >= LEARNS_FROM:
            yield from self._around_the_expected_end()
        pause = self.first_look
        while True:
            yield pause
            pause = min(pause * self.growth, self.longest)

    def _around_the_expected_end(self) -> Generator[float, None, None]:
        """One look early, for runs that broke off, then looks where the ends of earlier runs lie thick."""
        middle = statistics.median(self.expected)
        spread = max(statistics.pstdev(self.expected), middle * LEAST_SPREAD)
        at = 0.0
        for look in (middle * EARLY_SHARE, *(middle + spread * offset for offset in LOOKS_AT)):
            pause = max(look - at, self.first_look)
            yield pause
            at += pause

    def _timed_out(self, run: Run) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{run.service} run {run.id} of {run.name} is still {run.word} after {self.timeout:.0f} s",
            hint="it goes on by itself; run the same command with the same --run-id to come back to it",
            run=run.id,
            state=run.word,
        )


@dataclass
class Pace:
    """Keeps calls apart so that there are at most so many a second; sleeps are in seconds."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = 0.0

    def take(self) -> None:
        """Waits until the next call is due."""
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self.per_second
