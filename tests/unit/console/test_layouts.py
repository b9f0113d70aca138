"""How rows are laid out: Markdown that shows its cells as they are, and times as their reader wants them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from etltctl.console import Console
from etltctl.console.layouts import Output, markdown_lines, vertical

AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def shown(output: Output, rows: list[tuple[object, ...]], none: str = "") -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    Console(output, plain=True, stdout=out, stderr=err).rows("s/1", ("at", "n"), rows, none=none)
    return out.getvalue(), err.getvalue()


def test_markdown_is_a_table_with_numbers_to_the_right() -> None:
    assert list(markdown_lines(("city_key", "n"), [("a", 1), (None, None)])) == [
        "| city_key | n |", "| --- | ---: |", "| a | 1 |", "|  |  |",
    ]  # fmt: skip


def test_markdown_shows_a_cell_as_it_is() -> None:
    *_, row = markdown_lines(("text",), [("a|b *c* <b> [d] _e_ f_g \\ `h` &amp; ~i\nnext",)])
    assert row == "| a\\|b \\*c\\* \\<b> \\[d] \\_e\\_ f_g \\\\ \\`h\\` \\&amp; \\~i\\\\nnext |"


def test_markdown_without_rows_is_a_sentence_on_stderr() -> None:
    assert shown(Output.MARKDOWN, [], none="Nothing yet.") == ("", "Nothing yet.\n")


def test_vertical_numbers_the_rows_and_aligns_the_values() -> None:
    assert list(vertical(("city_key", "n"), [("a", 1), (None, 2)])) == [
        "── row 1 ─", "city_key  a", "n         1", "── row 2 ─", "city_key", "n         2",
    ]  # fmt: skip


@pytest.mark.parametrize("output", [Output.JSON, Output.NDJSON, Output.CSV])
def test_a_time_is_iso_8601_in_utc_where_a_machine_reads_it(output: Output) -> None:
    text = shown(output, [(AT.astimezone(), 1)])[0]
    assert "2026-01-31T12:00:00.000+00:00" in text
    if output is Output.JSON:
        assert json.loads(text)["rows"] == [{"at": "2026-01-31T12:00:00.000+00:00", "n": 1}]


@pytest.mark.parametrize("output", [Output.TABLE, Output.MARKDOWN])
def test_a_time_is_local_with_its_zone_where_a_person_reads_it(output: Output) -> None:
    assert AT.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") in shown(output, [(AT, 1)])[0]
