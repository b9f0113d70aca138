"""The one consumer of a run's events for all observers: it runs on a thread, so that a slow receiver delays no step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from logging import getLogger
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from etltctl.observers.notifications import open_notifications
from etltctl.observers.observer import Observation, Observer
from etltctl.observers.telemetry import open_trace

if TYPE_CHECKING:
    from etltctl.ledger import Event

# Returns the observer that the settings ask for; None if they ask for none.
Opener = Callable[[Observation], Observer | None]
OPENERS: Sequence[tuple[str, Opener]] = (
    ("the notification", open_notifications),
    ("the trace", open_trace),
)
LONGEST_FLUSH = (
    10.0  # seconds that the end of a run waits for deliveries; what is slower is lost, with a warning
)

log = getLogger(__name__)


@contextmanager
def observed(observation: Observation) -> Iterator[Callable[[Sequence[Event]], None] | None]:
    """Yield the function that passes a run's events to all observers; None if the settings ask for none.

    Args:
        observation: The run.
    """
    observers = {
        name: observer for name, opener in OPENERS if (observer := _opened(name, opener, observation))
    }
    if not observers:
        yield None
        return
    queue: SimpleQueue[Sequence[Event] | None] = SimpleQueue()
    # A daemon: a receiver that hangs must not keep the process alive.
    thread = Thread(target=_deliver, args=(queue, observers), name="observers", daemon=True)
    thread.start()
    try:
        yield queue.put
    finally:
        queue.put(None)
        thread.join(LONGEST_FLUSH)
        if thread.is_alive():
            log.warning("not everything was sent to %s within %g s", ", ".join(observers), LONGEST_FLUSH)


def _opened(name: str, opener: Opener, observation: Observation) -> Observer | None:
    try:
        return opener(observation)
    except Exception as error:  # noqa: BLE001 - an observer cannot fail a run
        log.warning("%s is off for this run: %s", name, error)
        return None


def _deliver(queue: SimpleQueue[Sequence[Event] | None], observers: dict[str, Observer]) -> None:
    """Pass events to the observers until the end of the run; warn of the first error of each."""
    failed: set[str] = set()

    def attempt(name: str, deliver: Callable[[], None]) -> None:
        try:
            deliver()
        except Exception as error:  # noqa: BLE001 - an observer cannot fail a run
            if name not in failed:
                log.warning("%s was not sent: %s", name, error)
            failed.add(name)

    while (events := queue.get()) is not None:
        for name, observer in observers.items():
            attempt(name, partial(observer.see, events))
    for name, observer in observers.items():
        attempt(name, observer.close)
