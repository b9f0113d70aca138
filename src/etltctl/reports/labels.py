"""The words of a plot: titles of its axes and units, from the descriptions of the columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from etltctl.reports.plot_query import Column

LONGEST_UNIT = 16
LONGEST_LABEL = 60
NUMBER = re.compile(r"-?\d+(\.\d+)?")
POWERS = {"m2": "m²", "m3": "m³"}


def unit_of(column: Column) -> str:
    """Return the unit that the column's description ends with, such as `W/m²`; empty if it names none.

    The descriptions of the shipped tables have the unit after their last comma, before any semicolon.
    """
    clause = _clause(column)
    _, comma, last = clause.rpartition(", ")
    is_unit = (
        comma and len(last) <= LONGEST_UNIT and not re.match(r"(such|or|and|from|by|of|in|as)\b|\d+ to", last)
    )
    return re.sub(r"m[23]\b", lambda match: POWERS[match[0]], last) if is_unit else ""


def label_of(column: Column, unit: str = "") -> str:
    """Return the title of an axis: the column's description without its unit and asides, then the unit.

    Args:
        column: The column.
        unit: The unit; that of the description if it is empty.
    """
    clause = _clause(column)
    own = unit_of(column)
    text = clause.rpartition(", ")[0] if own else clause
    text = text.partition(", ")[0] or column.name.replace("_", " ")
    if len(text) > LONGEST_LABEL:
        text = column.name.replace("_", " ")
    shown = unit or own
    return f"{text} ({shown})" if shown else text


def by_size(names: Iterable[str]) -> list[str]:
    """Return the distinct names: numbers and ranges such as `0.5-2` by size, else in the order in which they come."""
    distinct = list(dict.fromkeys(names))
    starts = [NUMBER.match(name) for name in distinct]
    if not all(starts):
        return distinct
    return [
        name for _, name in sorted(zip((float(start[0]) for start in starts if start), distinct, strict=True))
    ]


def _clause(column: Column) -> str:
    """Return the first clause of the description, without what stands in brackets."""
    return re.sub(r"\s*\([^()]*\)", "", column.comment.partition(";")[0].partition(":")[0]).strip()
