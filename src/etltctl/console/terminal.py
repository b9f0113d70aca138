"""The two streams of a command, and what it says on stderr: progress, advice, warnings and questions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

from etltctl.console.heartbeat import INTERVAL_S, heartbeat
from etltctl.console.layouts import Output
from etltctl.errors import Command, NextStep
from etltctl.tabulating import printable

NEXT_TO_TEXT = 11  # columns of the spinner, the clock and the gaps on the live line
NARROWEST = 40  # columns of a terminal on which progress is drawn; a narrower one gets plain lines

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
    heartbeat_s: float = INTERVAL_S
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
        if not self.quiet:
            self.complain(self.spell(text))

    def warn(self, text: Advice) -> None:
        """Write a warning, even where no progress is wanted."""
        self.complain(f"warning: {self.spell(text)}")

    def complain(self, text: str) -> None:
        """Write lines to stderr, even where no progress is wanted."""
        line = printable(text)
        with suppress(OSError):  # the reader of stderr has gone, or the terminal has; the run goes on
            if self._live is not None:
                # Through rich, which moves its live line below the text; a direct write would tear it.
                self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                self.stderr.write(line + "\n")
                self.stderr.flush()


@dataclass
class Progress(Terminal):
    """The live line of what is under way, and a question to the user."""

    @property
    def is_asking(self) -> bool:
        """Whether a question has a reader who can answer it."""
        # Both: a question that no one sees must not wait, nor one that no one can answer.
        return self.stderr.isatty() and sys.stdin.isatty()

    def ask(self, question: str) -> str:
        """Return the answer of the user at the terminal; empty if there is no terminal.

        Raises:
            KeyboardInterrupt: The user pressed Ctrl-C.
        """
        if not self.is_asking:
            return ""
        if self._live is not None:
            self._live.stop()
        self.stderr.write(f"\n{question} ")
        self.stderr.flush()
        answer = ""
        try:
            with suppress(OSError):
                answer = sys.stdin.readline()
        finally:
            if not answer.endswith("\n"):  # Ctrl-C or Ctrl-D
                self.stderr.write("\n")
        return answer.strip()

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner with a running clock inside the block, if someone watches.

        Args:
            text: What is under way.

        Yields:
            A function that replaces the text.
        """
        if not self.draws:
            with self._plain_work(text) as describe:
                yield describe
            return
        from rich.console import Console as RichConsole
        from rich.progress import Progress as RichProgress
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        # One line at most: rich would wrap a long text, and every repaint would leave a copy of it behind.
        terminal = RichConsole(file=self.stderr)
        left = Column(no_wrap=True, overflow="ellipsis", max_width=max(terminal.width - NEXT_TO_TEXT, 10))
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=left),
            TimeElapsedColumn(),
        )
        progress = RichProgress(*columns, console=terminal, transient=True)
        task = progress.add_task(text, total=None)
        with self.drawing(progress):
            yield lambda text: progress.update(task, description=printable(text))

    @property
    def draws(self) -> bool:
        """Whether what is under way is drawn, and nothing is drawn yet."""
        return not (self.quiet or self.plain or self._live is not None)

    @contextmanager
    def drawing(self, progress: Any) -> Iterator[None]:
        """Draw one of Rich's progress displays inside the block; lines are said above it."""
        self._live = progress
        progress.start()
        try:
            yield
        finally:
            self._live = None
            with suppress(OSError):  # the terminal has gone; the run goes on
                progress.stop()

    @contextmanager
    def beating(self, line: Callable[[], str]) -> Iterator[None]:
        """Say a line at intervals inside the block, unless it is empty; nothing while something is drawn."""
        if self.quiet or self._live is not None:
            yield
            return
        with heartbeat(lambda: self.say(text) if (text := line()) else None, self.heartbeat_s):
            yield

    @contextmanager
    def _plain_work(self, text: str) -> Iterator[Callable[[str], None]]:
        """Say what is under way at intervals, and for how long already."""
        began, newest = time.monotonic(), [text]
        with self.beating(lambda: f"{newest[-1]}, for {time.monotonic() - began:.0f} s"):
            yield newest.append


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether live progress can be shown.

    Args:
        stream: Standard error.
        environ: The variables of the process; TERM=dumb and CI ask for plain lines. NO_COLOR asks for no colour only.
    """
    # TERM and CI as the community uses them; any value counts, an empty one does not.
    asks_for_plain = environ.get("TERM") == "dumb" or environ.get("CI")
    return stream.isatty() and not asks_for_plain and not is_narrow(stream)


def is_narrow(stream: TextIO) -> bool:
    """Return whether the terminal is too narrow to draw on; one that reports no size is not."""
    with suppress(OSError, ValueError):  # not every stream has a file descriptor
        return 0 < os.get_terminal_size(stream.fileno()).columns < NARROWEST
    return False
