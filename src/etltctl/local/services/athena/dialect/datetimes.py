"""Dates, times, timestamps and intervals as a statement writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.services.athena.dialect.time_zones import to_utc, zone_name
from etltctl.local.services.athena.dialect.trino_types import DATE, DAYS, MONTHS, Type, timestamp
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text

DATE_TEXT = re.compile(r"\s*([+-]?\d{1,9})-(\d{1,2})-(\d{1,2})\s*")
TIME_TEXT = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?")
TIMESTAMP_TEXT = re.compile(
    r"([+-]?\d{4,9})-(\d{1,2})-(\d{1,2})"
    r"(?: (?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?)?\s*(\D.*|[+-].+)?)?"
)


@dataclass(frozen=True)
class Moment:
    """A timestamp that was read: its text in UTC (or as it was written, if it has no zone), and its zone."""

    instant: str
    precision: int
    zone: str | None


def read_date(written: str) -> str | None:
    """Return a date as ISO text; None if the text is not a date."""
    match = DATE_TEXT.fullmatch(written)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        return None


def read_time(written: str) -> tuple[str, int] | None:
    """Return a time of day as ISO text, and the count of its fraction's digits; None if the text is not one."""
    match = TIME_TEXT.fullmatch(written.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    fraction = match[4] or ""
    text = f"{int(match[1]):02d}:{int(match[2]):02d}:{int(match[3] or 0):02d}"
    return text + (f".{fraction[:6]}" if fraction else ""), len(fraction)


def read_timestamp(written: str) -> Moment | None:
    """Return a timestamp; None if the text is not one or names an unknown zone."""
    match = TIMESTAMP_TEXT.fullmatch(written.strip())
    if match is None:
        return None
    fraction = match[7] or ""
    try:
        moment = datetime(
            int(match[1]), int(match[2]), int(match[3]), int(match[4] or 0), int(match[5] or 0),
            int(match[6] or 0), int(fraction[:6].ljust(6, "0") or 0),
        )  # fmt: skip
    except ValueError:
        return None
    if match[8] is None:
        return Moment(moment.isoformat(" "), len(fraction), None)
    zone = zone_name(match[8].strip())
    instant = to_utc(moment, zone) if zone is not None else None
    if instant is None:
        return None
    return Moment(instant.isoformat(" "), len(fraction), zone)


DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


# Intervals are numbers here. DuckDB's own keep months, days and microseconds apart, so that 24 hours are not a day.
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
    return Value(f"CAST({quoted_text(iso)} AS DATE)", DATE)


def time_literal(written: str, node: exp.Expr) -> Value:
    """Translate `time '…'`."""
    parsed = read_time(written)
    if parsed is None:
        raise _bad("TIME", written, node)
    return Value(f"CAST({quoted_text(parsed[0])} AS TIME)", Type("time", (parsed[1],)))


def timestamp_literal(written: str, node: exp.Expr) -> Value:
    """Translate `timestamp '…'`, with its zone if it names one."""
    moment = read_timestamp(written)
    if moment is None:
        raise _bad("TIMESTAMP", written, node)
    # A literal has as many digits as are written, up to 12. DuckDB has six.
    if moment.precision > 6:
        raise unsupported("timestamps finer than microseconds")
    instant = f"CAST({quoted_text(moment.instant)} AS TIMESTAMP)"
    if moment.zone is None:
        return Value(instant, timestamp(moment.precision))
    return casts.zoned_of(instant, quoted_text(moment.zone), moment.precision, moment.zone)


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
    # `interval '2-6' year to month` is 30 months.
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
