"""Wait for any remote run: look, sleep, look again, never past the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from etltctl.errors import ServiceError, WaitTimeoutError
from etltctl.runs import Run, State

R = TypeVar("R", bound=Run)


@dataclass(frozen=True)
class Waiter:
    """How to wait; all times in seconds.

    Looks begin `first_look` apart and grow by `growth` up to `longest`, so short runs are noticed at once and
    long ones cost few calls. Looks that fail do not fail the run: they are tolerated for `patience`, because
    a throttled or unreachable API says nothing about the work.
    """

    timeout: float = 3600.0
    first_look: float = 0.2
    growth: float = 1.1  # a run is noticed at most a tenth of its own length late
    longest: float = 20.0
    patience: float = 300.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wait(self, run: R, look: Callable[[], R], *, on_look: Callable[[R], None] | None = None) -> R:
        """The run in its final state.

        Raises WaitTimeoutError past the deadline (the run goes on) and the last ServiceError when looks have
        failed for longer than `patience`.
        """
        steps = self._decide(run, on_look)
        seen: R | ServiceError | None = None
        try:
            while True:
                self.sleep(steps.send(seen))
                seen = self._looked(look)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    async def wait_async(
        self, run: R, look: Callable[[], R], *, on_look: Callable[[R], None] | None = None
    ) -> R:
        """The same as `wait` for an event loop: sleeps without blocking it, looks in a thread."""
        steps = self._decide(run, on_look)
        seen: R | ServiceError | None = None
        try:
            while True:
                await self.sleep_async(steps.send(seen))
                seen = await asyncio.to_thread(self._looked, look)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    @staticmethod
    def _looked(look: Callable[[], R]) -> R | ServiceError:
        try:
            return look()
        except ServiceError as error:
            return error

    def _decide(self, run: R, on_look: Callable[[R], None] | None) -> Generator[float, Any, R]:
        """Yields how long to sleep, receives what the look saw, returns the run once it ended."""
        started = last_seen = self.clock()
        pause = self.first_look
        while run.state is State.RUNNING:
            left = started + self.timeout - self.clock()
            if left <= 0:
                raise self._timed_out(run)
            seen: R | ServiceError = yield min(pause, left)
            pause = min(pause * self.growth, self.longest)
            if isinstance(seen, ServiceError):
                if self.clock() - last_seen > self.patience:
                    raise seen
                continue
            run, last_seen = seen, self.clock()
            if on_look:
                on_look(run)
        return run

    def _timed_out(self, run: Run) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{run.service} run {run.id} of {run.name} is still {run.word} after {self.timeout:.0f} s",
            hint="it goes on by itself; run the same command with the same --run-id to come back to it",
            run=run.id,
            state=run.word,
        )
