"""sequence(): numbers, dates and timestamps from one to another."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from typing import TypeVar

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import invalid_argument
from etltctl.local.athena.dialect.registry import Call, function
from etltctl.local.athena.dialect.trino_types import BIGINT, DATE, DAYS, MONTHS, array
from etltctl.local.athena.dialect.values import Value

Moment = TypeVar("Moment", date, datetime)
MOST = 10_000
DAY_MS = 86_400_000


def numbers(start: int, stop: int, step: int) -> list[int]:
    """Return the numbers from one to another."""
    _check(start, stop, step)
    _check_length((stop - start) // step + 1)
    return list(range(start, stop + (1 if step > 0 else -1), step))


def days(start: date, stop: date, step: int) -> list[date]:
    """Return the dates from one to another; the step is in milliseconds, of whole days."""
    if step % DAY_MS:
        raise invalid_argument("sequence step must be a day interval if start and end values are dates")
    ordinals = numbers(start.toordinal(), stop.toordinal(), step // DAY_MS)
    return [date.fromordinal(number) for number in ordinals]


def moments(start: datetime, stop: datetime, step: int) -> list[datetime]:
    """Return the timestamps from one to another; the step is in milliseconds."""
    micro = timedelta(microseconds=1)
    steps = numbers(0, (stop - start) // micro, step * 1000)
    return [start + number * micro for number in steps]


def months(start: Moment, stop: Moment, step: int) -> list[Moment]:
    """Return the dates or timestamps from one to another by months; a month that is too short ends earlier."""
    _check_order(start <= stop, start >= stop, step)
    count = (stop.year - start.year) * 12 + stop.month - start.month
    result: list[Moment] = []
    for number in range(0, count + (1 if step > 0 else -1), step):
        value = _plus_months(start, number)
        if (value > stop) if step > 0 else (value < stop):
            break
        result.append(value)
        _check_length(len(result))
    return result


@function("sequence")
def _sequence(call: Call) -> Value:
    call.expect(2, 3)
    kind = coercion.common(call.types[0], call.types[1])
    if kind is None or not (kind.is_integer or kind.is_("date", "timestamp")):
        raise call.unexpected(
            "sequence(bigint, bigint)", "sequence(bigint, bigint, bigint)", "sequence(date, date)",
            "sequence(date, date, interval day to second)", "sequence(date, date, interval year to month)",
            "sequence(timestamp(p), timestamp(p), interval day to second)",
            "sequence(timestamp(p), timestamp(p), interval year to month)",
        )  # fmt: skip
    if kind.is_integer:
        return _of_numbers(call)
    ends = [coercion.coerced(value, kind) for value in call.args[:2]]
    if len(call.nodes) == 2:
        if not kind.is_("date"):
            raise call.unexpected("sequence(date, date)")
        step = Value(f"CASE WHEN {ends[0].sql} > {ends[1].sql} THEN -{DAY_MS} ELSE {DAY_MS} END", DAYS)
    else:
        step = call.args[2]
    if step.type == MONTHS:
        return call.python(months, *ends, step, returns=array(kind))
    if step.type != DAYS:
        raise call.unexpected()
    return call.python(days if kind == DATE else moments, *ends, step, returns=array(kind))


def _of_numbers(call: Call) -> Value:
    start, stop = call.to(0, BIGINT), call.to(1, BIGINT)
    if len(call.nodes) == 3:
        step = call.to(2, BIGINT)
    else:
        step = Value(f"CAST(CASE WHEN {start.sql} > {stop.sql} THEN -1 ELSE 1 END AS BIGINT)", BIGINT)
    return call.python(numbers, start, stop, step, returns=array(BIGINT))


def _plus_months(value: Moment, number: int) -> Moment:
    year, month = divmod(value.month - 1 + number, 12)
    year, month = value.year + year, month + 1
    return value.replace(year=year, month=month, day=min(value.day, calendar.monthrange(year, month)[1]))


def _check(start: int, stop: int, step: int) -> None:
    _check_order(start <= stop, start >= stop, step)


def _check_order(is_up: bool, is_down: bool, step: int) -> None:
    if step == 0:
        raise invalid_argument("step must not be zero")
    if not (is_up if step > 0 else is_down):
        raise invalid_argument(
            "sequence stop value should be greater than or equal to start value if step is greater than zero "
            "otherwise stop should be less than or equal to start"
        )


def _check_length(length: int) -> None:
    if length > MOST:
        raise invalid_argument(f"result of sequence function must not have more than {MOST} entries")
