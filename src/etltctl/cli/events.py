"""The events of a run as a stream for other programs: into a file, a pipe, or standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
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
    from etltctl.ledger import VERSION_LINE

    if not target:
        yield lambda _: None
        return
    try:
        opened = nullcontext(stdout) if target == STDOUT else Path(target).open("w", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"cannot write the events to {target}: {error.strerror}") from error
    with opened as stream:  # opened above, for the sake of its error
        is_open = True

        def write(line: str) -> None:
            nonlocal is_open
            if not is_open:
                return
            try:
                stream.write(line)
                stream.flush()
            except (OSError, ValueError) as error:
                is_open = False
                warn(f"warning: the events can no longer be written to {target}: {error}")

        write(VERSION_LINE)
        yield lambda event: write(json.dumps(event, default=str) + "\n")
