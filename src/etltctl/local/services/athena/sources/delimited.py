"""Rows of delimited text: LazySimpleSerDe, OpenCSVSerde and RegexSerDe."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from etltctl.hive import HiveType
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.sources.values import converter, days, milliseconds

Cells = Sequence[str | None]
Columns = Sequence[tuple[str, HiveType]]
Row = Callable[
    [str], list[Any] | None
]  # the values of a line that the query reads; None for a line without a row

# The delimiters of nested values that no property sets, by depth.
CONTROLS = [chr(code) for code in range(1, 9)]


def lazy_simple(columns: Columns, indices: Sequence[int], parameters: Mapping[str, str]) -> Row:
    """Return the reader of a line that LazySimpleSerDe writes. A text that does not fit its type is null."""
    # Hive reads the delimiter from either property. Without both it is Control-A.
    field = parameters.get("field.delim", parameters.get("serialization.format", "\x01"))
    separators = [character(field), *CONTROLS[1:]]
    for depth, names in ((1, ("collection.delim", "colelction.delim")), (2, ("mapkey.delim",))):
        separators[depth] = next(
            (character(parameters[n]) for n in names if n in parameters), separators[depth]
        )
    escape = character(parameters["escape.delim"]) if parameters.get("escape.delim") else ""
    if parameters.get("timestamp.formats") and any(
        columns[index][1].name == "timestamp" for index in indices
    ):
        raise unsupported("the property timestamp.formats")
    null = parameters.get("serialization.null.format", r"\N")
    # With this property the last column keeps the delimiters that it contains.
    takes_rest = parameters.get("serialization.last.column.takes.rest", "").lower() == "true"
    most = len(columns) - 1 if takes_rest else -1
    reads = {index: _lazy(columns[index][1], separators, 1, escape, null) for index in indices}

    def row(line: str) -> list[Any]:
        # A short line leaves the last columns null, and a long one is cut.
        cells = _split(line, separators[0], escape, most)
        return [reads[index](cells[index]) if index < len(cells) else None for index in indices]

    return row


def _lazy(
    kind: HiveType, separators: Sequence[str], depth: int, escape: str, null: str
) -> Callable[[str], Any]:
    """Return what makes a value of the text of a cell, whose parts the separator of a depth divides."""

    # Each level of nesting takes the next separator; a map takes two.
    def inner(part: str, below: int) -> Callable[[str], Any]:
        return _lazy(kind.parts[part], separators, below, escape, null)

    if kind.parts and depth >= len(separators) - 1:
        raise unsupported("values that are nested so deep in text")
    separator = separators[depth] if kind.parts else ""
    if kind.name == "array":
        element = inner("element", depth + 1)
        return lambda text: (
            None if text == null else [element(p) for p in _split(text, separator, escape) if text]
        )
    if kind.name == "struct":
        fields = [(name, inner(name, depth + 1)) for name in kind.parts]

        def struct(text: str) -> dict[str, Any] | None:
            parts = _split(text, separator, escape)
            values = zip(fields, [*parts, *[null] * len(fields)], strict=False)
            return None if text == null else {name: read(part) for (name, read), part in values}

        return struct
    if kind.name == "map":
        between, key, value = separators[depth + 1], inner("key", depth + 2), inner("value", depth + 2)

        def pairs(text: str) -> list[tuple[Any, Any]] | None:
            parts = [_split(part, between, escape, 1) for part in _split(text, separator, escape) if text]
            return (
                None
                if text == null
                else [(key(part[0]), value(part[1] if part[1:] else null)) for part in parts]
            )

        return pairs
    return _scalar(kind, escape, null)


def _scalar(kind: HiveType, escape: str, null: str) -> Callable[[str], Any]:
    convert = converter(kind)

    def read(text: str) -> Any:
        if text == null:
            return None
        try:
            return convert(_unescaped(text, escape) if escape else text)
        except ValueError:
            return None

    return read


def _split(text: str, separator: str, escape: str, most: int = -1) -> list[str]:
    """Split at the separators that no escape precedes."""
    if not escape or escape not in text:
        return text.split(separator, most)
    cells: list[str] = []
    start, at = 0, 0
    while at < len(text) and len(cells) != most:
        if text[at] == escape:  # the next character stands for itself
            at += 1
        elif text[at] == separator:
            cells.append(text[start:at])
            start = at + 1
        at += 1
    return [*cells, text[start:]]


def _unescaped(text: str, escape: str) -> str:
    def unescaped(match: re.Match[str]) -> str:
        return {"n": "\n", "r": "\r"}.get(match[1], match[1])

    return re.sub(re.escape(escape) + "(.)", unescaped, text, flags=re.DOTALL)


def character(text: str) -> str:
    """Return the character that a property names: by its code, or by itself. Hive does so."""
    if re.fullmatch(r"-?\d{1,3}", text) and -128 <= int(text) <= 127:
        return chr(int(text) & 0xFF)
    return text[:1] or "\x00"


def open_csv(columns: Columns, indices: Sequence[int], parameters: Mapping[str, str]) -> Row:
    """Return the reader of a line of CSV. A text that does not fit its type ends the query."""
    separator, quote, escape = (
        parameters.get(name, default)[:1]
        for name, default in (("separatorChar", ","), ("quoteChar", '"'), ("escapeChar", "\\"))
    )
    reads = {}
    for index in indices:
        name, kind = columns[index]
        if kind.parts or kind.name == "binary":
            raise unsupported(f"columns of type {kind} in CSV")
        # This SerDe keeps a date as days and a timestamp as milliseconds since 1970, says Athena's guide.
        special = {"date": days, "timestamp": milliseconds}.get(kind.name)
        reads[index] = _strict(special or converter(kind), index, name)
    style: dict[str, Any] = {"delimiter": separator or ",", "doublequote": True}
    style["quotechar"] = quote if quote not in ("", "\x00") else None
    style["quoting"] = csv.QUOTE_MINIMAL if style["quotechar"] else csv.QUOTE_NONE
    # A quote that escapes itself is `""`, which csv reads without an escape.
    style["escapechar"] = escape if escape not in ("", "\x00", quote) else None
    csv.field_size_limit(1 << 30)

    def row(line: str) -> list[Any]:
        # Each line alone: Athena does not read a quoted newline in CSV.
        cells = next(csv.reader([line], **style), [""])
        return [reads[index](cells[index]) if index < len(cells) else None for index in indices]

    return row


def _strict(convert: Callable[[str], Any], index: int, name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, OverflowError) as error:
            raise bad_field(text, index, name) from error

    return read


def bad_field(text: str, index: int, name: str) -> QueryError:
    """Build the error of a text that does not fit the type of its column.

    Args:
        text: The text.
        index: The position of the column, from 0.
        name: The name of the column.
    """
    return QueryError(
        "HIVE_BAD_DATA",
        f"Error parsing field value '{text}' for field {index}: For input string: \"{text}\" ({name})",
    )


def regex(columns: Columns, indices: Sequence[int], parameters: Mapping[str, str]) -> Row:
    """Return the reader of a line whose columns are the groups of a regular expression. Another line is all null."""
    from etltctl.local.services.athena.dialect.functions.java_regex import compiled

    pattern = compiled(parameters.get("input.regex", ""))
    reads = {index: _scalar(columns[index][1], "", r"\N") for index in indices}

    def row(line: str) -> list[Any]:
        match = pattern.fullmatch(line)
        groups = match.groups() if match else ()
        cells = [groups[index] if index < len(groups) else None for index in indices]
        return [
            None if cell is None else reads[index](cell) for index, cell in zip(indices, cells, strict=True)
        ]

    return row
