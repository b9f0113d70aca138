"""One retry policy: reads may be repeated, starts are sent once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call that may be repeated is sent again; waits are in seconds, doubled each time, with jitter.

    An error with `retry_after`, in seconds, sets the wait itself; `longest_wait` bounds it.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    sleep: Callable[[float], None] | None = None

    def call(self, read: Callable[[], T], *, is_transient: Callable[[BaseException], bool]) -> T:
        """Return the answer of `read`, repeated while its error is transient; the last error is raised as it was."""
        import tenacity

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(is_transient),
            reraise=True,
            **self._sleeping(),
        )
        return retrying(read)

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt: those that the receiver asked for, within bounds."""
        import tenacity

        error = state.outcome.exception() if state.outcome else None
        pause = getattr(error, "retry_after", None)
        if pause is not None:
            return float(min(max(pause, 0.0), self.longest_wait))
        # With jitter, or all steps that a fault has stopped would call again in the same moment.
        return tenacity.wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait)(state)

    def _sleeping(self) -> dict[str, Any]:
        return {} if self.sleep is None else {"sleep": self.sleep}

    def botocore_reads(self) -> dict[str, Any]:
        """Return the same policy in botocore's terms, for clients that only read or write idempotently."""
        # `adaptive` also slows the client down while the service throttles, as many runs share one account's quota.
        return {"mode": "adaptive", "total_max_attempts": self.attempts}

    @staticmethod
    def botocore_starts() -> dict[str, Any]:
        """One attempt: botocore would resend StartJobRun after a lost answer and so start it twice."""
        return {"mode": "standard", "total_max_attempts": 1}
