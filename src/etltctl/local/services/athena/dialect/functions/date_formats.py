"""date_format and date_parse with MySQL's format letters, and ISO 8601."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.datetimes import DAY_NAMES, MONTH_NAMES
from etltctl.local.services.athena.dialect.errors import invalid_argument, unsupported
from etltctl.local.services.athena.dialect.literals import text
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.time_zones import clock, zone_name
from etltctl.local.services.athena.dialect.trino_types import TIMESTAMP, VARCHAR, ZONED, timestamp, varchar
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text

# Trino's letter → DuckDB's strftime.
WRITTEN = {
    "a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M",
    "j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S",
    "T": "%H:%M:%S", "v": "%V", "W": "%A", "x": "%G", "Y": "%Y", "y": "%y", "%": "%%",
}  # fmt: skip
REFUSED = "DUuVwX"
# What date_parse reads for each letter; the numbers of digits are Joda's.
READ = {
    "a": "(?P<a>[A-Za-z]+)", "W": "(?P<a>[A-Za-z]+)", "b": "(?P<b>[A-Za-z]+)", "M": "(?P<b>[A-Za-z]+)",
    "c": r"(?P<m>\d{1,2})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "e": r"(?P<d>\d{1,2})",
    "f": r"(?P<f>\d{1,9})", "H": r"(?P<H>\d{1,2})", "k": r"(?P<H>\d{1,2})", "h": r"(?P<h>\d{1,2})",
    "I": r"(?P<h>\d{1,2})", "l": r"(?P<h>\d{1,2})", "i": r"(?P<i>\d{1,2})", "j": r"(?P<j>\d{1,3})",
    "p": "(?P<p>[AaPp][Mm])", "S": r"(?P<s>\d{1,2})", "s": r"(?P<s>\d{1,2})", "Y": r"(?P<Y>[+-]?\d{1,4})",
    "y": r"(?P<y>\d{2})", "v": r"(?P<v>\d{1,2})", "x": r"(?P<x>[+-]?\d{1,4})", "%": "%",
}  # fmt: skip
COMPOSED = {"T": "%H:%i:%s", "r": "%h:%i:%s %p"}


def _letters(pattern: str) -> list[tuple[bool, str]]:
    """Split a format into letters after a percent sign (True) and other characters (False)."""
    parts: list[tuple[bool, str]] = []
    is_escaped = False
    for character in pattern:
        if is_escaped:
            # MySQL has these letters, and Trino does not.
            if character in REFUSED:
                raise invalid_argument(f"%{character} not supported in date format string")
            parts.append((character in WRITTEN, character))
            is_escaped = False
        elif character == "%":
            is_escaped = True
        else:
            parts.append((False, character))
    return parts


def _constant(call: Call) -> str:
    pattern = call.to(1, VARCHAR)
    if not isinstance(pattern.constant, str):
        raise unsupported(f"{call.name} with a format that is not a literal")
    return pattern.constant


@function("date_format")
def _date_format(call: Call) -> Value:
    call.expect(2)
    if not call.types[0].is_("date", "timestamp", "timestamp with time zone"):
        raise call.unexpected(
            "date_format(timestamp(p), varchar(x))", "date_format(timestamp(p) with time zone, varchar(x))"
        )
    shown = clock(call.args[0])
    if call.types[0].is_("date"):
        shown = f"CAST({shown} AS TIMESTAMP)"
    # Joda has milliseconds, so %f ends with three zeros.
    elif call.types[0].number > 3:
        shown = f"date_trunc('milliseconds', {shown})"
    parts = _letters(_constant(call))
    native = "".join(WRITTEN[text] if is_letter else text.replace("%", "%%") for is_letter, text in parts)
    return Value(f"strftime({shown}, {quoted_text(native)})", VARCHAR)


@function("date_parse")
def _date_parse(call: Call) -> Value:
    call.expect(2)
    written = call.to(0, VARCHAR)
    pattern = _constant(call)
    _pattern(pattern)  # refuses a format that Trino does not have, before any row

    return casts.coerced(call.python(_parsed, written, text(pattern), returns=TIMESTAMP), timestamp(3))


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> re.Pattern[str]:
    used: set[str] = set()
    regex = ""
    for is_letter, character in _letters(pattern):
        if not is_letter:
            regex += re.escape(character)
            continue
        for inner in re.findall(r"%(.)|(.)", COMPOSED.get(character, f"%{character}")):
            piece = READ[inner[0]] if inner[0] else re.escape(inner[1])
            if (name := re.match(r"\(\?P<(\w)>", piece)) is not None:
                if name[1] in used:
                    # A part that is named twice has to be the same both times.
                    piece = f"(?P={name[1]})"
                used.add(name[1])
            regex += piece
    return re.compile(regex, re.IGNORECASE)


def _parsed(written: str, pattern: str) -> datetime:
    match = _pattern(pattern).fullmatch(written)
    if match is None:
        raise invalid_argument(f'Invalid format: "{written}"')
    try:
        return _moment({name: value for name, value in match.groupdict().items() if value is not None})
    except ValueError as error:
        raise invalid_argument(f'Cannot parse "{written}": {error}') from error


def _moment(parts: dict[str, str]) -> datetime:
    """Put the parts together. A part of the date that is missing is that of 1970-01-01.

    Raises:
        ValueError: if there is no such date or time.
    """
    year = int(parts.get("Y", "1970"))
    if "y" in parts:  # two digits are a year from 1970 to 2069
        year = int(parts["y"]) + (1900 if int(parts["y"]) >= 70 else 2000)
    month = _named(parts["b"], MONTH_NAMES) if "b" in parts else int(parts.get("m", "1"))
    if "v" in parts or "x" in parts:
        day = datetime.fromisocalendar(int(parts.get("x", year)), int(parts.get("v", "1")), 1)
        if "a" in parts:
            day += timedelta(days=_named(parts["a"], DAY_NAMES) - 1)
    elif "j" in parts:
        day = datetime(year, 1, 1) + timedelta(days=int(parts["j"]) - 1)
        if day.year != year:
            raise ValueError("day of year out of range")
    else:
        day = datetime(year, month, int(parts.get("d", "1")))
        if "a" in parts and _named(parts["a"], DAY_NAMES) != day.isoweekday() and "d" in parts:
            raise ValueError("day of week does not fit the date")
    fraction = int(parts.get("f", "0").ljust(9, "0")[:3]) * 1000
    return day.replace(
        hour=_hour(parts),
        minute=int(parts.get("i", "0")),
        second=int(parts.get("s", "0")),
        microsecond=fraction,
    )


def _hour(parts: dict[str, str]) -> int:
    if "H" in parts:
        return int(parts["H"])
    hour = int(parts.get("h", "12"))
    if not 1 <= hour <= 12:
        raise ValueError("clock hour must be in the range [1,12]")
    return hour % 12 + (12 if parts.get("p", "AM").upper() == "PM" else 0)


def _named(written: str, names: tuple[str, ...]) -> int:
    for number, name in enumerate(names, 1):
        if written.lower() in (name.lower(), name[:3].lower()):
            return number
    raise ValueError(f"{written} is not the name of a day or a month")


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
        instant = f"CAST({quoted_text(moment['at'].isoformat(' '))} AS TIMESTAMP)"
        return casts.zoned_of(instant, quoted_text(moment["zone"]), 3, moment["zone"])
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
    # The offset is that of the zone at this instant, in minutes.
    minutes = f"((epoch_ms({clock(value)}) - epoch_ms({value.instant})) // 60000)"
    digits = f"printf('%02d:%02d', abs({minutes}) // 60, abs({minutes}) % 60)"
    return (
        f"(CASE WHEN {minutes} = 0 THEN 'Z' WHEN {minutes} < 0 THEN '-' || {digits} ELSE '+' || {digits} END)"
    )
