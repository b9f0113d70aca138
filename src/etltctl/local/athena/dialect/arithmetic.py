"""Arithmetic by Trino's rules: exact types of results, integers that divide into integers, decimals half up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.decimals import divide_decimals, remainder_decimals
from etltctl.local.athena.dialect.errors import mismatch
from etltctl.local.athena.dialect.trino_types import Type, decimal
from etltctl.local.athena.dialect.values import Value

if TYPE_CHECKING:
    from etltctl.local.athena.dialect.expressions import Expressions


def arithmetic(sign: str, left: Value, right: Value, node: exp.Expr | None, compiler: Expressions) -> Value:
    """Return `left sign right`.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such operator.
    """
    from etltctl.local.athena.dialect.moments import moment_arithmetic

    if left.type.is_number and right.type.is_number:
        return _numbers(sign, left, right, compiler)
    if left.type.is_("unknown") and right.type.is_("unknown"):
        return Value("CAST(NULL AS INTEGER)", Type("integer"))
    if left.type.is_number and right.type.is_("unknown"):
        return _numbers(sign, left, coercion.coerced(right, left.type), compiler)
    if right.type.is_number and left.type.is_("unknown"):
        return _numbers(sign, coercion.coerced(left, right.type), right, compiler)
    result = moment_arithmetic(sign, left, right, node, compiler)
    if result is None:
        raise mismatch(f"Cannot apply operator: {left.type} {sign} {right.type}", node)
    return result


def negated(value: Value, node: exp.Expr | None) -> Value:
    """Return `-value`."""
    if value.type.is_("unknown"):
        return value
    if not value.type.is_number and not value.type.name.startswith("interval"):
        raise mismatch(f"Cannot negate {value.type}", node)
    constant = -value.constant if isinstance(value.constant, int | float) else value.constant
    return Value(f"(-{value.sql})", value.type, constant)


def _numbers(sign: str, left: Value, right: Value, compiler: Expressions) -> Value:
    kind = coercion.common(left.type, right.type)
    assert kind is not None
    if kind.is_("decimal"):
        return _decimals(sign, left, right, compiler)
    one, other = coercion.coerced(left, kind).sql, coercion.coerced(right, kind).sql
    if kind.is_floating:
        return Value(
            f"CAST({one} {sign} {other} AS {kind.duckdb})", kind
        )  # IEEE 754 in both: x / 0 is infinite
    if sign == "/":
        return Value(f"CAST({one} // {other} AS {kind.duckdb})", kind)
    if sign == "%":
        return Value(f"CAST({one} % {other} AS {kind.duckdb})", kind)
    return Value(f"CAST({one} {sign} {other} AS {kind.duckdb})", kind)


def _decimals(sign: str, left: Value, right: Value, compiler: Expressions) -> Value:
    one, other = (
        coercion.coerced(value, decimal(value.type.precision, value.type.scale)) for value in (left, right)
    )
    a, b = one.type, other.type
    if sign in ("+", "-"):
        scale = max(a.scale, b.scale)
        kind = decimal(max(a.precision - a.scale, b.precision - b.scale) + scale + 1, scale)
        wide = f"DECIMAL({kind.precision}, {kind.scale})"
        return Value(f"CAST(CAST({one.sql} AS {wide}) {sign} CAST({other.sql} AS {wide}) AS {wide})", kind)
    if sign == "*":
        kind = decimal(a.precision + b.precision, a.scale + b.scale)
        if kind.scale > 38:
            raise mismatch(f"DECIMAL scale must be in range [0, precision (38)]: {kind.scale}")
        return Value(f"CAST({one.sql} * {other.sql} AS {kind.duckdb})", kind)
    if sign == "/":
        return divide_decimals(one, other, compiler)
    return remainder_decimals(one, other, compiler)
