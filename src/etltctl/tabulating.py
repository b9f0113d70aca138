"""Rows as text: aligned, as CSV, as JSON, always piece by piece, so that any number of them fits in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

Cells = Sequence[object]

MEASURED = 1000  # rows that decide how wide a column is; later ones may stick out


def aligned(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Lines of rows under their column names: numbers to the right, everything else to the left."""
    coming = iter(rows)
    listed = [list(row) for row in islice(coming, MEASURED)]
    texts = [[_cell(value) for value in row] for row in listed]
    widths = [max(len(name), *(len(row[i]) for row in texts), 0) for i, name in enumerate(columns)]
    right = [
        bool(listed) and all(isinstance(row[i], int | float) or row[i] is None for row in listed)
        for i in range(len(columns))
    ]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, right, strict=True)
        )
        return "  ".join(placed).rstrip()

    later = ([_cell(value) for value in row] for row in coming)
    return chain([line(columns), line(["─" * width for width in widths])], map(line, chain(texts, later)))


def local_time(timestamp: str) -> str:
    """A UTC timestamp as local time with its zone, to the second."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def csv_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Lines of CSV with a header; null is an empty cell."""
    for row in chain([columns], rows):
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="", quoting=csv.QUOTE_MINIMAL)
        writer.writerow(["" if value is None else _plain(value) for value in row])
        yield line.getvalue()


def json_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """One JSON object a row."""
    return (as_json(dict(zip(columns, row, strict=True))) for row in rows)


def json_document(head: Mapping[str, Any], columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Lines of one JSON document: what `head` says, then the rows."""
    yield as_json(head, indent=2).removesuffix("\n}") + ","
    coming = (as_json(dict(zip(columns, row, strict=True))) for row in rows)
    row = next(coming, None)
    if row is None:
        yield '  "rows": []\n}'
        return
    yield '  "rows": ['
    for after in coming:
        yield f"    {row},"
        row = after
    yield f"    {row}\n  ]\n}}"


def as_json(document: Any, indent: int | None = None) -> str:
    """The document as JSON, what JSON has no type for as text."""
    return json.dumps(document, indent=indent, default=str, ensure_ascii=False)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return as_json(value) if isinstance(value, list | tuple | dict) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    if isinstance(value, float):
        return repr(value) if len(repr(value)) <= 10 else f"{value:.8g}"
    return "" if value is None else str(value)
