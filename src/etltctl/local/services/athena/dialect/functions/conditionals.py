"""COALESCE, NULLIF, IF, TRY, GREATEST, LEAST and typeof."""

from __future__ import annotations

from functools import reduce

from sqlglot import exp

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.comparisons import compared, equality
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch
from etltctl.local.services.athena.dialect.literals import row_of, text
from etltctl.local.services.athena.dialect.operators import chosen, common_of
from etltctl.local.services.athena.dialect.registry import AGGREGATES, Call, function
from etltctl.local.services.athena.dialect.trino_types import UNKNOWN
from etltctl.local.services.athena.dialect.values import Value


@function("coalesce")
def _coalesce(call: Call) -> Value:
    if len(call.args) < 2:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "The 'coalesce' function must have at least two arguments"
        )
    kind = common_of(call.args, "All COALESCE operands", call.node)
    return Value(f"coalesce({', '.join(coercion.coerced(v, kind).sql for v in call.args)})", kind)


@function("nullif")
def _nullif(call: Call) -> Value:
    call.expect(2)
    first, second = call.args
    return Value(
        f"(CASE WHEN {equality(first, second, call.node).sql} THEN NULL ELSE {first.sql} END)", first.type
    )


@function("if")
def _if(call: Call) -> Value:
    call.expect(2, 3)
    condition = call.compiler.condition(call.nodes[0], "IF condition")
    other = call.args[2] if len(call.args) == 3 else Value("NULL", UNKNOWN)
    return chosen([condition], [call.args[1]], other, call.node)


@function("try")
def _try(call: Call) -> Value:
    call.expect(1)
    return Value(f"TRY({call.args[0].sql})", call.args[0].type)


@function("greatest", "least")
def _extreme(call: Call) -> Value:
    if not call.args:
        raise call.unexpected()
    kind = common_of(call.args, f"All {call.name.upper()} operands", call.node)
    if kind.is_("map", "json", "row", "array"):
        raise mismatch(f"Type {kind} is not orderable", call.node)
    values = [coercion.coerced(value, kind) for value in call.args]
    if kind.is_zoned:
        sign = ">=" if call.name == "greatest" else "<="
        return reduce(lambda a, b: chosen([compared(sign, a, b).sql], [a], b, call.node), values)
    nulls = " OR ".join(f"{value.sql} IS NULL" for value in values)
    best = f"{call.name}({', '.join(value.sql for value in values)})"
    return Value(f"(CASE WHEN {nulls} THEN NULL ELSE {best} END)", kind)


@function("typeof")
def _typeof(call: Call) -> Value:
    call.expect(1)
    named = text(str(call.args[0].type))
    if any(_is_aggregate(inner) for inner in call.nodes[0].walk()):  # it makes the query an aggregation
        return Value(
            f"(CASE WHEN {call.args[0].sql} IS NULL THEN {named.sql} ELSE {named.sql} END)", named.type
        )
    return named


def _is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous | exp.GroupConcat) and (
        not isinstance(node, exp.Anonymous) or node.name.lower() in AGGREGATES
    )


@function("row")
def _row(call: Call) -> Value:
    return row_of(list(call.args))
