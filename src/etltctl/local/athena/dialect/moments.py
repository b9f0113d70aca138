"""Dates, times, timestamps and intervals: their literals and their arithmetic."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.athena.dialect.moment_texts import read_date, read_time, read_timestamp
from etltctl.local.athena.dialect.refusals import failure
from etltctl.local.athena.dialect.trino_types import DATE, DAYS, MONTHS, Type, literal, timestamp
from etltctl.local.athena.dialect.values import Value

if TYPE_CHECKING:
    from etltctl.local.athena.dialect.expressions import Expressions

MILLISECONDS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000, "WEEK": 604_800_000}
MONTHS_IN = {"YEAR": 12, "MONTH": 1, "QUARTER": 3}
ORDER = ("DAY", "HOUR", "MINUTE", "SECOND")


def _bad(kind: str, written: str, node: exp.Expr) -> QueryError:
    return QueryError("INVALID_LITERAL", f"{place(node)}: '{written}' is not a valid {kind} literal")


def date_literal(written: str, node: exp.Expr) -> Value:
    """Translate `date '…'`."""
    iso = read_date(written)
    if iso is None:
        raise _bad("DATE", written, node)
    return Value(f"CAST({literal(iso)} AS DATE)", DATE)


def time_literal(written: str, node: exp.Expr) -> Value:
    """Translate `time '…'`."""
    parsed = read_time(written)
    if parsed is None:
        raise _bad("TIME", written, node)
    return Value(f"CAST({literal(parsed[0])} AS TIME)", Type("time", (parsed[1],)))


def timestamp_literal(written: str, node: exp.Expr) -> Value:
    """Translate `timestamp '…'`, with its zone if it names one."""
    moment = read_timestamp(written)
    if moment is None:
        raise _bad("TIMESTAMP", written, node)
    if moment.precision > 6:
        raise unsupported("timestamps finer than microseconds")
    instant = f"CAST({literal(moment.instant)} AS TIMESTAMP)"
    if moment.zone is None:
        return Value(instant, timestamp(moment.precision))
    return coercion.zoned_of(instant, literal(moment.zone), moment.precision, moment.zone)


LITERALS: dict[str, Callable[[str, exp.Expr], Value]] = {
    "DATE": date_literal,
    "TIMESTAMP": timestamp_literal,
    "TIME": time_literal,
}


def interval_literal(node: exp.Expr) -> Value:
    """Translate `interval '…' unit [to unit]`."""
    written, sign = node.this, 1
    if isinstance(written, exp.Neg):
        written, sign = written.this, -1
    unit = node.args.get("unit")
    if not isinstance(written, exp.Literal) or unit is None:
        raise _bad("INTERVAL", node.sql(), node)
    if isinstance(unit, exp.IntervalSpan):
        first, last = unit.this.name.upper(), unit.expression.name.upper()
    else:
        first = last = unit.name.upper()
    count, kind = _counted(written.name, first, last, node)
    return Value(f"CAST({sign * count} AS {kind.duckdb})", kind, sign * count)


def _counted(written: str, first: str, last: str, node: exp.Expr) -> tuple[int, Type]:
    bad = QueryError("INVALID_LITERAL", f"{place(node)}: '{written}' is not a valid INTERVAL literal")
    sign = -1 if written.strip().startswith("-") else 1
    digits = written.strip().lstrip("+-")
    if (first, last) == ("YEAR", "MONTH"):
        match = re.fullmatch(r"(\d+)-(\d+)", digits)
        if match is None:
            raise bad
        return sign * (int(match[1]) * 12 + int(match[2])), MONTHS
    if first == last and first in MONTHS_IN and first != "QUARTER":
        if not re.fullmatch(r"\d+", digits):
            raise bad
        return sign * int(digits) * MONTHS_IN[first], MONTHS
    if first == last and first in MILLISECONDS:
        if first == "SECOND" and (match := re.fullmatch(r"(\d+)(?:\.(\d{1,3}))?", digits)):
            return sign * (int(match[1]) * 1000 + int((match[2] or "0").ljust(3, "0"))), DAYS
        if not re.fullmatch(r"\d+", digits):
            raise bad
        return sign * int(digits) * MILLISECONDS[first], DAYS
    if first in ORDER and last in ORDER and ORDER.index(first) < ORDER.index(last):
        return sign * _spanned(digits, ORDER[ORDER.index(first) : ORDER.index(last) + 1], bad), DAYS
    raise bad


def _spanned(digits: str, units: tuple[str, ...], bad: QueryError) -> int:
    """Read `1 02:03:04.5` from its first unit to its last."""
    pattern = {"DAY": r"(\d+)", "HOUR": r"(\d+)", "MINUTE": r"(\d+)", "SECOND": r"(\d+(?:\.\d{1,3})?)"}
    joined = pattern[units[0]]
    for before, unit in pairwise(units):
        joined += (" +" if before == "DAY" else ":") + pattern[unit]
    match = re.fullmatch(joined, digits)
    if match is None:
        raise bad
    return sum(
        round(float(part) * MILLISECONDS[unit]) for part, unit in zip(match.groups(), units, strict=True)
    )


def moment_arithmetic(
    sign: str, left: Value, right: Value, node: exp.Expr | None, compiler: Expressions
) -> Value | None:
    """Return arithmetic with dates, times, timestamps and intervals, or None if Trino has no such operator."""
    intervals = ("interval day to second", "interval year to month")
    if left.type.is_(*intervals) and right.type.is_(*intervals):
        if left.type != right.type or sign not in "+-":
            return None
        return Value(f"({left.sql} {sign} {right.sql})", left.type)
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
        factor = coercion.coerced(number, Type("double")).sql if number.type.is_("decimal") else None
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
    """Return a moment moved by an interval. Months keep the day, or take the month's last one."""
    kind = moment.type
    is_months = interval.type == MONTHS
    by = f"to_months({interval.sql})" if is_months else f"to_milliseconds({interval.sql})"
    if kind.is_("date"):
        if is_months:
            return Value(f"CAST({moment.sql} {sign} {by} AS DATE)", kind)
        whole = f"{interval.sql} % 86400000 = 0"
        refusal = failure(
            DATE, "INVALID_FUNCTION_ARGUMENT", literal("Cannot add hour, minutes or seconds to a date")
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
    """Add to a zoned moment: days and shorter units move the instant, months move the zone's clock."""
    precision = moment.type.number if is_months else max(moment.type.number, 3)
    if not is_months or moment.type.zone == "UTC":
        return coercion.zoned_of(f"({moment.instant} {sign} {by})", moment.zone, precision, moment.type.zone)
    from etltctl.local.athena.dialect.zones import local_of, utc_of

    moved = f"({local_of(moment.instant, moment.zone)} {sign} {by})"
    return coercion.zoned_of(utc_of(moved, moment.zone), moment.zone, precision, moment.type.zone)


def _between(left: Value, right: Value) -> Value | None:
    kind = coercion.common(left.type, right.type)
    if kind is None or not kind.is_("date", "timestamp", "timestamp with time zone", "time"):
        return None
    one, other = coercion.coerced(left, kind), coercion.coerced(right, kind)
    a, b = (one.instant, other.instant) if kind.is_zoned else (one.sql, other.sql)
    if kind.is_("date"):
        return Value(f"(CAST({a} - {b} AS BIGINT) * 86400000)", DAYS)
    if kind.is_("time"):
        a, b = f"(DATE '2000-01-01' + {a})", f"(DATE '2000-01-01' + {b})"
    return Value(f"((epoch_us({a}) - epoch_us({b})) // 1000)", DAYS)
