"""How fast one host may be asked, and how long to wait before it is asked again."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from etltctl.local.services.airbyte.records import Pause

HOUR_S = 3600.0
# Throttled by the second, a short wait is enough; throttled by the hour, only a long one is.
THROTTLE_WAITS_S = (1.0, 2.0, 4.0, 8.0, 60.0, 300.0, 900.0, 1800.0)
FAULT_WAITS_S = (1.0, 2.0, 4.0, 8.0)


class Pace:
    """At most `per_second` requests in a second and `per_hour` in an hour, over all syncs; None means no limit."""

    def __init__(
        self,
        per_second: float | None,
        per_hour: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._per_hour = per_hour
        self._clock = clock
        # The times of the last `per_hour` requests: the oldest of them says when the next one is free.
        self._sent: deque[float] = deque()
        self._next = 0.0
        self._lock = threading.Lock()

    def take_turn(self, pause: Pause) -> None:
        """Sleep until the next request is due; a sync cancelled meanwhile has used no turn."""
        while (wait := self._try_turn()) > 0:
            pause(wait)

    def _try_turn(self) -> float:
        """Take the turn and return 0, or return how many seconds are left until there is one."""
        with self._lock:
            now = self._clock()
            wait = max(self._next, self._budget_due()) - now
            if wait > 0:
                return wait
            # From now on, not from the turn before: a pause is not made up for by a burst.
            self._next = now + self._gap
            if self._per_hour:
                self._sent.append(now)
            return 0.0

    def _budget_due(self) -> float:
        if not self._per_hour:
            return 0.0
        while len(self._sent) > self._per_hour:
            self._sent.popleft()
        return self._sent[0] + HOUR_S if len(self._sent) == self._per_hour else 0.0


def parse_rate(rate: str | float | None) -> float | None:
    """Return requests per second of "3/s", "30/m", "400/h" or a number; None and "" set no limit. Raises ValueError."""
    if rate in (None, ""):
        return None
    count, _, unit = str(rate).partition("/")
    seconds = {"": 1, "s": 1, "m": 60, "h": 3600}.get(unit.strip())
    if seconds is None or float(count) <= 0:
        raise ValueError(f"{rate!r} is not a rate such as 3/s")
    return float(count) / seconds


def jittered(seconds: float) -> float:
    """Up to a quarter longer, so that clients thrown off together do not come back together."""
    return seconds * (1 + random.random() / 4)
