"""Instants and zones: now, Unix time, AT TIME ZONE."""

from __future__ import annotations

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.casts import cast
from etltctl.local.services.athena.dialect.errors import invalid_argument, mismatch, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.literals import text
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.time_zones import utc_of, zone_name
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    DATE,
    DOUBLE,
    VARCHAR,
    Type,
    timestamp,
    zoned,
)
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text

# now() is the start of the transaction, so it is the same in the whole query, as in Athena.
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
    return casts.zoned_of(_now(precision), "'UTC'", precision, "UTC")


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
    """Translate the forms with a precision. Without one, sqlglot reads them as words and not as calls."""
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
    return casts.zoned_of(_now(3), "'UTC'", 3, "UTC")


@function("current_timezone")
def _current_timezone(call: Call) -> Value:
    call.expect(0)
    return Value("'UTC'", VARCHAR)


def _zone(value: Value) -> tuple[str, str | None]:
    """Return the SQL of a zone that an argument names, and its name if it is a literal."""
    if value.type.is_("interval day to second") and isinstance(value.constant, int):
        # `AT TIME ZONE interval '2' hour` names an offset.
        minutes = value.constant // 60_000
        named = zone_name(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}")
    elif isinstance(value.constant, str):
        named = zone_name(value.constant)
    else:
        raise unsupported("a time zone that is not a literal")
    if named is None:
        raise invalid_argument(f"'{value.constant}' is not a valid time zone")
    return quoted_text(named), named


def at_zone(value: Value, zone: Value, node: exp.Expr | None) -> Value:
    """Return the same instant as another zone's clock shows it."""
    if not value.type.is_("timestamp", "timestamp with time zone"):
        raise mismatch(
            f"Type of value must be a time or timestamp with or without time zone (actual {value.type})", node
        )
    instant = casts.coerced(value, zoned(value.type.number))
    sql, static = _zone(zone)
    return casts.zoned_of(instant.instant, sql, value.type.number, static)


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
    local = casts.coerced(call.args[0], timestamp(call.types[0].number if call.types[0].parameters else 3))
    sql, static = _zone(call.args[1])
    return casts.zoned_of(utc_of(local.sql, sql), sql, local.type.number, static)


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
        return casts.zoned_of(instant, "'UTC'", 3, "UTC")
    if len(call.args) == 2:
        call.to(1, VARCHAR)
        sql, static = _zone(call.args[1])
        return casts.zoned_of(instant, sql, 3, static)
    hours, minutes = call.to(1, BIGINT).constant, call.to(2, BIGINT).constant
    if not isinstance(hours, int) or not isinstance(minutes, int):
        raise unsupported("from_unixtime with an offset that is not a literal")
    total = hours * 60 + minutes
    sql, static = _zone(text(f"{'-' if total < 0 else '+'}{abs(total) // 60:02d}:{abs(total) % 60:02d}"))
    return casts.zoned_of(instant, sql, 3, static)


@function("to_unixtime")
def _to_unixtime(call: Call) -> Value:
    call.expect(1)
    if not call.types[0].is_("timestamp", "timestamp with time zone", "date"):
        raise call.unexpected("to_unixtime(timestamp(p))", "to_unixtime(timestamp(p) with time zone)")
    value = call.args[0]
    instant = value.instant if value.type.is_zoned else f"CAST({value.sql} AS TIMESTAMP)"
    # The result has microseconds as its fraction.
    return Value(f"(CAST(epoch_us({instant}) AS DOUBLE) / 1000000.0::DOUBLE)", DOUBLE)
