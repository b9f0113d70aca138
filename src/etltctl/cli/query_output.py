"""The rows of a query where the user wants them: on standard output or in a file, as text or as Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, BinaryIO

from etltctl.atomic_files import atomic_file
from etltctl.console import Console, Output, end_for_no_reader
from etltctl.errors import EtltctlError, NextStep, UsageError

if TYPE_CHECKING:
    from etltctl.querying import Answer

BY_ENDING = {
    ".parquet": Output.PARQUET,
    ".csv": Output.CSV,
    ".json": Output.JSON,
    ".ndjson": Output.NDJSON,
    ".jsonl": Output.NDJSON,
    ".md": Output.MARKDOWN,
    ".txt": Output.TABLE,
    "": Output.TABLE,
}
ALWAYS, NEVER = 1, 0  # widths with which every row is too wide, or none


@dataclass(frozen=True)
class QueryOutput:
    """Where and how the rows of a query are written.

    Attributes:
        console: The command's console, with the output that was chosen.
        file: The file to write; None for standard output.
        width: The most characters of a row in a table; 0 is any.
    """

    console: Console
    file: Path | None
    width: int

    @classmethod
    def of(cls, console: Console, file: Path | None, is_vertical: bool | None) -> QueryOutput:
        """Return the output that the options ask for.

        Args:
            console: The command's console.
            file: The file to write, if any. Its ending chooses the output if none was chosen.
            is_vertical: Whether rows stand one column a line; None: if a row is wider than the terminal.

        Raises:
            UsageError: The rows cannot be written there, or the ending is not one of an output.
        """
        chosen = console.output
        if file is not None and chosen is Output.TABLE:
            chosen = _by_ending(file)
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            what = "it is a folder" if file.is_dir() else f"the folder {file.parent} does not exist"
            raise UsageError(f"cannot write {file}: {what}; no query was started")
        if chosen is Output.PARQUET and file is None and console.stdout.isatty():
            raise UsageError(
                "Parquet is binary, and standard output is a terminal; no query was started",
                hint=NextStep("name a file: --to FILE.parquet"),
            )
        # Only on a terminal by itself: what a pipe reads must not depend on the width of a value.
        is_automatic = is_vertical is None and file is None and console.stdout.isatty()
        width = get_terminal_size().columns if is_automatic else ALWAYS if is_vertical else NEVER
        return cls(replace(console, output=chosen), file, width)

    def write(self, answer: Answer) -> None:
        """Write the rows of the answer.

        Raises:
            UsageError: The answer has no columns, or a value that Parquet cannot hold.
            EtltctlError: The file cannot be written.
        """
        if self.file is None and self.console.output is not Output.PARQUET:
            self._write_text(answer, self.console)
            return
        with self._opened() as stream:
            self._write(answer, stream)
        if self.file is not None:
            self.console.say(f"wrote {self.file}")

    def _write(self, answer: Answer, stream: BinaryIO) -> None:
        if self.console.output is not Output.PARQUET:
            text = io.TextIOWrapper(stream, "utf-8", errors="backslashreplace", newline="\n")
            self._write_text(answer, replace(self.console, stdout=text))
            text.detach()
            return
        try:
            answer.write_parquet(stream)
            stream.flush()
        except BrokenPipeError:
            end_for_no_reader()

    def _write_text(self, answer: Answer, console: Console) -> None:
        # A statement without a result, such as CREATE VIEW or INSERT, has no columns to print.
        count = answer.affected_rows
        affected = (
            "" if count is None else f" {count:,} {'row' if count == 1 else 'rows'} written or changed."
        )
        none = "" if answer.names else f"Done.{affected}"
        console.rows(
            "etltctl.query/1", answer.names, answer.rows(), none=none, width=self.width, **answer.facts()
        )

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        place = self.file or "standard output"
        try:
            # Of standard output the bytes below the text.
            with atomic_file(self.file) if self.file else nullcontext(self.console.stdout.buffer) as stream:
                yield stream
        except OSError as error:
            raise EtltctlError(f"the result cannot be written to {place}: {error.strerror}") from error


def _by_ending(file: Path) -> Output:
    if (ending := file.suffix.lower()) in BY_ENDING:
        return BY_ENDING[ending]
    known = ", ".join(ending for ending in BY_ENDING if ending)
    raise UsageError(
        f"cannot write {file}: no output has the ending {ending}; no query was started",
        hint=NextStep(f"use one of {known}, or choose the output with -o"),
    )
