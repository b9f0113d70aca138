"""Comparison: of two types that have a common one, with NaN equal to nothing and instants compared in UTC."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import mismatch, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, Type
from etltctl.local.services.athena.dialect.values import Value, member

SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


NOT_ORDERED = ("map", "json", "function", "unknown")


def compared(sign: str, left: Value, right: Value, node: exp.Expr | None = None) -> Value:
    """Return `left sign right` as Trino answers it.

    Args:
        sign: one of = <> < <= > >=.
        left: the left operand.
        right: the right operand.
        node: the place of an error.

    Raises:
        QueryError: TYPE_MISMATCH if Trino does not compare these types.
    """
    kind = casts.common_type(left.type, right.type)
    is_order = sign not in ("=", "<>")
    if kind is None or (is_order and kind.is_(*NOT_ORDERED) and not kind.is_("unknown")):
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {right.type}", node)
    one, other = casts.coerced(left, kind), casts.coerced(right, kind)
    if kind.is_zoned:
        # 01:00 in Berlin and 00:00 in UTC are one instant, so they are equal; their structs differ by the
        # zone.
        return Value(f"({one.instant} {sign} {other.instant})", BOOLEAN)
    if kind.is_floating:
        return Value(_floating(sign, one, other), BOOLEAN)
    if kind.is_("char"):
        # `cast('a' as char(3)) = cast('a' as char(5))` is true: the padding does not count.
        return Value(f"(rtrim({one.sql}, ' ') {sign} rtrim({other.sql}, ' '))", BOOLEAN)
    if kind.is_("row"):
        return _rows(sign, one, other, node)
    if kind.is_("array", "map"):
        return _nested(sign, one, other)
    return Value(f"({one.sql} {sign} {other.sql})", BOOLEAN)


def equality(left: Value, right: Value, node: exp.Expr | None = None) -> Value:
    """Return `left = right`."""
    return compared("=", left, right, node)


def distinct_from(left: Value, right: Value, node: exp.Expr | None = None, *, same: bool) -> Value:
    """Return `left IS [NOT] DISTINCT FROM right`."""
    kind = casts.common_type(left.type, right.type)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {left.type} IS DISTINCT FROM {right.type}", node)
    if kind.is_("map"):
        raise unsupported("IS DISTINCT FROM of maps")
    one, other = casts.coerced(left, kind), casts.coerced(right, kind)
    parts = (one.instant, other.instant) if kind.is_zoned else (one.sql, other.sql)
    return Value(f"({parts[0]} IS {'NOT ' if same else ''}DISTINCT FROM {parts[1]})", BOOLEAN)


def _floating(sign: str, one: Value, other: Value) -> str:
    """Return the comparison of two reals or doubles, in which NaN is neither equal to itself nor in any order.

    DuckDB takes NaN for the greatest number and for equal to itself: `nan() = nan()` is false in Trino, true there.
    A guard is needed only where DuckDB's rule would answer otherwise, so a comparison with a constant stays plain.
    """
    plain = f"{one.sql} {sign} {other.sql}"
    lefts = [] if _is_number(one) else [f"isnan({one.sql})"]
    rights = [] if _is_number(other) else [f"isnan({other.sql})"]
    if sign == "<>":
        return f"({plain} OR ({lefts[0]} AND {rights[0]}))" if lefts and rights else f"({plain})"
    if sign == "=":
        guards = lefts if lefts and rights else []
    elif sign in (">", ">="):
        guards = lefts
    else:
        guards = rights
    if (sign == "<=" and lefts and not rights) or (sign == ">=" and rights and not lefts):
        guards = []
    return f"({' AND '.join([plain, *(f'NOT {guard}' for guard in guards)])})"


def _is_number(value: Value) -> bool:
    """Return whether the value is a constant other than NaN."""
    return isinstance(value.constant, int | float) and value.constant == value.constant


def _rows(sign: str, one: Value, other: Value, node: exp.Expr | None) -> Value:
    """Compare rows field by field. A null field makes the answer unknown, unless other fields decide it."""
    pairs = [
        (
            Value(member(one.sql, held), kind),
            Value(member(other.sql, held), kind),
        )
        for held, kind in zip(one.type.field_names, one.type.inners, strict=True)
    ]
    if sign in ("=", "<>"):
        parts = [compared(sign, a, b, node).sql for a, b in pairs]
        return Value(f"({(' AND ' if sign == '=' else ' OR ').join(parts)})", BOOLEAN)
    # `row(1, 2) < row(1, 3)`: the first fields that differ decide, and only the last pair may be equal.
    strict = sign[0]
    last_a, last_b = pairs[-1]
    sql = compared(sign, last_a, last_b, node).sql
    for a, b in reversed(pairs[:-1]):
        sql = f"CASE WHEN {equality(a, b, node).sql} THEN {sql} ELSE {compared(strict, a, b, node).sql} END"
    return Value(f"({sql})", BOOLEAN)


def _nested(sign: str, one: Value, other: Value) -> Value:
    # DuckDB compares what is inside a list by its own rules: a NaN, a zone or a null field would answer
    # otherwise.
    if _has(one.type, "timestamp with time zone", "row", "double", "real", "map") and not one.type.is_("map"):
        raise unsupported(f"a comparison of {one.type}")
    if one.type.is_("map"):
        if sign not in ("=", "<>") or _has(
            one.type.inner(1), "timestamp with time zone", "row", "double", "real"
        ):
            raise unsupported(f"a comparison of {one.type}")
        return _maps(sign, one, other)
    if sign in ("=", "<>"):
        # `array[1, null] = array[1, null]` is unknown in Trino and true in DuckDB. A null element makes the
        # comparison unknown, unless the lengths or other elements already differ.
        unknown = (
            f"(list_contains(list_transform({one.sql}, lambda e: e IS NULL), true)"
            f" OR list_contains(list_transform({other.sql}, lambda e: e IS NULL), true))"
        )
        differs = (
            f"len({one.sql}) <> len({other.sql}) OR list_contains(list_transform(list_zip({one.sql}, {other.sql}),"
            " lambda e: coalesce(e[1] <> e[2], false)), true)"
        )
        is_, not_ = ("true", "false") if sign == "=" else ("false", "true")
        null = f"{one.sql} IS NULL OR {other.sql} IS NULL"
        return Value(
            f"(CASE WHEN {null} THEN NULL WHEN {differs} THEN {not_} WHEN {unknown} THEN NULL ELSE {is_} END)",
            BOOLEAN,
        )
    return Value(f"({one.sql} {sign} {other.sql})", BOOLEAN)


def _maps(sign: str, one: Value, other: Value) -> Value:
    """Compare maps in any order of their entries; DuckDB compares them in the order they were built in."""
    pairs = f"list_zip({', '.join(f'list_sort(map_entries({value.sql}))' for value in (one, other))})"
    differs = (
        f"cardinality({one.sql}) <> cardinality({other.sql}) OR list_contains(list_transform({pairs},"
        " lambda e: e[1].key <> e[2].key OR coalesce(e[1].value <> e[2].value, false)), true)"
    )
    # A null value makes the comparison unknown in Trino, unless other entries already differ.
    unknown = " OR ".join(
        f"list_contains(list_transform(map_values({value.sql}), lambda e: e IS NULL), true)"
        for value in (one, other)
    )
    is_, not_ = ("true", "false") if sign == "=" else ("false", "true")
    null = f"{one.sql} IS NULL OR {other.sql} IS NULL"
    return Value(
        f"(CASE WHEN {null} THEN NULL WHEN {differs} THEN {not_} WHEN {unknown} THEN NULL ELSE {is_} END)",
        BOOLEAN,
    )


def _has(kind: Type, *names: str) -> bool:
    return kind.is_(*names) or any(_has(inner, *names) for inner in kind.inners)


@operator(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
def _comparison(compiler: Expressions, node: exp.Expr) -> Value:
    sign = SIGNS[type(node)]
    if (quantified := _quantifier(node.expression)) is not None:
        return _quantified(compiler, node, sign, *quantified)
    return compared(sign, compiler.value(node.this), compiler.value(node.expression), node)


def _quantifier(node: exp.Expr) -> tuple[str, exp.Expr] | None:
    if isinstance(node, exp.Any):
        return "ANY", node.this
    if isinstance(node, exp.All):
        return "ALL", node.this
    if (
        isinstance(node, exp.Anonymous)
        and node.name.lower() in ("all", "any", "some")
        and len(node.expressions) == 1
    ):
        return ("ALL" if node.name.lower() == "all" else "ANY"), node.expressions[0]
    return None


def _quantified(compiler: Expressions, node: exp.Expr, sign: str, word: str, query: exp.Expr) -> Value:
    value, inner = compiler.value(node.this), compiler.queries.query(query, compiler.scope)
    if len(inner.columns) != 1:
        raise mismatch("Multiple columns returned by subquery are not yet supported.", node)
    kind = inner.columns[0].type
    common = casts.common_type(value.type, kind)
    if common is None:
        raise mismatch(
            f"Value expression and result of subquery must be of the same type: {value.type} vs {kind}", node
        )
    # DuckDB's ANY and ALL compare by its rules. These types have other rules in Trino.
    if common.is_floating or common.is_zoned or common.is_("array", "map", "row", "char"):
        raise unsupported(f"a quantified comparison of {common}")
    return Value(f"({casts.coerced(value, common).sql} {sign} {word} ({inner.sql}))", BOOLEAN)


@operator(exp.NullSafeEQ, exp.NullSafeNEQ)
def _null_safe(compiler: Expressions, node: exp.Expr) -> Value:
    same = isinstance(node, exp.NullSafeEQ)
    return distinct_from(compiler.value(node.this), compiler.value(node.expression), node, same=same)


@operator(exp.Is)
def _is(compiler: Expressions, node: exp.Expr) -> Value:
    return Value(f"({compiler.value(node.this).sql} IS NULL)", BOOLEAN)


@operator(exp.Between)
def _between(compiler: Expressions, node: exp.Expr) -> Value:
    value, low, high = (compiler.value(node.args[key]) for key in ("this", "low", "high"))
    # BETWEEN becomes two comparisons, so that the rules of NaN, of zones and of char hold in it.
    first, second = compared(">=", value, low, node), compared("<=", value, high, node)
    return Value(f"({first.sql} AND {second.sql})", BOOLEAN)


@operator(exp.In)
def _in(compiler: Expressions, node: exp.Expr) -> Value:
    if (query := node.args.get("query")) is not None:
        return _in_query(compiler, node, query)
    value, items = compiler.value(node.this), [compiler.value(item) for item in node.expressions]
    return one_of(value, items, node)


def one_of(value: Value, items: Sequence[Value], node: exp.Expr) -> Value:
    """Return whether a value is in a list."""
    common: Type | None = value.type
    for item in items:
        common = casts.common_type(common, item.type) if common is not None else None
        if common is None:
            raise mismatch(
                "IN value and list items must be the same type or coercible to a common type. "
                f"Cannot find common type between {value.type} and {item.type}, all types (without duplicates): "
                f"[{', '.join(dict.fromkeys(str(v.type) for v in (value, *items)))}]",
                node,
            )
    assert common is not None
    if common.is_floating or common.is_zoned or common.is_("array", "map", "row", "char", "json"):
        # DuckDB's IN would find a NaN, and would compare zones and the padding of char.
        parts = [equality(value, item, node).sql for item in items]
        return Value(f"({' OR '.join(parts)})", BOOLEAN)
    options = ", ".join(casts.coerced(item, common).sql for item in items)
    return Value(f"({casts.coerced(value, common).sql} IN ({options}))", BOOLEAN)


def _in_query(compiler: Expressions, node: exp.Expr, query: exp.Expr) -> Value:
    inner = compiler.queries.query(query, compiler.scope)
    value = compiler.value(node.this)
    if len(inner.columns) != 1:
        raise unsupported("IN with a subquery of more than one column")
    kind = inner.columns[0].type
    common = casts.common_type(value.type, kind)
    if common is None:
        raise mismatch(
            f"value and result of subquery must be of the same type for IN expression: {value.type} vs {kind}",
            node,
        )
    if common.is_zoned or common.is_("array", "map", "row", "char", "json"):
        raise unsupported(f"IN with a subquery of {common}")
    column = Value("v.c", kind)
    inside = f"SELECT {casts.coerced(column, common).sql} FROM ({inner.sql}) v(c)"
    if common.is_floating:  # DuckDB's IN would find a NaN, which in Trino is equal to nothing
        inside += " WHERE v.c IS NULL OR NOT isnan(v.c)"
    return Value(f"({casts.coerced(value, common).sql} IN ({inside}))", BOOLEAN)
