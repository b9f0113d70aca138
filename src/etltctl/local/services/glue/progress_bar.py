"""The progress bar of Spark's stages: taken out of the JVM's log, and kept as Glue keeps it in a stream of its logs.

Spark draws the bar on the JVM's stderr, for stages of more than half a second. Each picture stands between two carriage
returns, so that a terminal draws the next one over it; spaces wipe it away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

EVERY_S = 1.0  # Spark draws as often: see `spark.ui.consoleProgress.update.interval` in jvm.py
TAIL_BYTES = 8192  # of a log that may be long: some pictures of 80 columns
PICTURE = re.compile(rb"\r(?P<bar>\[Stage \d+:[^\r\n]*\]) *(?=\r)")
DRAWN = re.compile(rb"\r(?:\[Stage \d+:[^\r\n]*\])? *\r")


def newest_picture(log: bytes) -> str:
    """Return the bar that was drawn last; empty if none was.

    Args:
        log: What the JVM wrote, or the end of it.
    """
    pictures = PICTURE.findall(log)
    return pictures[-1].decode(errors="replace") if pictures else ""


def without_pictures(log: bytes) -> bytes:
    """Return the lines of the log without the bars that Spark drew between them.

    Args:
        log: What the JVM wrote.
    """
    return DRAWN.sub(b"", log)


def keep_bars(
    read_tail: Callable[[int], bytes], file: Path, ended: Event, clock: Callable[[], float]
) -> None:
    """Add each new bar to a file of stamped lines until the run has ended.

    A disk that is full costs the bar, and not the run.

    Args:
        read_tail: Returns the end of what the JVM has logged for this run, at most so many bytes.
        file: The file. It is made with the first bar.
        ended: Is set when the run has ended.
        clock: The seconds since 1970.
    """
    kept = ""
    while not ended.wait(EVERY_S):
        with suppress(OSError):
            bar = newest_picture(read_tail(TAIL_BYTES))
            if bar and bar != kept:
                kept = bar
                with file.open("a", encoding="utf-8") as lines:
                    lines.write(f"{int(clock() * 1000)}\t{bar}\n")
