"""The words that the user sees: results on stdout; progress, advice and errors on stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from etltctl.errors import Command, ConfigurationError, EtltctlError, NextStep, bounded
from etltctl.layouts import Output, laid_out
from etltctl.tabulating import Cells, as_json, csv_lines, findings_lines, printable

if TYPE_CHECKING:
    from etltctl.logs import LogLine

NEXT_TO_TEXT = 11  # columns of the spinner, the clock and the gaps on the live line

# Glue's group "error" has all that Glue and Spark log, errors or not; "output" has all that the script writes.
WRITERS = {"error": "system", "output": "script"}

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


@dataclass
class Results(Terminal):
    """The results of a command on stdout, in the format that the user chose."""

    def result(self, document: Mapping[str, Any], text: Advice) -> None:
        """Write one result.

        Args:
            document: The result as data, with its schema.
            text: The same for a person; it goes to stderr where stdout is a stream of events.
        """
        if self.is_streaming:
            self.say(text)
        elif self.is_for_people:
            self._write(self.spell(text))
        elif self.output is Output.CSV:
            self._write_all(csv_lines(list(document), [list(document.values())]))
        else:
            self._write(as_json(document, indent=2 if self.output is Output.JSON else None))

    def rows(
        self,
        schema: str,
        columns: Sequence[str],
        rows: Iterable[Cells],
        /,
        none: Advice = "",
        width: int = 0,
        **facts: Any,
    ) -> None:
        """Write a result of rows as they come: aligned, as Markdown or CSV, one JSON document, or an object a line.

        Args:
            schema: The name of the result's schema.
            columns: The names of the columns.
            rows: The rows.
            none: Said in place of a table without rows; if it is empty, the table's head is written.
            width: The most characters of a row in a table; 0 is any. Wider rows stand one below the other.
            facts: What else the JSON document says.
        """
        coming = iter(rows)
        if none and self.is_for_people:
            # Only the first row decides between a table and a sentence; the others stay unread.
            first = list(islice(coming, 1))
            if not first:
                self.say(none)
                return
            coming = chain(first, coming)
        self._write_all(laid_out(self.output, columns, coming, {"schema": schema, **facts}, width))

    def stream(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Write events as their stream has them: a line that names the schema, then a line for each."""
        from etltctl.ledger import VERSION_LINE

        self._write(VERSION_LINE)
        for event in events:
            self._write(as_json(event))

    def findings(self, schema: str, findings: Sequence[tuple[str, str, str, str, Advice]]) -> None:
        """Write the doctor's findings; a table has the problems first.

        Args:
            schema: The name of the result's schema.
            findings: Area, subject, status, evidence and fix of each check.
        """
        columns = ("area", "subject", "status", "evidence", "fix")
        rows = [(*rest, self.spell(fix)) for *rest, fix in findings]
        if self.output is Output.TABLE:
            self._write_all(findings_lines(rows, is_whole=self.verbosity > 0))
        else:
            self.rows(schema, columns, rows)

    def log_line(self, line: LogLine) -> None:
        """Write a line of a log, as a result."""
        facts = {"ts": line.at, "group": line.group, "stream": line.stream}
        if self.is_for_people:
            self._write(f"{line.at.astimezone():%H:%M:%S} {WRITERS.get(line.group, line.group)} {line.text}")
        else:
            self._write(as_json({**facts, "text": line.text}))

    def _write_all(self, lines: Iterable[str]) -> None:
        for line in lines:  # an error in making a line is not one of writing it, so it is raised here
            self._put((printable(line) if self.output is Output.TABLE else line) + "\n")
        self._put("", flush=True)

    def _write(self, text: str) -> None:
        self._write_all([text.rstrip("\n")])

    def _put(self, text: str, *, flush: bool = False) -> None:
        """Write to stdout. A reader that has gone, as `head` does, ends the command well; a full disk is an error."""
        try:
            self.stdout.write(text)
            if flush:
                self.stdout.flush()
        except BrokenPipeError:
            end_for_no_reader()
        except OSError as error:
            raise EtltctlError(f"the result cannot be written to stdout: {error.strerror}") from error


def end_for_no_reader() -> NoReturn:
    """End the command well, because the reader of stdout has gone."""
    # Python flushes stdout once more at its end, and would fail on the broken pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(0) from None


@dataclass
class Progress(Terminal):
    """The live line of what is under way, and a question to the user."""

    def ask(self, question: str) -> str:
        """Return the answer of the user at the terminal; empty if there is no terminal.

        Raises:
            KeyboardInterrupt: The user pressed Ctrl-C.
        """
        # Both: a question that no one sees must not wait, nor one that no one can answer.
        if not (self.stderr.isatty() and sys.stdin.isatty()):
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
        if self.quiet or self.plain or self._live is not None:
            yield lambda _: None
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
        with RichProgress(*columns, console=terminal, transient=True) as progress:
            task = progress.add_task(text, total=None)
            self._live = progress
            try:
                yield lambda text: progress.update(task, description=printable(text))
            finally:
                self._live = None


@dataclass
class Errors(Terminal):
    """Errors as the user sees them."""

    def error(self, error: EtltctlError) -> None:
        """Write what happened, to what, and what to do next; the traceback only with -vv."""
        lines = [f"error: {error.message}"]
        if isinstance(error, ConfigurationError):
            lines += [f"  {self.spell(problem)}" for problem in error.problems]
        for name, value in error.facts.items():
            # A service may put a page of HTML into its message.
            text = bounded(self.spell(value) if isinstance(value, NextStep) else str(value))
            lines += (
                [f"  {name}:", *(f"    {line}" for line in text.splitlines())]
                if "\n" in text
                else [f"  {name}: {text}"]
            )
        if error.next_step.parts:
            lines.append(f"  next: {self.spell(error.next_step)}")
        self.complain("\n".join(lines))
        if self.verbosity > 1:
            self.complain("".join(traceback.format_exception(error)).rstrip())

    def fault(self, error: BaseException) -> None:
        """Write an error that etltctl did not foresee."""
        self.complain(f"error: unexpected {type(error).__name__}: {error}")
        if self.verbosity > 1:
            self.complain("".join(traceback.format_exception(error)).rstrip())
        else:
            self.complain("  next: this is a bug in etltctl; run again with -vv for the traceback")


@dataclass
class Console(Results, Progress, Errors):
    """Where a command says what it does."""


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether live progress can be shown.

    Args:
        stream: Standard error.
        environ: The variables of the process; TERM=dumb, CI and NO_COLOR ask for plain lines.
    """
    # TERM, CI and NO_COLOR as the community uses them; any value counts, an empty one does not.
    asks_for_plain = environ.get("TERM") == "dumb" or environ.get("CI") or environ.get("NO_COLOR")
    return stream.isatty() and not asks_for_plain
