"""The two streams of a command, and what it says on stderr: progress, advice and warnings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

from etltctl.errors import Command, NextStep
from etltctl.layouts import Output
from etltctl.tabulating import printable

Advice = str | Command | NextStep


@dataclass
class Terminal:
    """How a command speaks: its options, its two streams, and a line on stderr.

    Attributes:
        plain: Whether stderr gets plain lines alone, with no live line.
        is_streaming: Whether stdout is a stream of events, so that a result is said on stderr.
        spell: Spells a next step; the command line's spelling adds its flags to the commands.
    """

    output: Output = Output.TABLE
    quiet: bool = False
    verbosity: int = 0
    plain: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    is_streaming: bool = False
    spell: Callable[[Advice], str] = str
    _live: Any = field(default=None, repr=False)  # rich's progress display, while there is a live line

    @property
    def is_for_people(self) -> bool:
        """Whether a person reads the result, so that times are local and labels are words."""
        return self.output in (Output.TABLE, Output.MARKDOWN)

    @property
    def is_document(self) -> bool:
        """Whether a program reads the result as JSON, and so the error too."""
        return self.output in (Output.JSON, Output.NDJSON)

    def say(self, text: Advice) -> None:
        """Write a line of progress or advice, unless no progress is wanted."""
        if self.quiet:
            return
        line = printable(self.spell(text))
        with suppress(OSError):  # the reader of the progress has gone, or the terminal has; the run goes on
            if self._live is not None:
                # Through rich, which moves its live line below the text; a direct write would tear it.
                self._live.console.print(line, markup=False, highlight=False)
            else:
                self.stderr.write(line + "\n")
                self.stderr.flush()

    def warn(self, text: Advice) -> None:
        """Write a warning, even where no progress is wanted."""
        self.complain(f"warning: {self.spell(text)}")

    def complain(self, text: str) -> None:
        """Write lines to stderr, even where no progress is wanted."""
        with suppress(OSError):
            self.stderr.write(printable(text) + "\n")
            self.stderr.flush()


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether live progress can be shown.

    Args:
        stream: Standard error.
        environ: The variables of the process; TERM=dumb, CI and NO_COLOR ask for plain lines.
    """
    # TERM, CI and NO_COLOR as the community uses them; any value counts, an empty one does not.
    asks_for_plain = environ.get("TERM") == "dumb" or environ.get("CI") or environ.get("NO_COLOR")
    return stream.isatty() and not asks_for_plain
