"""Parts of dates and times: EXTRACT and its functions, date_add, date_diff and date_trunc."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import (
    QueryError,
    invalid_argument,
    mismatch,
    place,
    unsupported,
)
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.time_zones import clock, local_of, utc_of
from etltctl.local.services.athena.dialect.trino_types import BIGINT, DATE, VARCHAR, Type, timestamp
from etltctl.local.services.athena.dialect.values import Value

# Weeks begin on Monday, which is day 1: DuckDB's `dow` begins with Sunday as 0.
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
    """Return a part of a date, a time or an interval; None if its type has no such part."""
    kind = value.type
    if kind.is_("interval day to second"):
        return _of_days(value, unit)
    if kind.is_("interval year to month"):
        # An interval of months is their count.
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
        # DuckDB's milliseconds include the seconds: 1500 for 01.5, where Trino has 500.
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


SHORT = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
MOMENTS = ("date", "time", "timestamp", "timestamp with time zone")


def _unit(call: Call, kind: Type) -> str:
    """Return the unit that the first argument names, if a value of the type can be counted in it."""
    named = call.to(0, VARCHAR)
    if not isinstance(named.constant, str):
        raise unsupported(f"{call.name} with a unit that is not a literal")
    unit = named.constant.lower()
    known = {"date": (*DAYS, *MONTHS), "time": tuple(SHORT)}.get(kind.name, (*SHORT, *DAYS, *MONTHS))
    # A date has no hours and a time of day no days, so Trino refuses to count in them.
    if unit not in known:
        name = {"date": "DATE", "time": "TIME"}.get(kind.name, "TIMESTAMP")
        raise invalid_argument(f"'{named.constant}' is not a valid {name} field")
    return unit


@function("date_add")
def _date_add(call: Call) -> Value:
    call.expect(3)
    moment, count = call.args[2], call.to(1, BIGINT).sql
    kind = moment.type
    if not kind.is_(*MOMENTS):
        raise call.unexpected(
            "date_add(varchar(x), bigint, date)", "date_add(varchar(x), bigint, timestamp(p))"
        )
    unit = _unit(call, kind)
    if unit in SHORT:
        by = f"to_milliseconds({count} * {SHORT[unit]})"
    elif unit in DAYS:
        by = f"to_days(CAST({count} * {DAYS[unit]} AS INTEGER))"
    else:
        by = f"to_months(CAST({count} * {MONTHS[unit]} AS INTEGER))"
    if kind.is_("date"):
        # DuckDB turns a date plus an interval into a timestamp.
        return Value(f"CAST({moment.sql} + {by} AS DATE)", kind)
    finer = max(kind.number, 3) if unit == "millisecond" else kind.number
    if kind.is_zoned:
        return _added_zoned(moment, by, unit, finer)
    return Value(f"({moment.sql} + {by})", Type(kind.name, (finer,)))


def _added_zoned(moment: Value, by: str, unit: str, precision: int) -> Value:
    """Move a timestamp with time zone: hours and shorter units move the instant, longer ones the zone's clock."""
    zone = moment.type.zone
    if unit in SHORT or zone == "UTC":
        return casts.zoned_of(f"({moment.instant} + {by})", moment.zone, precision, zone)
    moved = utc_of(f"({local_of(moment.instant, moment.zone)} + {by})", moment.zone)
    return casts.zoned_of(moved, moment.zone, precision, zone)


@function("date_diff")
def _date_diff(call: Call) -> Value:
    call.expect(3)
    kind = casts.common_type(call.types[1], call.types[2])
    if kind is None or not kind.is_(*MOMENTS):
        raise call.unexpected(
            "date_diff(varchar(x), date, date)", "date_diff(varchar(x), timestamp(p), timestamp(p))"
        )
    unit = _unit(call, kind)
    first, second = casts.coerced(call.args[1], kind), casts.coerced(call.args[2], kind)
    if kind.is_("date"):
        a, b = f"CAST({first.sql} AS TIMESTAMP)", f"CAST({second.sql} AS TIMESTAMP)"
    elif kind.is_("time"):
        a, b = f"(DATE '1970-01-01' + {first.sql})", f"(DATE '1970-01-01' + {second.sql})"
    elif kind.is_zoned and unit in SHORT:
        a, b = first.instant, second.instant
    elif kind.is_zoned:  # both as the first one's zone shows them
        a, b = local_of(first.instant, first.zone), local_of(second.instant, first.zone)
    else:
        a, b = first.sql, second.sql
    # DuckDB's date_diff counts how often a unit begins: January 31 to February 1 is a month. Trino counts
    # whole units: none.
    size = SHORT.get(unit) or (DAYS[unit] * 86_400_000 if unit in DAYS else 0)
    if size:
        return Value(f"CAST((epoch_ms({b}) - epoch_ms({a})) // {size} AS BIGINT)", BIGINT)
    months = f"(CASE WHEN {a} <= {b} THEN {_months(a, b)} ELSE -{_months(b, a)} END)"
    return Value(f"CAST({months} // {MONTHS[unit]} AS BIGINT)", BIGINT)


def _months(start: str, end: str) -> str:
    """Return the SQL of the complete months between two times.

    The last day of a month completes a month that began on a later day: January 31 to February 29 is one month.
    """
    between = f"((year({end}) - year({start})) * 12 + month({end}) - month({start}))"
    is_last = f"(day({end}) = day(last_day({end})) AND day({start}) > day({end}))"
    start_day = f"(CASE WHEN {is_last} THEN day({end}) ELSE day({start}) END)"
    start_rest = f"({start_day} * 86400000 + epoch_ms({start}) - epoch_ms(date_trunc('day', {start})))"
    end_rest = f"(day({end}) * 86400000 + epoch_ms({end}) - epoch_ms(date_trunc('day', {end})))"
    return f"({between} - CASE WHEN {end_rest} < {start_rest} THEN 1 ELSE 0 END)"


@function("date_trunc")
def _date_trunc(call: Call) -> Value:
    call.expect(2)
    value, kind = call.args[1], call.types[1]
    if not kind.is_(*MOMENTS):
        raise call.unexpected("date_trunc(varchar(x), date)", "date_trunc(varchar(x), timestamp(p))")
    unit = _unit(call, kind)
    if kind.is_("date"):
        return Value(f"CAST(date_trunc('{unit}', {value.sql}) AS DATE)", DATE)
    if kind.is_("time"):
        return Value(f"CAST(date_trunc('{unit}', DATE '1970-01-01' + {value.sql}) AS TIME)", kind)
    if not kind.is_zoned:
        return Value(f"date_trunc('{unit}', {value.sql})", timestamp(kind.number))
    local = clock(value)
    cut = f"date_trunc('{unit}', {local})"
    # Within an hour the offset stays as it is, so a clock time that occurs twice keeps its own offset.
    sql = f"({value.instant} - ({local} - {cut}))" if unit in SHORT else utc_of(cut, value.zone)
    return casts.zoned_of(sql, value.zone, kind.number, kind.zone)
