"""Instants and zones: now, Unix time, AT TIME ZONE, ISO 8601."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta
from typing import Any

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.casts import cast
from etltctl.local.athena.dialect.errors import invalid_argument, mismatch, unsupported
from etltctl.local.athena.dialect.expressions import Expressions, operator
from etltctl.local.athena.dialect.literals import text
from etltctl.local.athena.dialect.moment_texts import zone_name
from etltctl.local.athena.dialect.registry import Call, function, simple
from etltctl.local.athena.dialect.trino_types import (
    BIGINT,
    DATE,
    DOUBLE,
    VARCHAR,
    ZONED,
    Type,
    literal,
    timestamp,
    varchar,
    zoned,
)
from etltctl.local.athena.dialect.values import Value
from etltctl.local.athena.dialect.zones import clock, utc_of

NOW = "timezone('UTC', now())"


def _now(precision: int) -> str:
    return NOW if precision == 6 else f"date_trunc('{'milliseconds' if precision >= 3 else 'second'}', {NOW})"


def _precision(node: exp.Expr) -> int:
    digits = node.this
    if digits is None:
        return 3
    if not isinstance(digits, exp.Literal) or not digits.name.isdigit() or int(digits.name) not in (0, 3, 6):
        raise unsupported("the current time with this precision")
    return int(digits.name)


@operator(exp.CurrentTimestamp)
def _current_timestamp(compiler: Expressions, node: exp.Expr) -> Value:
    precision = _precision(node)
    return coercion.zoned_of(_now(precision), "'UTC'", precision, "UTC")


@operator(exp.Localtimestamp)
def _localtimestamp(compiler: Expressions, node: exp.Expr) -> Value:
    precision = _precision(node)
    return Value(_now(precision), timestamp(precision))


@operator(exp.Localtime)
def _localtime(compiler: Expressions, node: exp.Expr) -> Value:
    precision = _precision(node)
    return Value(f"CAST({_now(precision)} AS TIME)", Type("time", (precision,)))


@operator(exp.CurrentDate)
def _current_date(compiler: Expressions, node: exp.Expr) -> Value:
    return Value(f"CAST({NOW} AS DATE)", DATE)


@function("current_timestamp", "localtimestamp", "localtime")
def _with_precision(call: Call) -> Value:
    """Translate the forms with a precision; without one they are no functions but words."""
    call.expect(1)
    kinds = {
        "current_timestamp": exp.CurrentTimestamp, "localtimestamp": exp.Localtimestamp, "localtime": exp.Localtime
    }  # fmt: skip
    return call.compiler.value(kinds[call.name](this=call.nodes[0].copy()))


@function("date")
def _date(call: Call) -> Value:
    call.expect(1)
    if not call.types[0].is_("varchar", "date", "timestamp", "timestamp with time zone", "unknown"):
        raise call.unexpected("date(varchar(x))", "date(timestamp(p))", "date(timestamp(p) with time zone)")
    return cast(call.args[0], DATE, call.compiler, call.node)


@function("now")
def _now_function(call: Call) -> Value:
    call.expect(0)
    return coercion.zoned_of(_now(3), "'UTC'", 3, "UTC")


@function("current_timezone")
def _current_timezone(call: Call) -> Value:
    call.expect(0)
    return Value("'UTC'", VARCHAR)


def _zone(value: Value) -> tuple[str, str | None]:
    """Return the SQL of a zone that an argument names, and its name if it is a literal."""
    if value.type.is_("interval day to second") and isinstance(value.constant, int):
        minutes = value.constant // 60_000
        named = zone_name(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}")
    elif isinstance(value.constant, str):
        named = zone_name(value.constant)
    else:
        raise unsupported("a time zone that is not a literal")
    if named is None:
        raise invalid_argument(f"'{value.constant}' is not a valid time zone")
    return literal(named), named


def at_zone(value: Value, zone: Value, node: exp.Expr | None) -> Value:
    """Return the same instant as another zone's clock shows it."""
    if not value.type.is_("timestamp", "timestamp with time zone"):
        raise mismatch(
            f"Type of value must be a time or timestamp with or without time zone (actual {value.type})", node
        )
    instant = coercion.coerced(value, zoned(value.type.number))
    sql, static = _zone(zone)
    return coercion.zoned_of(instant.instant, sql, value.type.number, static)


@operator(exp.AtTimeZone)
def _at_time_zone(compiler: Expressions, node: exp.Expr) -> Value:
    return at_zone(compiler.value(node.this), compiler.value(node.args["zone"]), node)


@function("at_timezone")
def _at_timezone(call: Call) -> Value:
    call.expect(2)
    if not call.types[0].is_("timestamp", "timestamp with time zone"):
        raise call.unexpected("at_timezone(timestamp(p) with time zone, varchar(x))")
    return at_zone(call.args[0], call.args[1], call.node)


@function("with_timezone")
def _with_timezone(call: Call) -> Value:
    call.expect(2)
    if not call.types[0].is_("timestamp", "date"):
        raise call.unexpected("with_timezone(timestamp(p), varchar(x))")
    local = coercion.coerced(call.args[0], timestamp(call.types[0].number if call.types[0].parameters else 3))
    sql, static = _zone(call.args[1])
    return coercion.zoned_of(utc_of(local.sql, sql), sql, local.type.number, static)


@function("timezone")
def _timezone(call: Call) -> Value:
    call.expect(1)
    if not call.types[0].is_zoned:
        raise call.unexpected("timezone(timestamp(p) with time zone)")
    return Value(call.args[0].zone, VARCHAR)


@function("from_unixtime")
def _from_unixtime(call: Call) -> Value:
    call.expect(1, 2, 3)
    seconds = call.to(0, DOUBLE).sql
    # Milliseconds are rounded half up, as Java's Math.round does.
    instant = f"make_timestamp(CAST(floor({seconds} * 1000 + 0.5) AS BIGINT) * 1000)"
    if len(call.args) == 1:
        return coercion.zoned_of(instant, "'UTC'", 3, "UTC")
    if len(call.args) == 2:
        call.to(1, VARCHAR)
        sql, static = _zone(call.args[1])
        return coercion.zoned_of(instant, sql, 3, static)
    hours, minutes = call.to(1, BIGINT).constant, call.to(2, BIGINT).constant
    if not isinstance(hours, int) or not isinstance(minutes, int):
        raise unsupported("from_unixtime with an offset that is not a literal")
    total = hours * 60 + minutes
    sql, static = _zone(text(f"{'-' if total < 0 else '+'}{abs(total) // 60:02d}:{abs(total) % 60:02d}"))
    return coercion.zoned_of(instant, sql, 3, static)


@function("to_unixtime")
def _to_unixtime(call: Call) -> Value:
    call.expect(1)
    if not call.types[0].is_("timestamp", "timestamp with time zone", "date"):
        raise call.unexpected("to_unixtime(timestamp(p))", "to_unixtime(timestamp(p) with time zone)")
    value = call.args[0]
    instant = value.instant if value.type.is_zoned else f"CAST({value.sql} AS TIMESTAMP)"
    return Value(f"(CAST(epoch_us({instant}) AS DOUBLE) / 1000000.0::DOUBLE)", DOUBLE)


DATE_PATTERN = r"([+-]?\d{4,9})(?:-(\d{1,2})(?:-(\d{1,2}))?)?"
WEEK_PATTERN = r"(\d{4})-W(\d{1,2})(?:-(\d))?"
ORDINAL_PATTERN = r"(\d{4})-(\d{3})"
CLOCK_PATTERN = r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?)?"
ZONE_PATTERN = r"(Z|[+-]\d{2}(?::?\d{2})?)?"


def _iso_date(written: str) -> date | None:
    """Return a date in any form of ISO 8601; a part that is missing is the first one."""
    try:
        if match := re.fullmatch(ORDINAL_PATTERN, written):
            first = date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)
            return first if first.year == int(match[1]) and int(match[2]) else None
        if match := re.fullmatch(DATE_PATTERN, written):
            return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        if match := re.fullmatch(WEEK_PATTERN, written):
            return date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        return None
    return None


def _from_iso_date(written: str) -> date:
    day = _iso_date(written)
    if day is None:
        raise invalid_argument(f'Invalid format: "{written}"')
    return day


simple("from_iso8601_date(varchar) -> date", _from_iso_date)


@function("from_iso8601_timestamp")
def _from_iso_timestamp(call: Call) -> Value:
    call.expect(1)
    written = call.to(0, VARCHAR)
    if isinstance(written.constant, str):
        moment = _iso_timestamp(written.constant)
        instant = f"CAST({literal(moment['at'].isoformat(' '))} AS TIMESTAMP)"
        return coercion.zoned_of(instant, literal(moment["zone"]), 3, moment["zone"])
    return call.python(_iso_timestamp, written, returns=ZONED)


def _iso_timestamp(written: str) -> dict[str, Any]:
    day, mark, rest = written.partition("T")
    calendar_day = _iso_date(day) if day else None
    clock_match = re.fullmatch(CLOCK_PATTERN + ZONE_PATTERN, rest) if mark and rest else None
    if calendar_day is None or (mark and rest and clock_match is None):
        raise invalid_argument(f'Invalid format: "{written}"')
    moment = datetime(calendar_day.year, calendar_day.month, calendar_day.day)
    offset = timedelta(0)
    zone = "UTC"
    if clock_match is not None:
        if int(clock_match[1]) > 23 or int(clock_match[2] or 0) > 59 or int(clock_match[3] or 0) > 59:
            raise invalid_argument(f'Cannot parse "{written}"')
        fraction = int((clock_match[4] or "0").ljust(9, "0")[:3])
        moment += timedelta(
            hours=int(clock_match[1]),
            minutes=int(clock_match[2] or 0),
            seconds=int(clock_match[3] or 0),
            milliseconds=fraction,
        )
        zone = zone_name(clock_match[5] or "UTC") or "UTC"
        if zone != "UTC":
            sign = -1 if zone[0] == "-" else 1
            offset = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return {"at": moment - offset, "zone": zone}


@function("to_iso8601")
def _to_iso(call: Call) -> Value:
    call.expect(1)
    value, kind = call.args[0], call.types[0]
    if kind.is_("date"):
        return Value(f"strftime({value.sql}, '%Y-%m-%d')", varchar(16))
    if not kind.is_("timestamp", "timestamp with time zone"):
        raise call.unexpected(
            "to_iso8601(date)", "to_iso8601(timestamp(p))", "to_iso8601(timestamp(p) with time zone)"
        )
    shown = clock(value)
    sql = f"strftime({shown}, '%Y-%m-%dT%H:%M:%S')"
    if kind.number:
        sql = f"({sql} || '.' || left(strftime({shown}, '%f'), {kind.number}))"
    if kind.is_zoned:
        sql = f"({sql} || {_iso_offset(value)})"
    return Value(sql, varchar(35))


def _iso_offset(value: Value) -> str:
    minutes = f"((epoch_ms({clock(value)}) - epoch_ms({value.instant})) // 60000)"
    digits = f"printf('%02d:%02d', abs({minutes}) // 60, abs({minutes}) % 60)"
    return (
        f"(CASE WHEN {minutes} = 0 THEN 'Z' WHEN {minutes} < 0 THEN '-' || {digits} ELSE '+' || {digits} END)"
    )


DURATION = {
    "ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0,
}  # fmt: skip


def _parse_duration(written: str) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", written)
    if match is None or match[2] not in DURATION:
        raise invalid_argument(f"duration is not a valid data duration string: {written}")
    return math.floor(float(match[1]) * DURATION[match[2]] + 0.5)


simple("parse_duration(varchar) -> interval day to second", _parse_duration)
simple("to_milliseconds(interval day to second) -> bigint", "{0}")


def _human_readable(seconds: float) -> str:
    if not math.isfinite(seconds):
        raise invalid_argument(f"Invalid argument found: {seconds}")
    left = math.floor(abs(seconds) + 0.5) if seconds >= 0 else math.floor(-seconds + 0.5)
    parts: list[str] = []
    for name, size in (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count or (name == "second" and not parts):
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(parts)


simple("human_readable_seconds(double) -> varchar", _human_readable)
