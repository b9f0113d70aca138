"""A line now and then from a command that waits, so that a log without a terminal shows that the command lives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

INTERVAL_S = 30.0


@contextmanager
def heartbeat(beat: Callable[[], None], every_s: float = INTERVAL_S) -> Iterator[None]:
    """Call a function at intervals, in a thread, until the block ends.

    Args:
        beat: Writes the line.
        every_s: The seconds between two lines.
    """
    ended = Event()
    # A thread, because between two polls of a long run the command itself sleeps for minutes.
    thread = Thread(target=beat_until_ended, args=(beat, ended.wait, every_s), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def beat_until_ended(
    beat: Callable[[], None], wait: Callable[[float], bool], every_s: float = INTERVAL_S
) -> None:
    """Call a function after each interval.

    Args:
        beat: Writes the line.
        wait: Sleeps for these seconds and returns whether the work has ended.
        every_s: The seconds between two lines.
    """
    while not wait(every_s):
        beat()
