"""The layouts of a result of rows, one for each output; always piece by piece, as the rows come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain, islice
from typing import Any

from etltctl.tabulating import (
    CONTROL,
    MEASURED,
    Cells,
    aligned,
    cell_text,
    csv_lines,
    has_numbers,
    json_document,
    json_lines,
    plain_text,
)

# What Markdown would take for its own signs. An underscore inside a word is none of them.
MARKUP = re.compile(r"[\\|`*\[<&~]|(?<![^\W_])_|_(?![^\W_])")


class Output(StrEnum):
    """How a result is written to stdout."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"
    PARQUET = "parquet"


def laid_out(
    output: Output, columns: Sequence[str], rows: Iterable[Cells], head: Mapping[str, Any], width: int = 0
) -> Iterator[str]:
    """Return the lines of a result.

    Args:
        output: The output; not Parquet, which has no lines.
        columns: The names of the columns.
        rows: The rows.
        head: The schema and the facts with which a JSON document begins.
        width: The most characters of a row in a table; the rows stand one below the other if one is wider. 0 is any.
    """
    match output:
        case Output.NDJSON:
            return json_lines(columns, rows)
        case Output.JSON:
            return json_document(head, columns, rows)
        case Output.CSV:
            return csv_lines(columns, rows)
        case Output.MARKDOWN:
            return markdown_lines(columns, rows)
        case _:
            return _table(columns, rows, width)


def _table(columns: Sequence[str], rows: Iterable[Cells], width: int) -> Iterator[str]:
    coming = iter(rows)
    # The same rows that decide the widths of the columns decide the layout.
    measured = list(islice(coming, MEASURED))
    every = chain(measured, coming)
    if width and any(len(line) > width for line in aligned(columns, measured)):
        return vertical(columns, every)
    return aligned(columns, every)


def vertical(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield each row as a block: a line that numbers it, then a line for each column.

    Args:
        columns: The names of the columns.
        rows: The rows.
    """
    wide = max(map(len, columns), default=0)
    for number, row in enumerate(rows, start=1):
        yield f"── row {number} ".ljust(wide + 2, "─")
        for name, value in zip(columns, row, strict=True):
            yield f"{name:<{wide}}  {cell_text(value)}".rstrip()


def markdown_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield the rows as a table of Markdown: numbers to the right, null as an empty cell.

    Args:
        columns: The names of the columns.
        rows: The rows. The first thousand decide which columns are numbers.
    """
    coming = iter(rows)
    measured = [list(row) for row in islice(coming, MEASURED)]

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    yield line(map(_in_markdown, columns))
    yield line("---:" if has_numbers(measured, index) else "---" for index in range(len(columns)))
    for row in chain(measured, coming):
        yield line(_in_markdown(_for_people(value)) for value in row)


def _for_people(value: object) -> str:
    # Unlike in a table, a number keeps all its digits: nothing has to fit a width.
    return cell_text(value) if value is None or isinstance(value, datetime) else plain_text(value)


def _in_markdown(text: str) -> str:
    """Return the text so that Markdown shows it as it is, on one line."""
    one_line = CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
    return MARKUP.sub(lambda match: f"\\{match[0]}", one_line)
