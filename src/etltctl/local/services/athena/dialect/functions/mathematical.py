"""Mathematical functions, with Trino's result types and rounding."""

from __future__ import annotations

import math
import statistics
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.arithmetic import EXACT, arithmetic
from etltctl.local.services.athena.dialect.errors import invalid_argument
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import DOUBLE, INTEGER, decimal
from etltctl.local.services.athena.dialect.values import Value

# Outside their domain these are NaN or infinite in Java; DuckDB 1 ends the query.
_GUARDED = {
    "acos": "CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE acos({0}) END",
    "asin": "CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE asin({0}) END",
    "sqrt": "CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt({0}) END",
    **{
        name: f"CASE WHEN {{0}} < 0 THEN CAST('NaN' AS DOUBLE) WHEN {{0}} = 0 THEN CAST('-Infinity' AS DOUBLE)"
        f" ELSE {name}({{0}}) END"
        for name in ("ln", "log2", "log10")
    },
    "sin": "CASE WHEN isinf({0}) THEN CAST('NaN' AS DOUBLE) ELSE sin({0}) END",
    "cos": "CASE WHEN isinf({0}) THEN CAST('NaN' AS DOUBLE) ELSE cos({0}) END",
    "tan": "CASE WHEN isinf({0}) THEN CAST('NaN' AS DOUBLE) ELSE tan({0}) END",
}
for _name, _sql in _GUARDED.items():
    simple(f"{_name}(double) -> double", _sql)
for _name in ("exp", "atan", "sinh", "cosh", "tanh"):
    simple(f"{_name}(double) -> double", f"{_name}({{0}})")


def _cube_root(number: float) -> float:
    """Return the nearest double, as Java does; the C library's is off by a digit for 27."""
    if not math.isfinite(number) or not number:
        return number
    root = EXACT.power(Decimal(abs(number)), EXACT.divide(Decimal(1), Decimal(3)))
    return math.copysign(float(root), number)


simple("cbrt(double) -> double", _cube_root)
simple("degrees(double) -> double", "{0} * 180.0::DOUBLE / pi()")
simple("radians(double) -> double", "{0} / 180.0::DOUBLE * pi()")
simple("atan2(double, double) -> double", "atan2({0}, {1})")
simple("pi() -> double", "pi()")
simple("e() -> double", "exp(1.0::DOUBLE)")
simple("infinity() -> double", "CAST('Infinity' AS DOUBLE)")
simple("nan() -> double", "CAST('NaN' AS DOUBLE)")
simple("is_nan(double) -> boolean", "isnan({0})")
simple("is_nan(real) -> boolean", "isnan({0})")
simple("is_finite(double) -> boolean", "isfinite({0})")
simple("is_infinite(double) -> boolean", "isinf({0})")


@function("power", "pow")
def _power(call: Call) -> Value:
    call.expect(2)
    base, exponent = call.to(0, DOUBLE), call.to(1, DOUBLE)
    return call.python(_java_power, base, exponent, returns=DOUBLE)


def _java_power(base: float, exponent: float) -> float:
    """Return what Java's Math.pow returns, which never fails."""
    if exponent == 0:
        return 1.0
    # Python's 1 ** inf is 1, and Java's is NaN.
    if math.isnan(base) or math.isnan(exponent) or (abs(base) == 1 and math.isinf(exponent)):
        return math.nan
    try:
        return math.pow(base, exponent)
    except OverflowError:
        is_negative = base < 0 and exponent % 2 == 1
        return -math.inf if is_negative else math.inf
    except ValueError:  # zero to a negative power, or a root of a negative number
        if base == 0:
            is_negative = math.copysign(1, base) < 0 and exponent % 2 == 1
            return -math.inf if is_negative else math.inf
        return math.nan


@function("log")
def _log(call: Call) -> Value:
    call.expect(2)
    base, number = call.to(0, DOUBLE), call.to(1, DOUBLE)
    return call.python(_java_log, base, number, returns=DOUBLE)


def _java_log(base: float, number: float) -> float:
    bottom, top = _ln(base), _ln(number)
    if bottom == 0:
        return math.nan if top == 0 or math.isnan(top) else math.copysign(math.inf, top)
    return top / bottom


def _ln(number: float) -> float:
    if number == 0:
        return -math.inf
    return math.log(number) if number > 0 else math.nan


@function("abs")
def _abs(call: Call) -> Value:
    value = _one_number(call)
    return Value(f"abs({value.sql})", value.type)


@function("sign")
def _sign(call: Call) -> Value:
    value = _one_number(call)
    # The sign of a decimal has one digit: -1, 0 or 1.
    kind = decimal(1, 0) if value.type.is_("decimal") else value.type
    if kind.is_floating:
        return Value(
            f"(CASE WHEN isnan({value.sql}) THEN {value.sql} ELSE CAST(sign({value.sql}) AS {kind.duckdb}) END)",
            kind,
        )
    return Value(f"CAST(sign({value.sql}) AS {kind.duckdb})", kind)


def _one_number(call: Call) -> Value:
    if len(call.args) != 1 or not call.types[0].is_number:
        raise call.unexpected()
    return call.args[0]


@function("ceil", "ceiling", "floor")
def _whole(call: Call) -> Value:
    value = _one_number(call)
    if value.type.is_integer:
        return value
    name = "floor" if call.name == "floor" else "ceil"
    kind = value.type
    if kind.is_("decimal"):
        kind = decimal(kind.precision - kind.scale + min(kind.scale, 1), 0)
    return Value(f"CAST({name}({value.sql}) AS {kind.duckdb})", kind)


@function("round")
def _round(call: Call) -> Value:
    call.expect(1, 2)
    if not call.args or not call.types[0].is_number:
        raise call.unexpected()
    value, kind = call.args[0], call.types[0]
    if len(call.args) == 1:
        if kind.is_("decimal"):
            kind = decimal(kind.precision - kind.scale + min(kind.scale, 1), 0)
            return Value(f"CAST(round({value.sql}, 0) AS {kind.duckdb})", kind)
        # DuckDB's round(x) and Java's both go away from zero at a half.
        return value if kind.is_integer else Value(f"CAST(round({value.sql}) AS {kind.duckdb})", kind)
    digits = call.to(1, INTEGER)
    if kind.is_("decimal"):
        # Rounding up may need one digit more: round(9.99, 1) is 10.00.
        widened = decimal(min(kind.precision + 1, 38), kind.scale)
        return call.python(_round_decimal, casts.coerced(value, widened), digits, returns=widened)
    if kind.is_integer:
        return call.python(_round_whole, value, digits, returns=kind)
    return call.python(_round_double, value, digits, returns=kind)


def _round_decimal(value: Decimal, digits: int) -> Decimal:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if digits >= -exponent:
        return value
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, EXACT).quantize(
        Decimal(1).scaleb(exponent), None, EXACT
    )


def _round_whole(value: int, digits: int) -> int:
    if digits >= 0:
        return value
    unit = int(10 ** min(-digits, 40))
    return int(math.copysign(1, value)) * ((abs(value) + unit // 2) // unit * unit)


def _round_double(value: float, digits: int) -> float:
    """Round as Trino does: by the double's own value, half away from zero."""
    if math.isnan(value) or math.isinf(value) or abs(digits) > 320:
        return value
    factor = 10.0 ** min(digits, 300)
    # Trino multiplies, rounds and divides in doubles, which decides the last digits.
    scaled = value * factor
    if math.isinf(scaled):
        return value
    whole = (
        Decimal(scaled).quantize(Decimal(1), ROUND_HALF_UP, EXACT) if abs(scaled) < 1e40 else Decimal(scaled)
    )
    return math.copysign(abs(float(whole) / factor), value)


@function("truncate")
def _truncate(call: Call) -> Value:
    call.expect(1, 2)
    if not call.args or not call.types[0].is_number:
        raise call.unexpected()
    value, kind = call.args[0], call.types[0]
    if len(call.args) == 1:
        if kind.is_integer:
            value, kind = casts.coerced(value, DOUBLE), DOUBLE
        if kind.is_("decimal"):
            kind = decimal(max(kind.precision - kind.scale, 1), 0)
            return Value(f"CAST(trunc({value.sql}) AS {kind.duckdb})", kind)
        return Value(f"CAST(trunc({value.sql}) AS {kind.duckdb})", kind)
    if not kind.is_("decimal"):
        raise call.unexpected()
    return call.python(_truncate_decimal, value, call.to(1, INTEGER), returns=kind)


def _truncate_decimal(value: Decimal, digits: int) -> Decimal:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if digits >= -exponent:
        return value
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN, EXACT).quantize(
        Decimal(1).scaleb(exponent), None, EXACT
    )


@function("mod")
def _mod(call: Call) -> Value:
    call.expect(2)
    if not all(kind.is_number or kind.is_("unknown") for kind in call.types):
        raise call.unexpected()
    return arithmetic("%", call.args[0], call.args[1], call.node, call.compiler)


def _width_bucket(operand: float, low: float, high: float, count: int) -> int:
    if count <= 0:
        raise invalid_argument("bucketCount must be greater than 0")
    if math.isnan(operand):
        raise invalid_argument("operand must not be NaN")
    if not math.isfinite(low) or not math.isfinite(high):
        raise invalid_argument(
            "first bound must be finite" if not math.isfinite(low) else "second bound must be finite"
        )
    if low == high:
        raise invalid_argument("bounds cannot equal each other")
    lower, upper = min(low, high), max(low, high)
    if operand < lower:
        bucket = 0
    elif operand >= upper:
        bucket = count + 1
    else:
        bucket = int(count * (operand - lower) / (upper - lower)) + 1
    return bucket if low < high else count - bucket + 1


def _width_bucket_array(operand: float, bins: list[float | None]) -> int:
    if not bins:
        raise invalid_argument("Bins cannot be an empty array")
    if math.isnan(operand):
        raise invalid_argument("Operand cannot be NaN")
    for index, edge in enumerate(bins):
        if edge is None or not math.isfinite(edge):
            raise invalid_argument("Bin value must be finite")
        if index and edge <= (bins[index - 1] or 0.0):
            raise invalid_argument("Bin values are not sorted in ascending order")
    return sum(1 for edge in bins if edge is not None and edge <= operand)


simple("width_bucket(double, double, double, bigint) -> bigint", _width_bucket)
simple("width_bucket(double, array(double)) -> bigint", _width_bucket_array)


def _normal_cdf(mean: float, deviation: float, value: float) -> float:
    if deviation <= 0:
        raise invalid_argument("standardDeviation must be > 0")
    return 0.5 * (1 + math.erf((value - mean) / (deviation * math.sqrt(2))))


def _inverse_normal_cdf(mean: float, deviation: float, chance: float) -> float:
    if not 0 < chance < 1:
        raise invalid_argument("p must be 0 > p > 1")
    if deviation <= 0:
        raise invalid_argument("sd must be > 0")
    return statistics.NormalDist(mean, deviation).inv_cdf(chance)


simple("normal_cdf(double, double, double) -> double", _normal_cdf)
simple("inverse_normal_cdf(double, double, double) -> double", _inverse_normal_cdf)
