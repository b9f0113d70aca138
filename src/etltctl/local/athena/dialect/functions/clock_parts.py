"""Parts of dates, times, timestamps and intervals: EXTRACT and the functions of the same names."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from etltctl.local.athena.dialect.errors import QueryError, mismatch, place
from etltctl.local.athena.dialect.expressions import Expressions, operator
from etltctl.local.athena.dialect.registry import Call, function
from etltctl.local.athena.dialect.trino_types import BIGINT, DATE
from etltctl.local.athena.dialect.values import Value
from etltctl.local.athena.dialect.zones import clock

DAY_PARTS = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "week_of_year": "week",
    "day": "day",
    "day_of_month": "day",
    "day_of_week": "isodow",
    "dow": "isodow",
    "day_of_year": "doy",
    "doy": "doy",
    "year_of_week": "isoyear",
    "yow": "isoyear",
}
TIME_PARTS = ("hour", "minute", "second")
DAY_LENGTH = 86_400_000


def part(value: Value, unit: str) -> Value | None:
    """Return a part of a moment or an interval, or None if its type has no such part."""
    kind = value.type
    if kind.is_("interval day to second"):
        return _of_days(value, unit)
    if kind.is_("interval year to month"):
        sql = {"year": f"({value.sql} // 12)", "month": f"({value.sql} % 12)"}.get(unit)
        return Value(f"CAST({sql} AS BIGINT)", BIGINT) if sql else None
    has_days, has_time = not kind.is_("time"), not kind.is_("date")
    if not kind.is_("date", "time", "timestamp", "timestamp with time zone"):
        return None
    if unit in DAY_PARTS and has_days:
        return Value(f"CAST(extract('{DAY_PARTS[unit]}' FROM {clock(value)}) AS BIGINT)", BIGINT)
    if unit in TIME_PARTS and has_time:
        return Value(f"CAST(extract('{unit}' FROM {clock(value)}) AS BIGINT)", BIGINT)
    if unit == "millisecond" and has_time:
        return Value(f"CAST(extract('millisecond' FROM {clock(value)}) % 1000 AS BIGINT)", BIGINT)
    if unit in ("timezone_hour", "timezone_minute") and kind.is_zoned:
        minutes = f"((epoch_ms({clock(value)}) - epoch_ms({value.instant})) // 60000)"
        return Value(f"CAST({minutes} {'//' if unit == 'timezone_hour' else '%'} 60 AS BIGINT)", BIGINT)
    return None


def _of_days(value: Value, unit: str) -> Value | None:
    sizes: dict[str, Callable[[str], str]] = {
        "day": lambda sql: f"({sql} // {DAY_LENGTH})",
        "hour": lambda sql: f"({sql} % {DAY_LENGTH} // 3600000)",
        "minute": lambda sql: f"({sql} % 3600000 // 60000)",
        "second": lambda sql: f"({sql} % 60000 // 1000)",
        "millisecond": lambda sql: f"({sql} % 1000)",
    }
    return Value(f"CAST({sizes[unit](value.sql)} AS BIGINT)", BIGINT) if unit in sizes else None


@operator(exp.Extract)
def _extract(compiler: Expressions, node: exp.Expr) -> Value:
    unit = node.this.name.lower()
    if unit not in (*DAY_PARTS, *TIME_PARTS, "timezone_hour", "timezone_minute") or unit == "week_of_year":
        raise QueryError("SYNTAX_ERROR", f"{place(node)}: Invalid EXTRACT field: {unit}")
    value = compiler.value(node.expression)
    if value.type.is_("unknown"):
        return Value("CAST(NULL AS BIGINT)", BIGINT)
    result = part(value, unit)
    if result is None:
        raise mismatch(f"Cannot extract {unit.upper()} from {value.type}", node)
    return result


@function(*DAY_PARTS, *TIME_PARTS, "millisecond", "timezone_hour", "timezone_minute")
def _part(call: Call) -> Value:
    call.expect(1)
    if call.args and call.types[0].is_("unknown"):
        return Value("CAST(NULL AS BIGINT)", BIGINT)
    result = part(call.args[0], call.name) if call.args else None
    if result is None:
        raise call.unexpected(
            f"{call.name}(date)", f"{call.name}(timestamp(p))", f"{call.name}(interval day to second)"
        )
    return result


@function("last_day_of_month")
def _last_day(call: Call) -> Value:
    call.expect(1)
    if not call.types[0].is_("date", "timestamp", "timestamp with time zone"):
        raise call.unexpected()
    return Value(f"last_day({clock(call.args[0])})", DATE)
