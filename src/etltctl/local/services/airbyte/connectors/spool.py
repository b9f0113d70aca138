"""Lines of streams whose turn has not come: a connector may read several at once, and bronze is written one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from etltctl.local.services.airbyte.connectors.protocol import StreamKey


class Spool:
    """One file a stream in a private folder, so that memory does not grow with the rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[StreamKey, Path] = {}
        self._open: dict[StreamKey, BinaryIO] = {}

    def add(self, stream: StreamKey, line: bytes) -> None:
        """Keep a line of the stream.

        Args:
            stream: The stream.
            line: The line, without its end.
        """
        file = self._files.get(stream)
        if file is None:
            file = self._files[stream] = self._folder / f"spool-{len(self._files)}.jsonl"
            self._open[stream] = file.open("wb")
        self._open[stream].write(line + b"\n")

    def take(self, stream: StreamKey) -> Iterator[bytes]:
        """Yield the lines of the stream that were kept, and delete them."""
        file = self._files.pop(stream, None)
        if file is None:
            return
        self._open.pop(stream).close()
        with file.open("rb") as lines:
            for line in lines:
                yield line.rstrip(b"\n")
        file.unlink()

    def close(self) -> None:
        """Close the files. Their folder is deleted by its owner."""
        for stream in self._open.values():
            stream.close()
        self._open.clear()
