"""The log of a source's last sync: what its connector wrote, with stars for secrets, of bounded size."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from etltctl.local.services.airbyte.connectors.masks import Mask

MOST_BYTES = 10 * 2**20
LONGEST_TEXT = 4000  # characters of one line
LOG = logging.getLogger(__name__)


class ConnectorLog:
    """One file, started again by each sync. `note` gets what a person who waits should see."""

    def __init__(self, file: Path, name: str, mask: Mask, note: Callable[[str], None]) -> None:
        self.file = file
        self._name = name
        self._mask = mask
        self._note = note
        self._stream: TextIO | None = None
        self._size = 0
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)

    def report(self, text: str) -> None:
        """Report progress: in this log, in that of the server, and to the person who waits."""
        LOG.info("source %s: %s", self._name, text)
        self._note(text)
        self.add("INFO", text)

    def add(self, level: str, text: str) -> None:
        """Add a text of the connector; after the log is full nothing is added.

        Args:
            level: The level of the text, such as `INFO`.
            text: The text. It is masked and shortened.
        """
        if self._size > MOST_BYTES:
            return
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        # Masked before it is shortened: half a secret would not be known again.
        line = f"{moment} {level:5} {self._mask(text)[:LONGEST_TEXT]}\n"
        self._size += len(line)
        if self._stream is None:
            self._stream = self.file.open("a", buffering=1, errors="replace")
        self._stream.write(line)
        if self._size > MOST_BYTES:
            self._stream.write(f"{moment} INFO  the log has {MOST_BYTES // 2**20} MB; the rest is left out\n")

    def close(self) -> None:
        """Close the file; another text opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
