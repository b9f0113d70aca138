"""Comparison: of two types that have a common one, with NaN equal to nothing and instants compared in UTC."""

from __future__ import annotations

from sqlglot import exp

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.errors import mismatch, unsupported
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, Type
from etltctl.local.services.athena.dialect.values import Value, member

NOT_ORDERED = ("map", "json", "function", "unknown")


def compared(sign: str, left: Value, right: Value, node: exp.Expr | None = None) -> Value:
    """Return `left sign right`.

    Raises:
        QueryError: TYPE_MISMATCH if Trino compares no such types.
    """
    kind = coercion.common(left.type, right.type)
    is_order = sign not in ("=", "<>")
    if kind is None or (is_order and kind.is_(*NOT_ORDERED) and not kind.is_("unknown")):
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {right.type}", node)
    one, other = coercion.coerced(left, kind), coercion.coerced(right, kind)
    if kind.is_zoned:
        return Value(f"({one.instant} {sign} {other.instant})", BOOLEAN)
    if kind.is_floating:
        return Value(_floating(sign, one, other), BOOLEAN)
    if kind.is_("char"):
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
    kind = coercion.common(left.type, right.type)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {left.type} IS DISTINCT FROM {right.type}", node)
    if kind.is_("map"):
        raise unsupported("IS DISTINCT FROM of maps")
    one, other = coercion.coerced(left, kind), coercion.coerced(right, kind)
    parts = (one.instant, other.instant) if kind.is_zoned else (one.sql, other.sql)
    return Value(f"({parts[0]} IS {'NOT ' if same else ''}DISTINCT FROM {parts[1]})", BOOLEAN)


def _floating(sign: str, one: Value, other: Value) -> str:
    """DuckDB takes NaN for the greatest number and for equal to itself; in Trino it is neither.

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
    """Compare rows: equal if all fields are; a null field makes the answer unknown. Order goes field by field."""
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
    strict = sign[0]
    last_a, last_b = pairs[-1]
    sql = compared(sign, last_a, last_b, node).sql
    for a, b in reversed(pairs[:-1]):
        sql = f"CASE WHEN {equality(a, b, node).sql} THEN {sql} ELSE {compared(strict, a, b, node).sql} END"
    return Value(f"({sql})", BOOLEAN)


def _nested(sign: str, one: Value, other: Value) -> Value:
    if _has(one.type, "timestamp with time zone", "row", "double", "real", "map") and not one.type.is_("map"):
        raise unsupported(f"a comparison of {one.type}")
    if one.type.is_("map"):
        if sign not in ("=", "<>") or _has(
            one.type.inner(1), "timestamp with time zone", "row", "double", "real"
        ):
            raise unsupported(f"a comparison of {one.type}")
        ordered = [f"list_sort(map_entries({value.sql}))" for value in (one, other)]
        return Value(f"({ordered[0]} {sign} {ordered[1]})", BOOLEAN)
    if sign in ("=", "<>"):
        # A null element makes the comparison unknown, unless the lengths or other elements already differ.
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


def _has(kind: Type, *names: str) -> bool:
    return kind.is_(*names) or any(_has(inner, *names) for inner in kind.inners)
