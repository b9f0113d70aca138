"""Functions that build arrays: sequence, repeat, zip, combinations and the like."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from itertools import combinations as combined
from random import sample
from typing import TypeVar

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import invalid_argument
from etltctl.local.services.athena.dialect.functions.lambdas import array_of, failure, over, unless_null
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    DATE,
    DAYS,
    INTEGER,
    MONTHS,
    UNKNOWN,
    Type,
    array,
    row,
)
from etltctl.local.services.athena.dialect.values import Value

Moment = TypeVar("Moment", date, datetime)
MOST = 10_000
DAY_MS = 86_400_000


def numbers(start: int, stop: int, step: int) -> list[int]:
    """Return the numbers from one to another."""
    _check(start, stop, step)
    _check_length((stop - start) // step + 1)
    # Trino's sequence includes its end; Python's and DuckDB's ranges do not.
    return list(range(start, stop + (1 if step > 0 else -1), step))


def days(start: date, stop: date, step: int) -> list[date]:
    """Return the dates from one to another; the step is in milliseconds, of whole days."""
    # An interval counts milliseconds, and a date moves by whole days.
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
    kind = casts.common_type(call.types[0], call.types[1])
    if kind is None or not (kind.is_integer or kind.is_("date", "timestamp")):
        raise call.unexpected(
            "sequence(bigint, bigint)", "sequence(bigint, bigint, bigint)", "sequence(date, date)",
            "sequence(date, date, interval day to second)", "sequence(date, date, interval year to month)",
            "sequence(timestamp(p), timestamp(p), interval day to second)",
            "sequence(timestamp(p), timestamp(p), interval year to month)",
        )  # fmt: skip
    if kind.is_integer:
        return _of_numbers(call)
    ends = [casts.coerced(value, kind) for value in call.args[:2]]
    if len(call.nodes) == 2:
        if not kind.is_("date"):
            raise call.unexpected("sequence(date, date)")
        # Without a step, dates go by one day towards the end.
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
    # Each element is counted from the start: from January 31, the third is March 31 and not March 29.
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


MOST_REPEATED = 10_000
MOST_COMBINED = 100_000


@function("flatten")
def _flatten(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    if not values.type.element.is_("array"):
        raise call.unexpected("flatten(array(array(e)))")
    return Value(f"flatten({values.sql})", values.type.element)


@function("repeat")
def _repeat(call: Call) -> Value:
    call.expect(2)
    value, count = call.args[0], call.to(1, BIGINT).sql
    kind = array(value.type)
    many = failure(f"'count argument of repeat function must be less than or equal to {MOST_REPEATED}'", kind)
    few = failure("'count argument of repeat function must be greater than or equal to 0'", kind)
    # A list of DuckDB's needs a type, also one of nulls.
    typed = value.sql if not value.type.is_("unknown") else f"CAST(NULL AS {UNKNOWN.duckdb})"
    copies = over("list_transform", f"range(least({count}, {MOST_REPEATED}))", lambda _: typed)
    guarded = f"CASE WHEN {count} > {MOST_REPEATED} THEN {many} WHEN {count} < 0 THEN {few} ELSE {copies} END"
    return Value(unless_null(guarded, count), kind)


@function("ngrams")
def _ngrams(call: Call) -> Value:
    call.expect(2)
    values, size = array_of(call, 0), call.to(1, BIGINT).sql
    kind = array(values.type)
    wrong = failure("'N must be positive'", kind)
    starts = f"range(1, greatest(len({values.sql}) - {size} + 1, 1) + 1)"
    parts = over("list_transform", starts, lambda at: f"list_slice({values.sql}, {at}, {at} + {size} - 1)")
    return Value(unless_null(f"CASE WHEN {size} <= 0 THEN {wrong} ELSE {parts} END", values.sql, size), kind)


def combinations(length: int, size: int) -> list[list[int]]:
    """Return the positions of every combination, in Trino's order: the last position grows slowest."""
    if not 0 <= size <= 5:
        problem = "not be negative" if size < 0 else "not exceed 5"
        raise invalid_argument(f"combination size must {problem}: {size}")
    groups: list[list[int]] = []
    for positions in combined(range(1, length + 1), size):
        groups.append(list(positions))
        if len(groups) > MOST_COMBINED:
            raise invalid_argument("combinations exceed max size")
    # Python's combinations are in the order of the first position.
    return sorted(groups, key=lambda positions: positions[::-1])


@function("combinations")
def _combinations(call: Call) -> Value:
    call.expect(2)
    values, size = array_of(call, 0), call.to(1, INTEGER)
    length = Value(f"CAST(len({values.sql}) AS INTEGER)", INTEGER)
    positions = call.python(combinations, length, size, returns=array(array(INTEGER))).sql

    def taken(group: str) -> str:
        return over("list_transform", group, lambda at: f"list_extract({values.sql}, {at})")

    return Value(over("list_transform", positions, taken), array(values.type))


def shuffled(length: int) -> list[int]:
    """Return the positions of an array in random order."""
    return sample(range(1, length + 1), length)


@function("shuffle")
def _shuffle(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    length = Value(f"CAST(len({values.sql}) AS INTEGER)", INTEGER)
    positions = call.python(shuffled, length, returns=array(INTEGER)).sql
    return Value(
        over("list_transform", positions, lambda at: f"list_extract({values.sql}, {at})"), values.type
    )


@function("zip")
def _zip(call: Call) -> Value:
    if not 2 <= len(call.nodes) <= 5:
        raise call.unexpected("zip(array(t1), array(t2))")
    values = [array_of(call, index) for index in range(len(call.nodes))]
    kind = row(tuple((None, value.type.element) for value in values))
    # Shorter arrays are filled with nulls, in Trino and in DuckDB.
    zipped = f"list_zip({', '.join(value.sql for value in values)})"

    def packed(name: str) -> str:
        parts = (f"{held} := {name}[{index}]" for index, held in enumerate(kind.field_names, 1))
        return f"struct_pack({', '.join(parts)})"

    return Value(
        unless_null(over("list_transform", zipped, packed), *(value.sql for value in values)), array(kind)
    )


def concatenated(call: Call) -> Value:
    """Return arrays, and an element before or after one, as one array."""
    kind: Type | None = None
    for known in call.types:
        if known.is_("array"):
            kind = known if kind is None else casts.common_type(kind, known)
            if kind is None:
                raise call.unexpected("concat(array(e), array(e))")
    assert kind is not None
    element = kind.element
    parts = []
    for value in call.args:
        if value.type.is_("array", "unknown"):
            parts.append(casts.coerced(value, kind).sql)
            continue
        if len(call.args) != 2 or not (common := casts.common_type(element, value.type)):
            raise call.unexpected("concat(array(e), e)", "concat(e, array(e))")
        # `array[1] || 2.5` widens the elements to the common type.
        kind = array(common)
        parts = [
            casts.coerced(known, kind).sql
            if known.type.is_("array")
            else f"[{casts.coerced(known, common).sql}]"
            for known in call.args
        ]
        return Value(
            unless_null(f"list_concat({parts[0]}, {parts[1]})", *(known.sql for known in call.args)), kind
        )
    return Value(unless_null(f"list_concat({', '.join(parts)})", *parts), kind)
