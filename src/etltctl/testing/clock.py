"""A clock that only sleeping moves, so that a wait of hours takes no time."""

from __future__ import annotations

import asyncio
from contextvars import Token
from types import TracebackType

from etltctl.waiting import Timekeeper, timekeeper


class VirtualClock:
    """Time as `etltctl.waiting` sees it within a `with` block: it stands still but for sleeping, which is at once.

    `now` is in seconds from zero, `slept` every sleep in its order. Retries inside an SDK's single call still take
    real time, and so does the work of the embedded services.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._token: Token[Timekeeper | None] | None = None

    def clock(self) -> float:
        """Seconds since the clock was made."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the clock on and return at once."""
        self.now += seconds
        self.slept.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Do the same for an event loop; other tasks get their turn."""
        self.sleep(seconds)
        # Gives the loop its turn. Without it a task that only sleeps would starve all others.
        await asyncio.sleep(0)

    def __enter__(self) -> VirtualClock:
        # A context variable and not a patch: waits of other threads and tests keep the real time.
        self._token = timekeeper.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._token is not None:
            timekeeper.reset(self._token)
            self._token = None
