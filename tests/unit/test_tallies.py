"""A run counts its tests by what they recorded, and a failed test in the column of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from support.tallies import Tally, TallyTables

TALLY = Tally("clients", ("works", "refused", "fails"), "fails")


class Terminal:
    """What a run prints."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        self.lines.append(f"= {title} =")

    def line(self, text: str) -> None:
        self.lines.append(text)


def report(outcome: str, when: str, properties: Sequence[tuple[str, Any]]) -> Any:
    return pytest.TestReport(
        "test",
        ("file", 1, "test"),
        {},
        outcome,
        None,
        when,
        user_properties=properties,  # type: ignore[arg-type]
    )


def test_a_table_has_a_row_for_each_client_and_the_sum() -> None:
    tables, terminal = TallyTables(), Terminal()
    for outcome, when, entry in (
        ("passed", "setup", TALLY.entry("a", "works")),  # counted when it is called, not before
        ("passed", "call", TALLY.entry("a", "works")),
        ("failed", "call", TALLY.entry("a", "works")),
        ("failed", "setup", TALLY.entry("b", "works")),
        ("skipped", "call", TALLY.entry("b", "works")),
        ("passed", "call", TALLY.entry("b", "refused", "list-stacks")),
    ):
        tables.pytest_runtest_logreport(report(outcome, when, [entry]))
    tables.pytest_terminal_summary(terminal)
    assert terminal.lines == [
        "= clients =",
        "     works  refused  fails",
        "a        1        0      1",
        "b        0        1      1",
        "all      1        1      2",
        "b refused: list-stacks",
    ]
