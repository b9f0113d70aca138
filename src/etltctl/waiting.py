"""Wait for any remote run: poll, sleep, poll again, never past the deadline."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Protocol, TypeVar

from etltctl.errors import AccessError, ServiceError, WaitTimeoutError
from etltctl.runs import Run, State
from etltctl.schedule import schedule

R = TypeVar("R", bound=Run)
T = TypeVar("T")
Trouble = ServiceError | AccessError  # of the poll, not of the run: credentials expire and are renewed

LEARNS_FROM = 3  # earlier runs
NAP_S = 10.0  # a machine that slept notices so soon after it woke


def since_boot() -> float:
    """Seconds that have passed, those included in which the machine slept."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def doze(seconds: float) -> None:
    """Sleep for the time, or until the machine wakes if it was suspended for longer."""
    due = since_boot() + seconds
    while (left := due - since_boot()) > 0:
        time.sleep(min(left, NAP_S))


async def doze_async(seconds: float) -> None:
    """Do the same for an event loop."""
    import asyncio  # here, because most commands never need it

    due = since_boot() + seconds
    while (left := due - since_boot()) > 0:
        await asyncio.sleep(min(left, NAP_S))


class Timekeeper(Protocol):
    """Whose time waits pass in: this machine's, or in a test a clock that only sleeping moves."""

    def clock(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Return when these seconds have passed."""

    async def sleep_async(self, seconds: float) -> None:
        """Do the same for an event loop."""


class RealTime:
    """This machine's time."""

    clock = staticmethod(since_boot)
    sleep = staticmethod(doze)
    sleep_async = staticmethod(doze_async)


REAL_TIME = RealTime()
timekeeper: ContextVar[Timekeeper | None] = ContextVar("timekeeper", default=None)  # None: the real one


def _time() -> Timekeeper:
    return timekeeper.get() or REAL_TIME


@dataclass(frozen=True)
class Waiter:
    """How to wait; all times in seconds.

    Where it is known how long such runs took before (`expected`), polls come where the end is likely
    (`etltctl.schedule`). Where nothing is known, polls begin `first_pause` apart and grow by `growth` up to `longest`,
    so short runs are noticed at once and long ones cost few calls. `poll_within` returns the longest pause that is
    allowed after a poll; `waited` is how long another process waited before, as part of the same wait, and
    `ran` how long the run had gone on by then, which counts for when its end is likely and not for the deadline.
    Polls that fail do not fail the run: they are tolerated for `patience`, because a throttled or unreachable API, or
    a token that has expired, says nothing about the work.
    """

    timeout: float = 3600.0
    expected: Sequence[float] = ()
    first_pause: float = 0.2
    growth: float = 1.1  # a run is noticed at most a tenth of its length late
    longest: float = 20.0
    patience: float = 300.0
    waited: float = 0.0
    ran: float = 0.0
    poll_within: Callable[[Any], float] | None = None
    clock: Callable[[], float] = field(default_factory=lambda: _time().clock)
    sleep: Callable[[float], None] = field(default_factory=lambda: _time().sleep)
    sleep_async: Callable[[float], Awaitable[None]] = field(default_factory=lambda: _time().sleep_async)

    def wait(self, run: R, poll: Callable[[], R], *, on_poll: Callable[[R], None] | None = None) -> R:
        """Return the run in its final state.

        Raises WaitTimeoutError past the deadline (the run goes on) and the last error of a poll when polls have
        failed for longer than `patience`.
        """
        steps = self._decide(run, on_poll)
        seen: R | Trouble | None = None
        try:
            while True:
                self.sleep(steps.send(seen))
                seen = self._polled(poll)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def find(self, poll: Callable[[], T | None], within: float, *, raises_errors: bool = False) -> T | None:
        """Poll until there is a result: a listing may show a new entry late, and a service may still make it.

        Args:
            poll: Polls; returns None if there is no result yet.
            within: For how many seconds to poll.
            raises_errors: Whether an error of the service ends the search. By default it counts as no result: an answer
                that is lost says nothing about what there is.

        Returns:
            The result, or None if there is none in time.
        """
        deadline = self.clock() + within
        hidden = () if raises_errors else (ServiceError,)
        while True:
            result = None
            with suppress(*hidden):
                result = poll()
            left = deadline - self.clock()
            if result is not None or left <= 0:
                return result
            self.sleep(min(self.longest, left))

    async def wait_async(
        self, run: R, poll: Callable[[], R], *, on_poll: Callable[[R], None] | None = None
    ) -> R:
        """Do the same as `wait` for an event loop: sleep without blocking it, and poll in a thread."""
        import asyncio

        steps = self._decide(run, on_poll)
        seen: R | Trouble | None = None
        try:
            while True:
                await self.sleep_async(steps.send(seen))
                seen = await asyncio.to_thread(self._polled, poll)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    @staticmethod
    def _polled(poll: Callable[[], T]) -> T | Trouble:
        try:
            return poll()
        except (ServiceError, AccessError) as error:
            return error

    def _decide(self, run: R, on_poll: Callable[[R], None] | None) -> Generator[float, Any, R]:
        """Yield how long to sleep, receive the polled run, and return the run once it has ended."""
        # The deadline counts from when the first process began to wait.
        started = self.clock() - self.waited
        failing_since: float | None = None
        was_seen = False
        # The end is likely by the age of the run and not by how long this process has watched it.
        began = started - max(self.ran - self.waited, 0.0)
        pauses = self._pauses(lambda: self.clock() - began)
        while run.state is State.RUNNING:
            left = started + self.timeout - self.clock()
            if left <= 0:
                raise self._timed_out(run)
            # The last pause ends at the deadline, so that a run that ends just before it is still seen.
            pause = min(next(pauses), left)
            if self.poll_within is not None:
                pause = min(pause, max(self.poll_within(run), self.first_pause))
            seen: R | Trouble = yield pause
            if isinstance(seen, Trouble):
                failing_since = self.clock() if failing_since is None else failing_since
                # A refusal after a good poll is an expired token, which is renewed; one before it will not pass with
                # time.
                never_allowed = isinstance(seen, AccessError) and not was_seen
                if never_allowed or self.clock() - failing_since > self.patience:
                    raise seen
                continue
            # One good poll forgives all failures before it.
            run, was_seen, failing_since = seen, True, None
            if on_poll:
                on_poll(run)
        return run

    def _pauses(self, elapsed: Callable[[], float]) -> Generator[float, None, None]:
        """Yield how long to sleep before each poll of a run that has gone on for `elapsed()` seconds."""
        if len(self.expected) >= LEARNS_FROM:
            planned = schedule(tuple(self.expected))
            for at in planned.polls:
                if at > elapsed():
                    yield max(at - elapsed(), self.first_pause)
            # The run is overdue: from here on its end is as likely in one minute as in the next.
            yield from repeat(min(max(planned.then_every, self.first_pause), self.longest))
        pause = self.first_pause
        while True:
            yield pause
            pause = min(pause * self.growth, self.longest)

    def _timed_out(self, run: Run) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{run.service} run {run.id} of {run.name} is still {run.status} after {self.timeout:.0f} s",
            hint="it continues by itself; resume the run to wait for it again",
            run=run.id,
            state=run.status,
        )


@dataclass
class Pace:
    """Keeps calls apart so that there are at most so many a second; sleeps are in seconds."""

    per_second: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = 0.0

    def take(self) -> None:
        """Wait until the next call is due."""
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + 1 / self.per_second
