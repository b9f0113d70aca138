"""Every word, colour and progress line the user sees: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TextIO

from etltctl.errors import ConfigurationError, EtltctlError, bounded
from etltctl.tabulating import (
    Cells,
    aligned,
    as_json,
    csv_lines,
    findings_lines,
    json_document,
    json_lines,
    printable,
)

if TYPE_CHECKING:
    from etltctl.logs import LogLine


LONGEST_ID = 16  # of a remote run on the live line
BESIDE_TEXT = 11  # columns of the spinner, the clock and the gaps on that line


# Glue's group "error" has what Glue and Spark log, errors or not; "output" has all that the script writes.
WRITERS = {"error": "system", "output": "script"}


class Output(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@dataclass
class Console:
    """Where a command says what it does; plain lines unless stderr is a terminal."""

    output: Output = Output.TABLE
    quiet: bool = False
    verbosity: int = 0
    plain: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    is_streaming: bool = False
    addressed: Callable[[str], str] = str  # what makes commands in a text lead to where this one was led
    _status: Any = field(default=None, repr=False)
    _named: str = ""
    _switched: set[str] = field(default_factory=set, repr=False)  # steps that published now

    # results

    def result(self, document: Mapping[str, Any], text: str) -> None:
        """One result: as a JSON document, or as this text; said aside where stdout is a stream of events."""
        if self.is_streaming:
            self.say(text)
        elif self.output is Output.TABLE:
            self._write(self.addressed(text))
        elif self.output is Output.CSV:
            self._write_all(csv_lines(list(document), [list(document.values())]))
        else:
            self._write(as_json(document, indent=2 if self.output is Output.JSON else None))

    def rows(
        self, schema: str, columns: Sequence[str], rows: Iterable[Cells], /, none: str = "", **facts: Any
    ) -> None:
        """A result of rows, written as they come: aligned, CSV, one JSON document, or one JSON object a line.

        In place of a table without rows `none` is said, if it is given.
        """
        head = {"schema": schema, **facts}
        match self.output:
            case Output.NDJSON:
                self._write_all(json_lines(columns, rows))
            case Output.JSON:
                self._write_all(json_document(head, columns, rows))
            case Output.CSV:
                self._write_all(csv_lines(columns, rows))
            case Output.TABLE:
                first = list(islice(coming := iter(rows), 1))
                if first or not none:
                    self._write_all(aligned(columns, chain(first, coming)))
                else:
                    self.say(none)

    def stream(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Events as their stream has them: a line each, behind one that names the schema."""
        from etltctl.ledger import VERSION_LINE

        self._write(VERSION_LINE)
        for event in events:
            self._write(as_json(event))

    def findings(self, schema: str, found: Sequence[tuple[str, str, str, str, str]]) -> None:
        """Write what was checked: area, subject, status, evidence, fix; a table has the problems first."""
        columns = ("area", "subject", "status", "evidence", "fix")
        found = [(*rest, self.addressed(fix)) for *rest, fix in found]  # type: ignore[misc]
        if self.output is Output.TABLE:
            self._write_all(findings_lines(found, is_whole=self.verbosity > 0))
        else:
            self.rows(schema, columns, found)

    def log_line(self, line: LogLine) -> None:
        """A line of a log, as a result."""
        told = {"ts": line.at.isoformat(timespec="milliseconds"), "group": line.group, "stream": line.stream}
        if self.output is Output.TABLE:
            self._write(f"{line.at.astimezone():%H:%M:%S} {WRITERS.get(line.group, line.group)} {line.text}")
        else:
            self._write(as_json({**told, "text": line.text}))

    def _write_all(self, lines: Iterable[str]) -> None:
        for line in lines:  # made outside: what goes wrong in the making is another error
            self._put((printable(line) if self.output is Output.TABLE else line) + "\n")
        self._put("", flush=True)

    def _write(self, text: str) -> None:
        self._write_all([text.rstrip("\n")])

    def _put(self, text: str, *, flush: bool = False) -> None:
        """A reader who has gone, as `head` does, ends the command well; a result that cannot be kept is an error."""
        try:
            self.stdout.write(text)
            if flush:
                self.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        except OSError as error:
            raise EtltctlError(f"the result cannot be written to stdout: {error.strerror}") from error

    # progress

    def say(self, text: str) -> None:
        """A line of progress or advice."""
        if self.quiet:
            return
        text = printable(self.addressed(text))
        with suppress(OSError):  # whoever read the progress has gone, or the terminal has; the work goes on
            if self._status is not None:
                self._status.console.print(text, markup=False, highlight=False)
            else:
                self.stderr.write(text + "\n")
                self.stderr.flush()

    def warn(self, text: str) -> None:
        """Write a warning, even where no progress is wanted."""
        self._complain(f"warning: {text}")

    def ask(self, question: str) -> str:
        """The answer of whoever sits at the terminal; empty where nobody does."""
        if self.plain or not sys.stdin.isatty():
            return ""
        if self._status is not None:
            self._status.stop()
        self.stderr.write(f"\n{question} ")
        self.stderr.flush()
        with suppress(KeyboardInterrupt, OSError):
            return sys.stdin.readline().strip()
        return ""

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """A spinner with a running clock while something takes its time; nothing where nobody watches."""
        if self.quiet or self.plain or self._status is not None:
            yield _ignore
            return
        from rich.console import Console as RichConsole
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        terminal = RichConsole(file=self.stderr)
        left = Column(no_wrap=True, overflow="ellipsis", max_width=max(terminal.width - BESIDE_TEXT, 10))
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=left),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=terminal, transient=True) as progress:
            task = progress.add_task(text, total=None)
            self._status = progress
            try:
                yield lambda text: progress.update(task, description=printable(text))
            finally:
                self._status = None

    @contextmanager
    def following(self, name: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Shows a run's events as they happen: a line a step, and what is going on now."""
        with self.working(name) as describe:
            yield lambda event: self._show_event(name, event, describe)

    def _show_event(self, name: str, event: Mapping[str, Any], describe: Callable[[str], None]) -> None:
        from etltctl.pipeline.kinds import title_of

        step = title_of(event["step"])
        if event["type"] == "run.started":
            self.say(f"run {event['run_id']}")
        elif event["type"] == "publish.switched":
            self._switched.add(event["step"])
        elif event["type"] == "step.planned":
            describe(f"{step} …")
        elif event["type"] in {"remote.started", "remote.adopted", "step.progress"}:
            describe(f"{step} {event['state']} {_short(event['remote_id'])}")
            if self.verbosity:
                self.say(f"  {step}: {event['type']} {event['remote_id']} {event['state']}")
        elif event["type"] == "remote.stopped":
            self.say(f"stopped {event['remote_id']} of {step}")
        elif event["type"] == "warning.degraded":
            self.say(f"warning: {event['message']}")
        elif event["type"] == "step.finished" and event["outcome"] == "succeeded":
            self.say(self._step_line(name, event))

    def _step_line(self, name: str, event: Mapping[str, Any]) -> str:
        from etltctl.pipeline.kinds import line_of

        shown = "" if self._named == name else name
        self._named = name
        line = line_of(event)
        done = line.achieved
        if event["verb"] == "reused" and event["step"] not in self._switched:
            done = "as before"
        if event.get("usd", 0.0) >= 0.005:  # what would be told as nothing is not told
            done += f" · {event['usd']:.2f} USD"
        cells = (
            f"{shown:<9} {line.label:<21} {event['verb']:<8} {line.amount:<20} "
            f"{event.get('layer', ''):<7} {event['seconds']:>5.1f} s  {done}"
        )
        return cells.rstrip()

    # errors

    def error(self, error: EtltctlError) -> None:
        """What happened, to what, and what to do next; the traceback only when asked for twice."""
        lines = [f"error: {error.message}"]
        if isinstance(error, ConfigurationError):
            lines += [f"  {problem}" for problem in error.problems]
        for name, value in error.facts.items():
            text = bounded(str(value))
            lines += (
                [f"  {name}:", *(f"    {line}" for line in text.splitlines())]
                if "\n" in text
                else [f"  {name}: {text}"]
            )
        if error.hint:
            lines.append(f"  next: {error.hint}")
        self._complain("\n".join(lines))
        if self.verbosity > 1:
            self._complain("".join(traceback.format_exception(error)).rstrip())

    def fault(self, error: BaseException) -> None:
        """An error nobody foresaw."""
        self._complain(f"error: unexpected {type(error).__name__}: {error}")
        if self.verbosity > 1:
            self._complain("".join(traceback.format_exception(error)).rstrip())
        else:
            self._complain("  next: this is a bug in etltctl; run again with -vv for the traceback")

    def _complain(self, text: str) -> None:
        text = printable(self.addressed(text))
        with suppress(OSError):
            self.stderr.write(text + "\n")
            self.stderr.flush()


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether live progress can be shown: a terminal that can move its cursor, and nobody asked for plain."""
    wanted = environ.get("TERM") != "dumb" and not environ.get("CI") and not environ.get("NO_COLOR")
    return stream.isatty() and wanted


def table(columns: Sequence[str], rows: Iterable[Cells]) -> str:
    """Rows under their column names, aligned."""
    return "\n".join(aligned(columns, rows))


def _short(remote_id: str) -> str:
    """Return the two ends of an id, so that the state and the clock stay on a line of 80 columns."""
    return remote_id if len(remote_id) <= LONGEST_ID else f"{remote_id[:7]}…{remote_id[-4:]}"


def _ignore(text: str) -> None:
    """Show nothing: no one watches."""
