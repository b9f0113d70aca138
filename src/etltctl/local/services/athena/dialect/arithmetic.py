"""Arithmetic by Trino's rules: exact types of results, integers that divide into integers, decimals half up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, failure, mismatch
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.trino_types import (
    DATE,
    DAYS,
    INTEGER,
    MONTHS,
    Type,
    decimal,
    timestamp,
)
from etltctl.local.services.athena.dialect.values import Udf, Value
from etltctl.values import quoted_text

SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


@operator(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
def _arithmetic(compiler: Expressions, node: exp.Expr) -> Value:
    left, right = compiler.value(node.this), compiler.value(node.expression)
    return arithmetic(SIGNS[type(node)], left, right, node, compiler)


def arithmetic(sign: str, left: Value, right: Value, node: exp.Expr | None, compiler: Expressions) -> Value:
    """Return `left sign right` with the type of Trino's result.

    Args:
        sign: one of + - * / %.
        left: the left operand: a number, a date, a time or an interval.
        right: the right operand.
        node: the place of an error.
        compiler: the translator, which collects the Python functions that the result calls.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such operator.
    """
    if left.type.is_number and right.type.is_number:
        return _numbers(sign, left, right, compiler)
    # `null + null` is an integer in Trino. A single null takes the type of the other side.
    if left.type.is_("unknown") and right.type.is_("unknown"):
        return Value("CAST(NULL AS INTEGER)", Type("integer"))
    if left.type.is_number and right.type.is_("unknown"):
        return _numbers(sign, left, casts.coerced(right, left.type), compiler)
    if right.type.is_number and left.type.is_("unknown"):
        return _numbers(sign, casts.coerced(left, right.type), right, compiler)
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
    if value.type.is_integer:
        # DuckDB widens a constant whose negative does not fit; a subtraction has the type of the operand.
        return Value(f"(CAST(0 AS {value.type.duckdb}) - {value.sql})", value.type, constant)
    return Value(f"(-{value.sql})", value.type, constant)


def _numbers(sign: str, left: Value, right: Value, compiler: Expressions) -> Value:
    kind = casts.common_type(left.type, right.type)
    assert kind is not None
    if kind.is_("decimal"):
        return _decimals(sign, left, right, compiler)
    one, other = casts.coerced(left, kind).sql, casts.coerced(right, kind).sql
    if kind.is_floating:
        return Value(
            f"CAST({one} {sign} {other} AS {kind.duckdb})", kind
        )  # IEEE 754 in both: x / 0 is infinite
    if sign == "/":
        # `7 / 2` of integers is 3 in Trino and 3.5 in DuckDB, whose integer division is `//`.
        return Value(f"CAST({one} // {other} AS {kind.duckdb})", kind)
    if sign == "%":
        return Value(f"CAST({one} % {other} AS {kind.duckdb})", kind)
    return Value(f"CAST({one} {sign} {other} AS {kind.duckdb})", kind)


def _decimals(sign: str, left: Value, right: Value, compiler: Expressions) -> Value:
    one, other = (
        casts.coerced(value, decimal(value.type.precision, value.type.scale)) for value in (left, right)
    )
    a, b = one.type, other.type
    if sign in ("+", "-"):
        scale = max(a.scale, b.scale)
        # Trino's precision of a sum: one digit more than the longer side needs, 38 at most.
        kind = decimal(max(a.precision - a.scale, b.precision - b.scale) + scale + 1, scale)
        # Both sides get the type of the result first, so that the sum cannot overflow a narrower one.
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


EXACT = Context(prec=90, rounding=ROUND_HALF_UP)
LARGEST = 38


def divide_decimals(left: Value, right: Value, compiler: Expressions) -> Value:
    """Return the quotient, with the precision and scale of Trino's result."""
    a, b = left.type, right.type
    scale = max(a.scale, b.scale)
    kind = decimal(a.precision + b.scale + max(b.scale - a.scale, 0), scale)
    shift = scale - a.scale + b.scale
    # 38 digits are what DuckDB's decimals and its 128-bit integers hold.
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
    """Divide and round half up to `scale` digits after the point."""
    if one is None or other is None:
        return None
    if not other:
        raise QueryError("DIVISION_BY_ZERO", "Division by zero")
    # The division keeps 90 digits, so that rounding its result once more cannot change the answer.
    with_more = EXACT.divide(one, other)
    return _fits(with_more.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT))


def remainder(one: Decimal | None, other: Decimal | None, scale: int) -> Decimal | None:
    """Return the remainder, with `scale` digits after the point."""
    if one is None or other is None:
        return None
    if not other:
        raise QueryError("DIVISION_BY_ZERO", "Division by zero")
    # `-7 % 3` is -1 in Trino: the remainder has the sign of the dividend.
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


def moment_arithmetic(
    sign: str, left: Value, right: Value, node: exp.Expr | None, compiler: Expressions
) -> Value | None:
    """Return an operation on dates, times, timestamps or intervals; None if Trino has no such operator."""
    intervals = ("interval day to second", "interval year to month")
    if left.type.is_(*intervals) and right.type.is_(*intervals):
        if left.type != right.type or sign not in "+-":
            return None
        return Value(f"({left.sql} {sign} {right.sql})", left.type)
    # An interval is a number here, so `interval '1' day * 2` is an ordinary product. Its fraction is cut off.
    if left.type.is_(*intervals) and right.type.is_number:
        return _scaled(sign, left, right)
    if right.type.is_(*intervals) and left.type.is_number and sign == "*":
        return _scaled(sign, right, left)
    if right.type.is_(*intervals) and sign in "+-":
        return _moved(sign, left, right)
    if left.type.is_(*intervals) and sign == "+":
        return _moved(sign, right, left)
    if sign == "-":
        return _between(left, right)
    return None


def _scaled(sign: str, interval: Value, number: Value) -> Value | None:
    if sign not in "*/" or (number.type.is_("decimal")):
        factor = casts.coerced(number, Type("double")).sql if number.type.is_("decimal") else None
        if factor is None or sign not in "*/":
            return None
    else:
        factor = number.sql
    if sign == "*" and number.type.is_integer:
        sql = f"{interval.sql} * {factor}"
    else:
        sql = f"trunc(CAST({interval.sql} AS DOUBLE) {sign} CAST({factor} AS DOUBLE))"
    return Value(f"CAST({sql} AS {interval.type.duckdb})", interval.type)


def _moved(sign: str, moment: Value, interval: Value) -> Value | None:
    """Return a date or time moved by an interval. Months keep the day, or take the month's last one."""
    kind = moment.type
    is_months = interval.type == MONTHS
    by = f"to_months({interval.sql})" if is_months else f"to_milliseconds({interval.sql})"
    if kind.is_("date"):
        # A date plus an interval is a date in Trino and a timestamp in DuckDB.
        if is_months:
            return Value(f"CAST({moment.sql} {sign} {by} AS DATE)", kind)
        # Trino refuses `date '2024-01-01' + interval '1' hour`; DuckDB would return a timestamp.
        whole = f"{interval.sql} % 86400000 = 0"
        refusal = failure(
            DATE, "INVALID_FUNCTION_ARGUMENT", quoted_text("Cannot add hour, minutes or seconds to a date")
        )
        days = f"CAST({interval.sql} // 86400000 AS INTEGER)"
        if isinstance(interval.constant, int):
            if interval.constant % 86_400_000:
                raise QueryError("INVALID_FUNCTION_ARGUMENT", "Cannot add hour, minutes or seconds to a date")
            return Value(f"({moment.sql} {sign} CAST({interval.constant // 86_400_000} AS INTEGER))", kind)
        return Value(f"(CASE WHEN {whole} THEN {moment.sql} {sign} {days} ELSE {refusal} END)", kind)
    if kind.is_("time") and not is_months:
        return Value(f"({moment.sql} {sign} {by})", Type("time", (max(kind.number, 3),)))
    if kind.is_("timestamp"):
        precision = kind.number if is_months else max(kind.number, 3)
        return Value(f"({moment.sql} {sign} {by})", timestamp(precision))
    if kind.is_zoned:
        return _moved_zoned(sign, moment, by, is_months=is_months)
    return None


def _moved_zoned(sign: str, moment: Value, by: str, *, is_months: bool) -> Value:
    """Move a timestamp with time zone: days and shorter units move the instant, months move the zone's clock."""
    precision = moment.type.number if is_months else max(moment.type.number, 3)
    if not is_months or moment.type.zone == "UTC":
        return casts.zoned_of(f"({moment.instant} {sign} {by})", moment.zone, precision, moment.type.zone)
    from etltctl.local.services.athena.dialect.time_zones import local_of, utc_of

    moved = f"({local_of(moment.instant, moment.zone)} {sign} {by})"
    return casts.zoned_of(utc_of(moved, moment.zone), moment.zone, precision, moment.type.zone)


def _between(left: Value, right: Value) -> Value | None:
    kind = casts.common_type(left.type, right.type)
    if kind is None or not kind.is_("date", "timestamp", "timestamp with time zone", "time"):
        return None
    one, other = casts.coerced(left, kind), casts.coerced(right, kind)
    a, b = (one.instant, other.instant) if kind.is_zoned else (one.sql, other.sql)
    if kind.is_("date"):
        # The difference of two dates is an interval in Trino and a count of days in DuckDB.
        return Value(f"(CAST({a} - {b} AS BIGINT) * 86400000)", DAYS)
    if kind.is_("time"):
        # Both times of day get the same day, because epoch_us takes timestamps.
        a, b = f"(DATE '2000-01-01' + {a})", f"(DATE '2000-01-01' + {b})"
    return Value(f"((epoch_us({a}) - epoch_us({b})) // 1000)", DAYS)
