"""The lines of a log on their way into one document: in a temporary file, because a log may be larger than memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.logs import LogLine

COLUMNS = ("ts", "group", "stream", "text")


@dataclass(frozen=True)
class LogSpool:
    """Lines that were added, to be read once in the same order."""

    _file: IO[str]

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[LogSpool]:
        """Yield a spool; its file goes with the block."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass") as file:
            yield cls(file)

    def add(self, line: LogLine) -> None:
        """Add a line."""
        fields = (line.at.isoformat(), line.group, line.stream, line.text)
        self._file.write(json.dumps(fields) + "\n")

    def rows(self) -> Iterator[tuple[datetime, str, str, str]]:
        """Yield the lines as rows of `COLUMNS`."""
        self._file.seek(0)
        for text in self._file:
            at, group, stream, line = json.loads(text)
            yield datetime.fromisoformat(at), group, stream, line
