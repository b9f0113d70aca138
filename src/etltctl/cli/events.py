"""The events of a run as a stream for other programs: into a file, a pipe, or standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from etltctl.errors import UsageError

Event = Mapping[str, Any]
Listener = Callable[[Event], None]
STDOUT = "-"


@contextmanager
def event_stream(target: str, stdout: TextIO, warn: Callable[[str], None]) -> Iterator[Listener]:
    """Writes every event it hears to `target`, a file or `-`, a line each; nothing for no target.

    Raises UsageError if the file cannot be opened. A reader that goes away is warned about once and fails no run.
    """
    if not target:
        yield lambda _: None
        return
    if target == STDOUT:
        yield _writer(target, lambda line: (stdout.write(line), stdout.flush()), warn)
        return
    try:
        file = Path(target).open("wb", buffering=0)  # noqa: SIM115 - closed below; its error is told apart
    except OSError as error:
        raise UsageError(f"cannot write the events to {target}: {error.strerror}") from error
    with file:
        yield _writer(target, lambda line: file.write(line.encode()), warn)


def _writer(target: str, write: Callable[[str], object], warn: Callable[[str], None]) -> Listener:
    """Writes the line that names the schema, then every event; after a failure nothing more."""
    from etltctl.ledger import VERSION_LINE

    is_open = True

    def write_line(line: str) -> None:
        nonlocal is_open
        if not is_open:
            return
        try:
            write(line)
        except (OSError, ValueError) as error:
            is_open = False
            warn(f"warning: the events can no longer be written to {target}: {error}")

    write_line(VERSION_LINE)
    return lambda event: write_line(json.dumps(event, default=str) + "\n")
