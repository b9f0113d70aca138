"""Tables of counts at the end of a run, from what each test recorded about itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

PROPERTY = "tally"


@dataclass(frozen=True)
class Tally:
    """A table of counts: its title, its columns, and the column of a test that fails."""

    title: str
    columns: Sequence[str]
    failed: str

    def entry(self, row: str, column: str, note: str = "") -> tuple[str, Any]:
        """Return the property that a test records; it travels to the process that prints the table.

        Args:
            row: the row that the test counts in.
            column: the column that it counts in if it passes.
            note: a name that is listed below the table.
        """
        return PROPERTY, (self.title, list(self.columns), self.failed, row, column, note)


@dataclass
class Counts:
    """The counts of one table so far."""

    columns: Sequence[str]
    rows: dict[str, Counter[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, row: str, column: str, note: str = "") -> None:
        """Count one test."""
        self.rows.setdefault(row, Counter())[column] += 1
        if note:
            self.notes.setdefault(f"{row} {column}", []).append(note)

    def lines(self) -> list[str]:
        """Return the table as text: the rows by name, their sum, and the notes."""
        rows = [*sorted(self.rows.items()), ("all", sum(self.rows.values(), Counter()))]
        width = max(len(name) for name, _ in rows)
        return [
            f"{'':{width}}  {'  '.join(self.columns)}",
            *(
                f"{name:{width}}  {'  '.join(f'{row[column]:{len(column)}}' for column in self.columns)}"
                for name, row in rows
            ),
            *(f"{name}: {', '.join(sorted(notes))}" for name, notes in sorted(self.notes.items())),
        ]

    def markdown(self, head: str) -> str:
        """Return the table for a page of the docs; `head` is the name of the first column."""
        rows = [*sorted(self.rows.items()), ("all", sum(self.rows.values(), Counter()))]
        return "".join(
            f"| {' | '.join(cells)} |\n"
            for cells in (
                (head, *self.columns),
                ("---", *("---:" for _ in self.columns)),
                *((name, *(str(row[column]) for column in self.columns)) for name, row in rows),
            )
        )


class TallyTables:
    """A plugin that counts the tests of a run by what they recorded, and prints the tables at its end."""

    def __init__(self) -> None:
        self._tables: dict[str, Counts] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: when it was called, or when its preparation failed."""
        if report.skipped or not (report.when == "call" or report.failed):
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                title, columns, failed, row, column, note = value
                column = failed if report.failed else column
                self._tables.setdefault(title, Counts(columns)).add(row, column, note)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a table for each title."""
        for title, counts in sorted(self._tables.items()):
            terminalreporter.section(title)
            for line in counts.lines():
                terminalreporter.line(line)
