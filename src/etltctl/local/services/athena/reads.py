"""What a query reads of its tables: the columns that it names, and the values that its conditions fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

PATH = "$path"


@dataclass(frozen=True)
class Reads:
    """What a query names.

    Args:
        columns: The names that may be those of columns; None if the query reads all columns of a table.
        has_paths: Whether the query reads the hidden column `$path`.
        values: The values that a column must have one of, by the column's name.
    """

    columns: frozenset[str] | None
    has_paths: bool
    values: Mapping[str, frozenset[str]]


def reads_of(query: exp.Expr) -> Reads:
    """Return what a query names, in lower case."""
    names = frozenset(name.name.lower() for name in query.find_all(exp.Identifier))
    # `count(*)` reads no column.
    is_whole = any(isinstance(star.parent, exp.Select | exp.Column) for star in query.find_all(exp.Star))
    is_whole = is_whole or any(isinstance(node, exp.Table) for node in (query, query.args.get("this")))
    values: dict[str, frozenset[str]] = {}
    for where in query.find_all(exp.Where):
        for column, texts in _fixed(where.this):
            values[column] = values.get(column, texts) & texts
    return Reads(None if is_whole else names, PATH in names, values)


def _fixed(condition: exp.Expr) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the columns that a condition compares with literals, and these literals."""
    match condition:
        case exp.Paren():
            yield from _fixed(condition.this)
        case exp.And():
            yield from _fixed(condition.left)
            yield from _fixed(condition.right)
        case exp.EQ():
            for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if isinstance(one, exp.Column) and isinstance(other, exp.Literal):
                    yield one.name.lower(), frozenset([other.name])
        case exp.In() if isinstance(condition.this, exp.Column):
            items = condition.expressions
            if items and all(isinstance(item, exp.Literal) for item in items):
                yield condition.this.name.lower(), frozenset(item.name for item in items)
