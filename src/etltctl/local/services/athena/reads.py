"""What a query reads of its tables: the columns that it names, and the values that its conditions fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from etltctl.local.services.athena.dialect.names import PATH

Values = Mapping[str, frozenset[str]]  # by column


@dataclass(frozen=True)
class Reads:
    """What a query names.

    Args:
        columns: The names that may be those of columns; None if the query reads all columns of a table.
        has_paths: Whether the query reads the hidden column `$path`.
        values: By table, the values of which a column must have one wherever the query reads the table.
    """

    columns: frozenset[str] | None
    has_paths: bool
    values: Mapping[str, Values]

    def values_of(self, table: str) -> Values:
        """Return the values of which a column of a table must have one."""
        return self.values.get(table, {})


def reads_of(query: exp.Expr) -> Reads:
    """Return what a query names, in lower case."""
    # Any name may be that of a column, a field of one, or something else. Reading too much is not an error.
    names = frozenset(name.name.lower() for name in query.find_all(exp.Identifier))
    # `count(*)` reads no column.
    is_whole = any(isinstance(star.parent, exp.Select | exp.Column) for star in query.find_all(exp.Star))
    return Reads(None if is_whole else names, PATH in names, _values(query))


def _values(query: exp.Expr) -> dict[str, Values]:
    """Return the values that the query's conditions fix, by table and column."""
    read = Counter(table.name.lower() for table in query.find_all(exp.Table))
    fixed: dict[str, dict[str, list[frozenset[str]]]] = {}
    for select in query.find_all(exp.Select):
        where, from_ = select.args.get("where"), select.args.get("from_")
        if where is None or from_ is None:
            continue
        sources = [from_.this, *(join.this for join in select.args.get("joins") or ())]
        tables = {
            one.alias_or_name.lower(): one.name.lower() for one in sources if isinstance(one, exp.Table)
        }
        # Two conditions of one AND must both hold.
        of_select: dict[tuple[str, str], frozenset[str]] = {}
        for column, texts in _fixed(where.this):
            # A bare name is that of a column of the only table.
            qualifier = column.table.lower() or (next(iter(tables), "") if len(sources) == 1 else "")
            if qualifier in tables:
                key = (tables[qualifier], column.name.lower())
                of_select[key] = of_select.get(key, texts) & texts
        for (table, name), texts in of_select.items():
            fixed.setdefault(table, {}).setdefault(name, []).append(texts)
    # A table that is read once more, without the condition, may have rows with any value.
    return {
        table: {
            name: frozenset().union(*texts_of_selects)
            for name, texts_of_selects in columns.items()
            if len(texts_of_selects) == read[table]
        }
        for table, columns in fixed.items()
    }  # fmt: skip


def _fixed(condition: exp.Expr) -> Iterator[tuple[exp.Column, frozenset[str]]]:
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
                    yield one, frozenset([other.name])
        case exp.In() if isinstance(condition.this, exp.Column):
            items = condition.expressions
            if items and all(isinstance(item, exp.Literal) for item in items):
                yield condition.this, frozenset(item.name for item in items)
