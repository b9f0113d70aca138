"""Window functions."""

from __future__ import annotations

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.errors import QueryError, place
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import BIGINT, DOUBLE
from etltctl.local.services.athena.dialect.values import Value


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
    return Value(f"CAST({call.aggregate('ntile', call.to(0, BIGINT).sql)} AS BIGINT)", BIGINT)


@function("first_value", "last_value", aggregate=True)
def _end(call: Call) -> Value:
    call.expect(1)
    _require_over(call)
    return Value(call.aggregate(call.name, call.args[0].sql), call.types[0])


@function("nth_value", aggregate=True)
def _nth(call: Call) -> Value:
    call.expect(2)
    _require_over(call)
    return Value(call.aggregate("nth_value", call.args[0].sql, call.to(1, BIGINT).sql), call.types[0])


@function("lag", "lead", aggregate=True)
def _shifted(call: Call) -> Value:
    call.expect(1, 2, 3)
    _require_over(call)
    value = call.args[0]
    arguments = [value.sql]
    if len(call.nodes) > 1:
        arguments.append(call.to(1, BIGINT).sql)
    if len(call.nodes) == 3:
        if not coercion.can(call.types[2], value.type):
            raise call.unexpected(f"{call.name}(T, bigint, T)")
        arguments.append(coercion.coerced(call.args[2], value.type).sql)
    return Value(call.aggregate(call.name, *arguments), value.type)
