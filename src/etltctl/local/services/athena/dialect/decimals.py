"""Division and remainder of decimals, exact and rounded half up as Trino does.

DuckDB divides decimals as doubles. Where the digits fit, the unscaled numbers are divided as 128-bit integers;
where they do not, Python's decimal does it row by row.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from etltctl.local.services.athena.dialect.errors import QueryError
from etltctl.local.services.athena.dialect.trino_types import INTEGER, Type, decimal
from etltctl.local.services.athena.dialect.values import Udf, Value

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions

EXACT = Context(prec=90, rounding=ROUND_HALF_UP)
LARGEST = 38


def divide_decimals(left: Value, right: Value, compiler: Expressions) -> Value:
    """Return the quotient, with the precision and scale of Trino's result."""
    a, b = left.type, right.type
    scale = max(a.scale, b.scale)
    kind = decimal(a.precision + b.scale + max(b.scale - a.scale, 0), scale)
    shift = scale - a.scale + b.scale
    if a.precision + shift < LARGEST and b.precision < LARGEST:
        return Value(_native(left, right, shift, kind), kind)
    return _in_python(divided, left, right, kind, compiler)


def remainder_decimals(left: Value, right: Value, compiler: Expressions) -> Value:
    """Return the remainder, with the sign of the dividend."""
    a, b = left.type, right.type
    scale = max(a.scale, b.scale)
    kind = decimal(min(a.precision - a.scale, b.precision - b.scale) + scale, scale)
    return _in_python(remainder, left, right, kind, compiler)


def divided(one: Decimal | None, other: Decimal | None, scale: int) -> Decimal | None:
    """Divide and round half up to `scale` digits behind the point."""
    if one is None or other is None:
        return None
    if not other:
        raise QueryError("DIVISION_BY_ZERO", "Division by zero")
    with_more = EXACT.divide(one, other)
    return _fits(with_more.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT))


def remainder(one: Decimal | None, other: Decimal | None, scale: int) -> Decimal | None:
    """Return what is left of dividing by a whole number of times."""
    if one is None or other is None:
        return None
    if not other:
        raise QueryError("DIVISION_BY_ZERO", "Division by zero")
    return EXACT.remainder(one, other).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)


def _fits(value: Decimal) -> Decimal:
    if len(value.as_tuple().digits) > LARGEST:
        raise QueryError("NUMERIC_VALUE_OUT_OF_RANGE", "Decimal overflow")
    return value


def _native(left: Value, right: Value, shift: int, kind: Type) -> str:
    top = f"(CAST({_unscaled(left)} AS HUGEINT) * {10**shift}::HUGEINT)"
    bottom = f"CAST({_unscaled(right)} AS HUGEINT)"
    # Half up: away from zero if twice the remainder is at least the divisor.
    half = (
        f"(CASE WHEN 2 * abs({top} % {bottom}) >= abs({bottom}) THEN sign({top}) * sign({bottom}) ELSE 0 END)"
    )
    whole = f"({top} // {bottom} + {half})"
    if not kind.scale:
        return f"CAST({whole} AS {kind.duckdb})"
    unit = f"CAST(1e-{kind.scale} AS DECIMAL({kind.scale + 1}, {kind.scale}))"
    return f"CAST(CAST({whole} AS DECIMAL(38, 0)) * {unit} AS {kind.duckdb})"


def _unscaled(value: Value) -> str:
    """Return the SQL of a decimal's digits as a whole number."""
    if not value.type.scale:
        return value.sql
    return f"({value.sql} * CAST({10**value.type.scale} AS DECIMAL({value.type.scale + 1}, 0)))"


def _in_python(function: object, left: Value, right: Value, kind: Type, compiler: Expressions) -> Value:
    udf = Udf.of(function, [left.type, right.type, INTEGER], kind)  # type: ignore[arg-type]
    compiler.udfs[udf.name] = udf
    return Value(f"{udf.name}({left.sql}, {right.sql}, {kind.scale})", kind)
