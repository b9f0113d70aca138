"""Rows with a long last cell: no line is wider than the terminal."""

from __future__ import annotations

import pytest

from etltctl.tabulating import folded

COLUMNS = ("seq", "time", "step", "event", "facts")
ROWS = [
    (1, "2026-01-01 00:00:00", "", "run.started", "pipeline=api version=1"),
    (
        20,
        "2026-01-01 00:00:01",
        "glue:bronze_to_silver_api",
        "remote.started",
        "service=Glue state=STARTING " * 5,
    ),
    (21, "2026-01-01 00:00:02", "athena:refresh", "publish.switched", "a-b " * 9),
]


@pytest.mark.parametrize("width", [60, 72, 80, 95, 140])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = list(folded(COLUMNS, ROWS))
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert words.count("service=Glue") == 5
    assert [word for word in words if word in COLUMNS] == [*COLUMNS]


def test_a_terminal_narrower_than_the_narrowest_breaks_lines_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    narrow = list(folded(COLUMNS, ROWS))
    assert narrow == list(folded(COLUMNS, ROWS, width=60))
