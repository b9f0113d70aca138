"""Window functions, and what Trino requires of their windows and their offsets."""

from __future__ import annotations

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, failure, invalid_argument, place
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import BIGINT, DOUBLE
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text


# Trino knows these functions only in a window: `SELECT rank()` alone is MISSING_OVER.
def _require_over(call: Call) -> None:
    if not call.modifiers.over:
        raise QueryError(
            "MISSING_OVER", f"{place(call.node)}: Window function {call.name} requires an OVER clause"
        )
    if call.modifiers.distinct:
        raise QueryError(
            "NOT_SUPPORTED", f"{place(call.node)}: DISTINCT in window function parameters not yet supported"
        )


@function("row_number", "rank", "dense_rank", aggregate=True)
def _ranked(call: Call) -> Value:
    call.expect(0)
    _require_over(call)
    return Value(f"CAST({call.aggregate(call.name)} AS BIGINT)", BIGINT)


@function("percent_rank", "cume_dist", aggregate=True)
def _share(call: Call) -> Value:
    call.expect(0)
    _require_over(call)
    return Value(call.aggregate(call.name), DOUBLE)


@function("ntile", aggregate=True)
def _ntile(call: Call) -> Value:
    call.expect(1)
    _require_over(call)
    buckets = _at_least(1, call.to(0, BIGINT), "Buckets must be greater than 0")
    return Value(f"CAST({call.aggregate('ntile', buckets)} AS BIGINT)", BIGINT)


@function("first_value", "last_value", aggregate=True)
def _end(call: Call) -> Value:
    call.expect(1)
    _require_over(call)
    return Value(call.aggregate(call.name, call.args[0].sql), call.types[0])


@function("nth_value", aggregate=True)
def _nth(call: Call) -> Value:
    call.expect(2)
    _require_over(call)
    offset = _at_least(1, call.to(1, BIGINT), "Offset must be at least 1")
    return Value(call.aggregate("nth_value", call.args[0].sql, offset), call.types[0])


@function("lag", "lead", aggregate=True)
def _shifted(call: Call) -> Value:
    call.expect(1, 2, 3)
    _require_over(call)
    _require_order(call)
    value = call.args[0]
    arguments = [value.sql]
    if len(call.nodes) > 1:
        arguments.append(_at_least(0, call.to(1, BIGINT), "Offset must be at least 0"))
    if len(call.nodes) == 3:
        if not casts.is_coercible(call.types[2], value.type):
            raise call.unexpected(f"{call.name}(T, bigint, T)")
        arguments.append(casts.coerced(call.args[2], value.type).sql)
    return Value(call.aggregate(call.name, *arguments), value.type)


def _require_order(call: Call) -> None:
    """Refuse a window without an order, or with a frame: Trino's lag and lead take neither."""
    window: exp.Expr | None = call.node.find_ancestor(exp.Window) if call.node is not None else None
    parts = []
    while window is not None:
        parts.append(window)
        alias = window.args.get("alias")
        window = call.compiler.queries.windows.get(alias.name.lower()) if alias is not None else None
    if not any(part.args.get("order") for part in parts):
        raise QueryError(
            "MISSING_ORDER_BY",
            f"{place(call.node)}: {call.name} function requires an ORDER BY window clause",
        )
    if any(part.args.get("spec") for part in parts):
        raise QueryError(
            "INVALID_WINDOW_FRAME",
            f"{place(call.node)}: Cannot specify window frame for {call.name} function",
        )


def _at_least(least: int, value: Value, words: str) -> str:
    """Return the SQL of an offset; a smaller one ends the query with an error."""
    if isinstance(value.constant, int):
        if value.constant < least:
            raise invalid_argument(words)
        return value.sql
    refusal = failure(BIGINT, "INVALID_FUNCTION_ARGUMENT", quoted_text(words))
    return f"(CASE WHEN {value.sql} < {least} THEN {refusal} ELSE {value.sql} END)"
