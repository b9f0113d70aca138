"""SELECT: its clauses in the order in which Trino resolves names, FROM first and ORDER BY last; and its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import QueryError, mismatch, place, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions
from etltctl.local.services.athena.dialect.names import Field, Output, Query, Scope, refuse_grouping
from etltctl.local.services.athena.dialect.relations import from_clause
from etltctl.local.services.athena.dialect.values import Value, member
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.queries import Queries


def select(queries: Queries, node: exp.Select, outer: Scope | None) -> Query:
    """Translate a SELECT."""
    sql, scope = from_clause(queries, node, outer)
    compiler = Expressions(scope, _with_windows(queries, node))
    columns, values = _outputs(compiler, node, scope)
    is_distinct = node.args.get("distinct") is not None
    if is_distinct:
        refuse_grouping([value.type for value in values], "DISTINCT")
    select_list = ", ".join(
        f"{v.sql} AS {quoted_name(c.duckdb_name)}" for v, c in zip(values, columns, strict=True)
    )
    # Two output columns may have one name in Trino, so each has a name c0, c1, … in DuckDB.
    text = f"SELECT {'DISTINCT ' if is_distinct else ''}{select_list}{sql}"
    if (where := node.args.get("where")) is not None:
        text += f" WHERE {compiler.condition(where.this)}"
    # In GROUP BY a position is an output column, but a name is always an input column.
    text += _grouped(compiler, node, values)
    if (having := node.args.get("having")) is not None:
        text += f" HAVING {compiler.condition(having.this, 'HAVING clause')}"
    return _finished(queries, node, compiler, text, columns, values)


def _finished(
    queries: Queries,
    node: exp.Select,
    compiler: Expressions,
    text: str,
    columns: Sequence[Output],
    values: Sequence[Value],
) -> Query:
    order, limit = node.args.get("order"), node.args.get("limit")
    if order is not None and node.args.get("distinct") is not None:
        _check_distinct_order(order, node.expressions)
    keys = queries.output_keys(order, columns, values, compiler) if order is not None else ""
    options = limit.args.get("limit_options") if isinstance(limit, exp.Fetch) else None
    if options is not None and options.args.get("with_ties"):
        return _with_ties(queries, node, text, columns, keys)
    query = Query(text + (f" ORDER BY {keys}" if keys else ""), columns)
    return Query(query.sql + queries.limited(node), columns)


def _check_distinct_order(order: exp.Expr, items: Sequence[exp.Expr]) -> None:
    """Refuse a key that SELECT DISTINCT does not return, because its rows have no such value."""
    if any(item.is_star for item in items):
        return
    names = {item.alias_or_name.lower() for item in items}
    for key in order.expressions:
        column = key.this.name.lower() if isinstance(key.this, exp.Column | exp.Literal) else ""
        is_output = column in names or column.isdigit() or any(key.this == item.unalias() for item in items)
        if not is_output:
            words = "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            raise QueryError("EXPRESSION_NOT_IN_DISTINCT", f"{place(key)}: {words}")


def _with_ties(queries: Queries, node: exp.Select, text: str, columns: Sequence[Output], keys: str) -> Query:
    """Translate FETCH FIRST n ROWS WITH TIES: the rows whose rank by the keys is at most n."""
    if not keys:
        raise QueryError("MISSING_ORDER_BY", f"{place(node)}: FETCH FIRST WITH TIES clause requires ORDER BY")
    if node.args.get("offset") is not None or node.args.get("distinct") is not None or node.args.get("group"):
        raise unsupported("FETCH FIRST WITH TIES with OFFSET, DISTINCT or GROUP BY")
    head, _, tail = text.partition("SELECT ")
    name, count = queries.fresh(), node.args["limit"].args["count"]
    select_list = ", ".join(quoted_name(column.duckdb_name) for column in columns)
    # DuckDB has no WITH TIES.
    ranked = f"{head}SELECT rank() OVER (ORDER BY {keys}) AS athena_rank, {tail}"
    last = int(count.name) if count is not None else 1
    return Query(
        f"SELECT {select_list} FROM ({ranked}) {name} WHERE athena_rank <= {last} ORDER BY athena_rank",
        columns,
    )


def _outputs(compiler: Expressions, node: exp.Select, scope: Scope) -> tuple[list[Output], list[Value]]:
    """Translate the select list. A star becomes columns."""
    columns: list[Output] = []
    values: list[Value] = []
    for item in node.expressions:
        for name, value in _items(compiler, item, scope):
            columns.append(Output(name, value.type, f"c{len(columns)}"))
            values.append(value)
    return columns, values


def _items(compiler: Expressions, item: exp.Expr, scope: Scope) -> list[tuple[str | None, Value]]:
    if isinstance(item, exp.Star):
        return [(known.name, Value(known.sql, known.type)) for known in _starred(item, scope.fields, item)]
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return _qualified_star(compiler, item, scope)
    if isinstance(item, exp.Alias):
        return [(item.alias, compiler.value(item.this))]
    named = item.this if isinstance(item, exp.Paren) else item
    # `(x)` is still named x, and `x + 0` has no name.
    while isinstance(named, exp.Paren):
        named = named.this
    name = None
    if isinstance(named, exp.Column):
        name = named.name
    elif isinstance(named, exp.Dot):
        name = named.expression.name
    return [(name, compiler.value(item))]


def _qualified_star(compiler: Expressions, item: exp.Column, scope: Scope) -> list[tuple[str | None, Value]]:
    parts = [part.name.lower() for part in item.parts[:-1]]
    # `t.*` is every column of the table t, or every field of the row t.
    fields = [known for known in scope.fields if replace(known, name="*").is_named([*parts, "*"])]
    if fields:
        return [(known.name, Value(known.sql, known.type)) for known in _starred(item.this, fields, item)]
    try:
        whole, rest = scope.resolve(parts, item)
    except QueryError as error:
        raise QueryError(
            "TABLE_NOT_FOUND", f"{place(item)}: Unable to resolve reference {'.'.join(parts)}"
        ) from error
    if rest or not whole.type.is_("row"):
        raise mismatch(f"expected expression of type Row, not {whole.type}", item)
    return [
        (name, Value(member(whole.sql, duckdb_name), kind))
        for name, duckdb_name, kind in zip(
            whole.type.fields or (None,) * len(whole.type.inners),
            whole.type.field_names,
            whole.type.inners,
            strict=True,
        )
    ]


def _starred(star: exp.Expr, fields: Sequence[Field], node: exp.Expr) -> Sequence[Field]:
    if not fields:
        raise QueryError(
            "COLUMN_NOT_FOUND", f"{place(node)}: SELECT * not allowed in queries without FROM clause"
        )
    return [known for known in fields if not known.is_hidden]


def _grouped(compiler: Expressions, node: exp.Select, values: Sequence[Value]) -> str:
    group = node.args.get("group")
    if group is None:
        return ""
    parts = [_group_item(compiler, item, values) for item in group.expressions]
    for key in ("grouping_sets", "cube", "rollup"):
        parts += [_group_item(compiler, item, values) for item in group.args.get(key) or ()]
    return f" GROUP BY {', '.join(parts)}"


def _group_item(compiler: Expressions, item: exp.Expr, values: Sequence[Value]) -> str:
    if isinstance(item, exp.GroupingSets | exp.Cube | exp.Rollup):
        word = {"GroupingSets": "GROUPING SETS", "Cube": "CUBE", "Rollup": "ROLLUP"}[type(item).__name__]
        return f"{word} ({', '.join(_group_item(compiler, inner, values) for inner in item.expressions)})"
    if isinstance(item, exp.Tuple):
        return f"({', '.join(_group_item(compiler, inner, values) for inner in item.expressions)})"
    if isinstance(item, exp.Literal) and not item.is_string and item.name.isdigit():
        value = compiler.queries.at_position(item, values, "GROUP BY")
    else:
        value = compiler.value(item)
    refuse_grouping([value.type], "GROUP BY")
    return value.sql


def _with_windows(queries: Queries, node: exp.Select) -> Queries:
    named = {window.this.name.lower(): window for window in node.args.get("windows") or ()}
    if not named:
        return queries
    return replace(queries, windows={**queries.windows, **named})


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
        # A window that names another one takes its clauses and adds those that it has itself.
        partition, order, frame = _clauses(queries, named, compiler)
    if node.args.get("partition_by"):
        keys = [compiler.value(key) for key in node.args["partition_by"]]
        refuse_grouping([key.type for key in keys], "PARTITION BY")
        partition = f"PARTITION BY {', '.join(key.sql for key in keys)}"
    if node.args.get("order") is not None:
        order = f"ORDER BY {queries.order_keys(node.args['order'], compiler)}"
    if (spec := node.args.get("spec")) is not None:
        _check_range(spec, node, compiler, has_order=bool(order))
        frame = _frame(spec, compiler)
    return [partition, order, frame]


def _frame(spec: exp.Expr, compiler: Expressions) -> str:
    if spec.args.get("exclude"):
        raise unsupported("EXCLUDE in a window frame")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), compiler)
    end = _bound(spec.args.get("end"), spec.args.get("end_side"), compiler)
    _check_frame(start, end or "CURRENT ROW", spec)
    return f"{spec.args['kind'].upper()} " + (f"BETWEEN {start} AND {end}" if end else start)


def _check_range(spec: exp.Expr, node: exp.Expr, compiler: Expressions, *, has_order: bool) -> None:
    """Refuse RANGE with a distance if it has not one key that the distance can be added to."""
    has_distance = any(isinstance(spec.args.get(side), exp.Expr) for side in ("start", "end"))
    if spec.args["kind"].upper() != "RANGE" or not has_distance:
        return
    words = "Window frame of type RANGE PRECEDING or FOLLOWING requires"
    if not has_order:
        raise QueryError("MISSING_ORDER_BY", f"{place(spec)}: {words} ORDER BY")
    keys = node.args["order"].expressions if node.args.get("order") else []
    if len(keys) > 1:
        raise QueryError(
            "INVALID_ORDER_BY",
            f"{place(spec)}: {words} single sort item in ORDER BY (actual: {len(keys)})",
        )
    kinds = [compiler.value(key.this).type for key in keys]
    if any(not kind.is_number and not kind.name.startswith(("date", "time", "interval")) for kind in kinds):
        raise mismatch(
            f"{words} that sort item type be numeric, datetime or interval (actual: {kinds[0]})", spec
        )


def _check_frame(start: str, end: str, spec: exp.Expr) -> None:
    """Refuse a frame that ends before it starts."""
    words = ""
    if start == "UNBOUNDED FOLLOWING":
        words = "Window frame start cannot be UNBOUNDED FOLLOWING"
    elif end == "UNBOUNDED PRECEDING":
        words = "Window frame end cannot be UNBOUNDED PRECEDING"
    elif start == "CURRENT ROW" and end.endswith("PRECEDING"):
        words = "Window frame starting from CURRENT ROW cannot end with PRECEDING"
    elif start.endswith("FOLLOWING") and end == "CURRENT ROW":
        words = "Window frame starting from FOLLOWING cannot end with CURRENT ROW"
    elif start.endswith("FOLLOWING") and end.endswith("PRECEDING"):
        words = "Window frame starting from FOLLOWING cannot end with PRECEDING"
    if words:
        raise QueryError("INVALID_WINDOW_FRAME", f"{place(spec)}: {words}")


def _bound(value: object, side: object, compiler: Expressions) -> str:
    if value is None:
        return ""
    words = str(side or "").upper()
    if isinstance(value, str):
        return f"{value} {words}".strip()
    assert isinstance(value, exp.Expr)
    if isinstance(value, exp.Neg):
        words = "Window frame offset value must not be negative or null"
        raise QueryError("INVALID_WINDOW_FRAME", f"{place(value)}: {words}")
    return f"{_distance(compiler.value(value))} {words}"


def _distance(value: Value) -> str:
    """Return a distance as DuckDB counts it: intervals are numbers of milliseconds or months here."""
    if value.type.is_("interval day to second"):
        return f"to_milliseconds({value.sql})"
    if value.type.is_("interval year to month"):
        return f"to_months({value.sql})"
    return value.sql
