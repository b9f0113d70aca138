"""Rows as text: aligned, as CSV, as JSON; always piece by piece, so that any number of them fits in memory."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, count, islice
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

Cells = Sequence[object]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # characters that move the cursor or command the terminal
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # the same without tab and line feed
STATUSES = ("fail", "warn", "skip", "ok")  # of the doctor's checks, the worst first
WIDTH_WITHOUT_TERMINAL = 100
NARROWEST = 60  # a terminal with fewer columns breaks the lines itself
BELOW = 5 * " "  # before a cell that stands below its row
MEASURED = 1000  # rows that decide how wide a column is; later ones may stick out


def aligned(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Return the lines of rows under their column names: numbers to the right, everything else to the left.

    Args:
        columns: The names of the columns.
        rows: The rows. The first thousand decide the widths.
    """
    coming = iter(rows)
    # Reading all rows first would keep an answer of any size in memory.
    measured = [list(row) for row in islice(coming, MEASURED)]
    texts = [[cell_text(value) for value in row] for row in measured]
    widths = [max(len(name), *(len(row[i]) for row in texts), 0) for i, name in enumerate(columns)]
    right = [has_numbers(measured, index) for index in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, right, strict=True)
        )
        return "  ".join(placed).rstrip()

    later = ([cell_text(value) for value in row] for row in coming)
    return chain([line(columns), line(["─" * width for width in widths])], map(line, chain(texts, later)))


def folded(columns: Sequence[str], rows: Iterable[Cells], width: int = 0) -> Iterator[str]:
    """Yield the lines of rows whose last cell is long: it stands below its row if the row would be too wide with it.

    Args:
        columns: The names of the columns.
        rows: The rows.
        width: The most characters of a line; that of the terminal if 0. An id stays in one piece, so that it can be
            copied, unless it is wider alone.
    """
    # COLUMNS wins over the terminal, and without both the output goes to a file or a pipe.
    width = width or max(get_terminal_size((WIDTH_WITHOUT_TERMINAL, 0)).columns, NARROWEST)

    def within(line: str, indent: str = "") -> list[str]:
        return wrap(line, width, initial_indent=indent, subsequent_indent=BELOW, break_on_hyphens=False)

    every = [list(row) for row in rows]
    head, rule, *starts = aligned(columns[:-1], [row[:-1] for row in every])
    left = len(rule)
    yield from within(f"{head:<{left}}  {columns[-1]}")
    yield from within(f"{rule}  {'─' * len(columns[-1])}")
    for start, row in zip(starts, every, strict=True):
        last = cell_text(row[-1])
        if left + 2 + len(last) <= width:
            yield f"{start:<{left}}  {last}".rstrip()
            continue
        yield from within(start)
        yield from within(last, BELOW)


def findings_lines(findings: Sequence[Sequence[str]], *, is_whole: bool) -> Iterator[str]:
    """Yield the doctor's findings as lines.

    Args:
        findings: The area, subject, status, evidence and fix of each check.
        is_whole: Whether the checks that passed are listed one by one; those of a single area always are.

    Yields:
        The problems, each with its fix below it, then the checks that passed, then the counts.
    """
    is_short = not is_whole and len({area for area, *_ in findings}) > 1
    shown = sorted(
        (one for one in findings if not is_short or one[2] != "ok"), key=lambda one: STATUSES.index(one[2])
    )
    wide = max((len(one[1]) for one in shown), default=0)
    for area, subject, status, evidence, fix in shown:
        yield f"{status:<4}  {area:<11} {subject:<{wide}}  {evidence}"
        if fix and status != "ok":
            yield f"{'':<4}  {'':<11} fix: {fix}"
    passed = Counter(area for area, _, status, *_ in findings if status == "ok") if is_short else Counter()
    for area, number in passed.items():
        yield f"ok    {area:<11} {number} {'check' if number == 1 else 'checks'}"
    counts = Counter(status for _, _, status, *_ in findings)
    summary = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    yield f"{summary}{'  (-v lists every check)' if passed else ''}"


def money_text(usd: float | None, *, digits: int = 2) -> str:
    """Return an amount as text.

    Args:
        usd: The US dollars; None for the work of services on this machine, which bill nothing.
        digits: How many digits stand after the point.
    """
    return "0.00 USD on this machine" if usd is None else f"{usd:,.{digits}f} USD"


def local_time(timestamp: str | datetime) -> str:
    """Return a time as people read it: local, with its zone, to the second."""
    moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else timestamp
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def utc_time(timestamp: str | datetime) -> str:
    """Return a time as machines read it: ISO 8601 in UTC, to the millisecond, as the ledger has it."""
    moment = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else timestamp
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def csv_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield the rows as lines of CSV with a header; null is an empty cell."""
    for row in chain([columns], rows):
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="", quoting=csv.QUOTE_MINIMAL)
        writer.writerow(["" if value is None else plain_text(value) for value in row])
        yield line.getvalue()


def json_lines(columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Return each row as one JSON object."""
    names = distinct(columns)
    return (as_json(dict(zip(names, row, strict=True))) for row in rows)


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names as keys of an object: a name that occurs again is numbered, such as `city_2`."""
    keys: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(2))
        # Athena allows two columns of one name, and an object of JSON does not.
        keys.append(name if name not in keys else next(one for one in numbered if one not in {*keys, *names}))
    return keys


def json_document(head: Mapping[str, Any], columns: Sequence[str], rows: Iterable[Cells]) -> Iterator[str]:
    """Yield the lines of one JSON document: the pairs of `head`, then the rows under `rows`."""
    # Opened by hand, so that rows can follow one by one.
    yield as_json(head, indent=2).removesuffix("\n}") + ","
    coming = json_lines(columns, rows)
    # One row is held back, because the last one has no comma.
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
    """Return the document as JSON.

    A value that JSON has no type for is a string: a date, NaN, Infinity, and a decimal, because most readers of JSON
    would make a double of it.
    """
    try:
        # A number that JSON lacks is rare, so the whole document is looked through only when one turns up.
        return json.dumps(document, indent=indent, default=_text, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(document), indent=indent, default=_text, ensure_ascii=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    return value


def has_numbers(rows: Sequence[Cells], index: int) -> bool:
    """Return whether the column has numbers and nulls alone."""
    return bool(rows) and all(_is_number(row[index]) or row[index] is None for row in rows)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _text(value: object) -> str:
    """Return a single value as text for programs.

    A boolean is as in SQL, a decimal has all its digits and no exponent, a time is ISO 8601 in UTC.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return utc_time(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def plain_text(value: object) -> str:
    """Return a value as text for programs: a list or an object as JSON."""
    return as_json(value) if isinstance(value, list | tuple | dict) else _text(value)


def cell_text(value: object) -> str:
    """Return a value as the text of a cell that a person reads: null is empty, a control character is spelled."""
    if isinstance(value, dict) or (isinstance(value, list | tuple) and any(map(_is_nested, value))):
        return CONTROL.sub(lambda match: repr(match[0])[1:-1], as_json(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(cell_text, value))
    if isinstance(value, float):
        # The shortest text that gives the same number, unless it is too wide for a table.
        return repr(value) if len(repr(value)) <= 10 else f"{value:.8g}"
    if isinstance(value, datetime):
        return local_time(value)
    return "" if value is None else CONTROL.sub(lambda match: repr(match[0])[1:-1], _text(value))


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list | tuple)


def printable(text: str) -> str:
    """Return the text with control characters made visible, because a terminal obeys them."""
    return OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(text: str, limit: int) -> str:
    """Return a text as one line of at most `limit` characters, without control characters.

    Args:
        text: The text.
        limit: The most characters.
    """
    # A control character would break the line in one reader, and make another refuse the whole text.
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def capitalized(text: str) -> str:
    """Return the text with a capital letter. The name of a step at its beginning, such as `sql:daily`, stays as it is.

    Args:
        text: A sentence; it may be empty.
    """
    is_name = ":" in text.partition(" ")[0]
    return text if is_name else f"{text[:1].upper()}{text[1:]}"
