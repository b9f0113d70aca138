"""What stands behind OVER: partitions, order and frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.services.athena.dialect.outputs import refuse_grouping
from etltctl.local.services.athena.dialect.values import Value

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions
    from etltctl.local.services.athena.dialect.queries import Queries


def window(queries: Queries, node: exp.Expr, compiler: Expressions) -> str:
    """Translate a window: its own clauses, added to those of the window that it names."""
    return f"({' '.join(part for part in _clauses(queries, node, compiler) if part)})"


def _clauses(queries: Queries, node: exp.Expr, compiler: Expressions) -> list[str]:
    partition, order, frame = "", "", ""
    alias = node.args.get("alias")
    if alias is not None:
        named = queries.windows.get(alias.name.lower())
        if named is None:
            raise QueryError(
                "INVALID_WINDOW_REFERENCE", f"{place(node)}: Cannot resolve WINDOW name {alias.name}"
            )
        partition, order, frame = _clauses(queries, named, compiler)
    if node.args.get("partition_by"):
        keys = [compiler.value(key) for key in node.args["partition_by"]]
        refuse_grouping([key.type for key in keys], "PARTITION BY")
        partition = f"PARTITION BY {', '.join(key.sql for key in keys)}"
    if node.args.get("order") is not None:
        order = f"ORDER BY {queries.order_keys(node.args['order'], compiler)}"
    if (spec := node.args.get("spec")) is not None:
        frame = _frame(spec, compiler)
    return [partition, order, frame]


def _frame(spec: exp.Expr, compiler: Expressions) -> str:
    if spec.args.get("exclude"):
        raise unsupported("EXCLUDE in a window frame")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), compiler)
    end = _bound(spec.args.get("end"), spec.args.get("end_side"), compiler)
    return f"{spec.args['kind'].upper()} " + (f"BETWEEN {start} AND {end}" if end else start)


def _bound(value: object, side: object, compiler: Expressions) -> str:
    if value is None:
        return ""
    words = str(side or "").upper()
    if isinstance(value, str):
        return f"{value} {words}".strip()
    assert isinstance(value, exp.Expr)
    return f"{_distance(compiler.value(value))} {words}"


def _distance(value: Value) -> str:
    """Return a distance as DuckDB counts it: intervals are numbers of milliseconds or months here."""
    if value.type.is_("interval day to second"):
        return f"to_milliseconds({value.sql})"
    if value.type.is_("interval year to month"):
        return f"to_months({value.sql})"
    return value.sql
