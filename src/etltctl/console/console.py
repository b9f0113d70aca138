"""The words that the user sees: results on stdout; progress, advice and errors on stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NoReturn

from etltctl.console.error_documents import error_document, next_of, plain_error_document
from etltctl.console.layouts import Output, laid_out
from etltctl.console.terminal import Advice, Progress, Terminal, is_terminal
from etltctl.errors import ConfigurationError, DetachedError, EtltctlError, ExitCode, NextStep, bounded
from etltctl.tabulating import Cells, as_json, csv_lines, findings_lines, printable

if TYPE_CHECKING:
    from etltctl.logs import LogLine

__all__ = ["Console", "Errors", "Progress", "Results", "Terminal", "end_for_no_reader", "is_terminal"]

BUG = "this is a bug in etltctl; run again with -vv for the traceback"

# Glue's group "error" has all that Glue and Spark log, errors or not; "output" has all that the script writes.
WRITERS = {"error": "system", "output": "script"}


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

    def document(self, document: Mapping[str, Any]) -> None:
        """Write a document that is JSON in every output."""
        self._write(as_json(document, indent=None if self.output is Output.NDJSON else 2))

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

    def with_next(self, document: Mapping[str, Any], step: NextStep) -> dict[str, Any]:
        """Return a result with the step that comes next, in the form that errors have.

        Args:
            document: The result.
            step: What to do next.
        """
        return {**document, "next": next_of(step, self.spell)}

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
            writer = "executor" if line.executor else WRITERS.get(line.group, line.group)
            self._write(f"{line.at.astimezone():%H:%M:%S} {writer} {line.text}")
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
class Errors(Terminal):
    """Errors as the user sees them."""

    def error(self, error: EtltctlError) -> None:
        """Write what happened, to what, and what to do next; the traceback only with -vv."""
        if self.is_document:
            self.complain(as_json(error_document(error, self.spell, is_traced=self.verbosity > 1)))
            return
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

    def detached(self, error: DetachedError) -> None:
        """Write how to follow what was left running. The user chose this, so it is not an error."""
        if self.is_document:
            self.error(error)
            return
        if self.verbosity:
            self.complain(error.message)
        again = self.spell(error.next_step)
        self.complain(f"Detached. {again[:1].upper()}{again[1:]}")

    def fault(self, error: BaseException) -> None:
        """Write an error that etltctl did not foresee."""
        if self.is_document:
            trace = "".join(traceback.format_exception(error)) if self.verbosity > 1 else ""
            self.failure(type(error).__name__, f"unexpected: {error}", ExitCode.FAILED, NextStep(BUG), trace)
            return
        self.complain(f"error: unexpected {type(error).__name__}: {error}")
        if self.verbosity > 1:
            self.complain("".join(traceback.format_exception(error)).rstrip())
        else:
            self.complain(f"  next: {BUG}")

    def failure(
        self, class_name: str, message: str, exit_code: ExitCode, step: NextStep, trace: str = ""
    ) -> None:
        """Write a failure that is not an error of etltctl's tree as a document.

        Args:
            class_name: The name of its class.
            message: What happened.
            exit_code: What the process returns.
            step: What to do next.
            trace: The traceback, if it is wanted.
        """
        self.complain(as_json(plain_error_document(class_name, message, exit_code, step, self.spell, trace)))


@dataclass
class Console(Results, Progress, Errors):
    """Where a command says what it does."""
