"""date_add, date_diff and date_trunc: in whole units, and in the zone of a timestamp that has one."""

from __future__ import annotations

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.errors import invalid_argument, unsupported
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import BIGINT, DATE, VARCHAR, Type, timestamp
from etltctl.local.services.athena.dialect.values import Value
from etltctl.local.services.athena.dialect.zones import clock, local_of, utc_of

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
        return Value(f"CAST({moment.sql} + {by} AS DATE)", kind)
    finer = max(kind.number, 3) if unit == "millisecond" else kind.number
    if kind.is_zoned:
        return _added_zoned(moment, by, unit, finer)
    return Value(f"({moment.sql} + {by})", Type(kind.name, (finer,)))


def _added_zoned(moment: Value, by: str, unit: str, precision: int) -> Value:
    """Add to a zoned moment: hours and shorter units move the instant, days and longer move the zone's clock."""
    zone = moment.type.zone
    if unit in SHORT or zone == "UTC":
        return coercion.zoned_of(f"({moment.instant} + {by})", moment.zone, precision, zone)
    moved = utc_of(f"({local_of(moment.instant, moment.zone)} + {by})", moment.zone)
    return coercion.zoned_of(moved, moment.zone, precision, zone)


@function("date_diff")
def _date_diff(call: Call) -> Value:
    call.expect(3)
    kind = coercion.common(call.types[1], call.types[2])
    if kind is None or not kind.is_(*MOMENTS):
        raise call.unexpected(
            "date_diff(varchar(x), date, date)", "date_diff(varchar(x), timestamp(p), timestamp(p))"
        )
    unit = _unit(call, kind)
    first, second = coercion.coerced(call.args[1], kind), coercion.coerced(call.args[2], kind)
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
    size = SHORT.get(unit) or (DAYS[unit] * 86_400_000 if unit in DAYS else 0)
    if size:
        return Value(f"CAST((epoch_ms({b}) - epoch_ms({a})) // {size} AS BIGINT)", BIGINT)
    months = f"(CASE WHEN {a} <= {b} THEN {_months(a, b)} ELSE -{_months(b, a)} END)"
    return Value(f"CAST({months} // {MONTHS[unit]} AS BIGINT)", BIGINT)


def _months(start: str, end: str) -> str:
    """Return the complete months between two moments; a month's last day completes one of a longer month."""
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
    return coercion.zoned_of(sql, value.zone, kind.number, kind.zone)
