"""The rules of casts from and to dates, times, timestamps and intervals."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.cast_rules import fitted, python
from etltctl.local.services.athena.dialect.casts import cast_rule
from etltctl.local.services.athena.dialect.datetimes import read_date, read_time, read_timestamp
from etltctl.local.services.athena.dialect.errors import QueryError
from etltctl.local.services.athena.dialect.rendering import rendered
from etltctl.local.services.athena.dialect.time_zones import clock
from etltctl.local.services.athena.dialect.trino_types import DAYS, MONTHS, VARCHAR, Type, timestamp
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


def rounded(sql: str, precision: int, to_precision: int) -> str:
    """Return the SQL of a timestamp with fewer digits of a second's fraction, rounded half up."""
    if to_precision >= precision:
        return sql
    # DuckDB's TIMESTAMP always has six digits. Trino rounds to those of the type, half up.
    unit = 10 ** (6 - to_precision)
    raised = f"(epoch_us({sql}) + {unit // 2})"
    # The remainder of a time before 1970 is negative in SQL; rounding goes down from the raised value all the same.
    rest = f"(({raised} % {unit} + {unit}) % {unit})"
    return f"make_timestamp(CAST({raised} - {rest} AS BIGINT))"


@cast_rule("date", "timestamp", "timestamp with time zone")
def _date_to_timestamp(value: Value, to: Type, compiler: Expressions) -> Value:
    return casts.coerced(value, to)


@cast_rule("timestamp", "timestamp", "timestamp with time zone")
def _timestamp_to_timestamp(value: Value, to: Type, compiler: Expressions) -> Value:
    sql = rounded(value.sql, value.type.number, to.number)
    return casts.coerced(Value(sql, timestamp(to.number)), to)


@cast_rule("timestamp with time zone", "timestamp with time zone")
def _zoned_to_zoned(value: Value, to: Type, compiler: Expressions) -> Value:
    sql = rounded(value.instant, value.type.number, to.number)
    return casts.zoned_of(sql, value.zone, to.number, value.type.zone)


@cast_rule("timestamp with time zone", "timestamp")
def _zoned_to_timestamp(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(rounded(clock(value), value.type.number, to.number), to)


@cast_rule("timestamp|timestamp with time zone", "date")
def _timestamp_to_date(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"CAST({clock(value)} AS DATE)", to)


@cast_rule("timestamp|timestamp with time zone", "time")
def _timestamp_to_time(value: Value, to: Type, compiler: Expressions) -> Value:
    return Value(f"CAST({rounded(clock(value), value.type.number, to.number)} AS TIME)", to)


@cast_rule("time", "time")
def _time_to_time(value: Value, to: Type, compiler: Expressions) -> Value:
    day = f"(DATE '1970-01-01' + {value.sql})"
    # The rounding counts microseconds of a timestamp, so the time of day gets a day first.
    return Value(f"CAST({rounded(day, value.type.number, to.number)} AS TIME)", to)


@cast_rule("date", "varchar", "char")
def _date_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(f"strftime({value.sql}, '%Y-%m-%d')", to)


@cast_rule("timestamp|timestamp with time zone", "varchar", "char")
def _timestamp_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    shown = clock(value)
    sql = f"strftime({shown}, '%Y-%m-%d %H:%M:%S')"
    # strftime's %f has six digits; Trino prints as many as the type has.
    if value.type.number:
        sql = f"({sql} || '.' || left(strftime({shown}, '%f'), {value.type.number}))"
    if value.type.is_zoned:
        sql = f"({sql} || ' ' || {value.zone})"
    return fitted(sql, to)


@cast_rule("time", "varchar", "char")
def _time_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    day = f"(DATE '1970-01-01' + {value.sql})"
    fraction = f" || '.' || left(strftime({day}, '%f'), {value.type.number})" if value.type.number else ""
    return fitted(f"(strftime({day}, '%H:%M:%S'){fraction})", to)


@cast_rule("interval day to second", "varchar")
def _days_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(python(_write_days, value, VARCHAR, compiler).sql, to)


@cast_rule("interval year to month", "varchar")
def _months_to_text(value: Value, to: Type, compiler: Expressions) -> Value:
    return fitted(python(_write_months, value, VARCHAR, compiler).sql, to)


def _write_days(value: int) -> str:
    return rendered(value, DAYS) or ""


def _write_months(value: int) -> str:
    return rendered(value, MONTHS) or ""


@cast_rule("varchar|char", "date")
def _text_to_date(value: Value, to: Type, compiler: Expressions) -> Value:
    # DuckDB reads the ordinary form, which is fast. Python reads the others ('2024-1-5'), and raises Athena's error.
    quick = f"TRY_CAST({value.sql} AS DATE)"
    is_plain = f"regexp_full_match({value.sql}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') AND {quick} IS NOT NULL"
    slow = python(_as_date, value, to, compiler).sql
    return Value(f"(CASE WHEN {is_plain} THEN {quick} ELSE {slow} END)", to)


def _as_date(written: str) -> date:
    text = read_date(written)
    if text is None:
        raise QueryError("INVALID_CAST_ARGUMENT", f"Value cannot be cast to date: {written}")
    return date.fromisoformat(text)


@cast_rule("varchar|char", "timestamp")
def _text_to_timestamp(value: Value, to: Type, compiler: Expressions) -> Value:
    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1," + str(to.number) + "})?"
    # timestamp(0) has no fraction, so one that is written has to be rounded: by the slow way.
    pattern = pattern if to.number else pattern.partition("(")[0]
    quick = f"TRY_CAST({value.sql} AS TIMESTAMP)"
    is_plain = f"regexp_full_match({value.sql}, {quoted_text(pattern)}) AND {quick} IS NOT NULL"
    slow = python(_as_timestamp, value, timestamp(6), compiler).sql
    return Value(f"(CASE WHEN {is_plain} THEN {quick} ELSE {rounded(slow, 6, to.number)} END)", to)


def _as_timestamp(written: str) -> datetime:
    moment = read_timestamp(written)
    if moment is None or moment.zone is not None:
        raise QueryError("INVALID_CAST_ARGUMENT", f"Value cannot be cast to timestamp: {written}")
    return _half_up(datetime.fromisoformat(moment.instant), written)


def _half_up(moment: datetime, written: str) -> datetime:
    """Round half up at the seventh digit of the fraction, which Python's datetime cannot hold."""
    fraction = written.rpartition(".")[2].split(" ")[0] if "." in written else ""
    return moment + timedelta(microseconds=1) if len(fraction) > 6 and fraction[6] >= "5" else moment


@cast_rule("varchar|char", "timestamp with time zone")
def _text_to_zoned(value: Value, to: Type, compiler: Expressions) -> Value:
    if isinstance(value.constant, str) and (moment := read_timestamp(value.constant)) is not None:
        # Athena's session is in UTC, so a text without a zone is a time in UTC.
        zone = moment.zone or "UTC"
        instant = rounded(
            f"CAST({quoted_text(moment.instant)} AS TIMESTAMP)", min(moment.precision, 6), to.number
        )
        return casts.zoned_of(instant, quoted_text(zone), to.number, zone)
    read = python(_as_zoned, value, to, compiler)
    return casts.zoned_of(rounded(read.instant, 6, to.number), read.zone, to.number)


def _as_zoned(written: str) -> dict[str, Any]:
    moment = read_timestamp(written)
    if moment is None:
        raise QueryError("INVALID_CAST_ARGUMENT", f"Value cannot be cast to timestamp: {written}")
    return {"at": datetime.fromisoformat(moment.instant), "zone": moment.zone or "UTC"}


@cast_rule("varchar|char", "time")
def _text_to_time(value: Value, to: Type, compiler: Expressions) -> Value:
    read = python(_as_time, value, Type("time", (6,)), compiler)
    return _time_to_time(read, to, compiler)


def _as_time(written: str) -> time:
    parsed = read_time(written)
    if parsed is None:
        raise QueryError("INVALID_CAST_ARGUMENT", f"Value cannot be cast to time: {written}")
    return time.fromisoformat(parsed[0])
