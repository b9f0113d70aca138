"""Passes a run's events to its observers. Each has its own thread, so a slow receiver does not delay another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from logging import getLogger
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from etltctl.observers.lineage import open_lineage
from etltctl.observers.notifications import open_notifications
from etltctl.observers.observer import Observation, Observer
from etltctl.observers.telemetry import open_trace

if TYPE_CHECKING:
    from etltctl.ledger import Event

# Returns the observer that the settings ask for; None if they ask for none.
Opener = Callable[[Observation], Observer | None]
OPENERS: Sequence[tuple[str, Opener]] = (
    ("lineage", open_lineage),
    ("the notification", open_notifications),
    ("the trace", open_trace),
)
# Seconds that the end of a run waits for deliveries. What is slower is lost, with a warning.
LONGEST_FLUSH = 10.0

log = getLogger(__name__)


@contextmanager
def observed(
    observation: Observation,
    openers: Sequence[tuple[str, Opener]] = OPENERS,
    longest: float = LONGEST_FLUSH,
) -> Iterator[Callable[[Sequence[Event]], None]]:
    """Yield the function that passes a run's events to all observers.

    Args:
        observation: The run.
        openers: The name of each kind of observer, and what opens it.
        longest: How long the end waits for all observers together, in seconds.
    """
    threads = [_ObserverThread(name, opener, observation) for name, opener in openers]

    def pass_on(events: Sequence[Event]) -> None:
        for thread in threads:
            thread.pass_on(events)

    try:
        yield pass_on
    finally:
        # All are asked to end before the first is waited for: the limit holds for all of them together.
        for thread in threads:
            thread.end()
        _wait_for(threads, longest)


def _wait_for(threads: Sequence[_ObserverThread], longest: float) -> None:
    """Wait for the threads; warn of those that are late. Ctrl-C ends the wait, and not the run, which is over."""
    until = time.monotonic() + longest
    try:
        late = [thread.name for thread in threads if not (thread.has_ended(until) or thread.has_failed)]
    except KeyboardInterrupt:
        late = [thread.name for thread in threads if not thread.has_ended(0.0)]
    if late:
        log.warning("not everything was sent to %s within %g s", ", ".join(late), longest)


class _ObserverThread:
    """The thread of one observer, and the events that wait for it."""

    def __init__(self, name: str, opener: Opener, observation: Observation) -> None:
        self.name = name
        self._queue: SimpleQueue[Sequence[Event] | None] = SimpleQueue()
        self.has_failed = False
        # The observer is opened on the thread too: a secret or a package that takes long must not delay the run.
        # A daemon: a receiver that hangs must not keep the process alive.
        run = partial(self._run, opener, observation)
        self._thread = Thread(target=run, name=f"observer {name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the machine has no thread left
            log.warning("%s is off for this run: %s", name, error)

    def pass_on(self, events: Sequence[Event]) -> None:
        """Hand over the events so far, unless the observer is off."""
        if self._thread.is_alive():
            self._queue.put(events)

    def end(self) -> None:
        """Ask the observer to send what it holds back, after the events that wait."""
        self._queue.put(None)

    def has_ended(self, until: float) -> bool:
        """Wait for the observer at most until a time of the monotonic clock; return whether it has ended."""
        if self._thread.is_alive():  # a thread that was never started cannot be joined
            self._thread.join(max(until - time.monotonic(), 0.0))
        return not self._thread.is_alive()

    def _run(self, opener: Opener, observation: Observation) -> None:
        try:
            observer = opener(observation)
        except Exception as error:  # noqa: BLE001 - an observer cannot fail a run
            log.warning("%s is off for this run: %s", self.name, error)
            return
        if observer is None:
            return
        while (events := self._queue.get()) is not None:
            self._attempt(partial(observer.see, events))
        self._attempt(observer.close)

    def _attempt(self, deliver: Callable[[], None]) -> None:
        """Deliver; warn of the first error only, because a receiver that is away fails every time."""
        try:
            deliver()
        except Exception as error:  # noqa: BLE001 - an observer cannot fail a run
            if not self.has_failed:
                log.warning("%s was not sent: %s", self.name, error)
            self.has_failed = True
