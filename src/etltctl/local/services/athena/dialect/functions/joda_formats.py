"""format_datetime and parse_datetime: Joda's pattern letters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.datetimes import DAY_NAMES, MONTH_NAMES
from etltctl.local.services.athena.dialect.errors import invalid_argument, unsupported
from etltctl.local.services.athena.dialect.literals import text
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.time_zones import to_local, to_utc, zone_name
from etltctl.local.services.athena.dialect.trino_types import VARCHAR, ZONED, zoned
from etltctl.local.services.athena.dialect.values import Value

TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z'])", re.DOTALL)
KNOWN = "GCYxwEeyDMdaKhHkmsSzZ"


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[tuple[str, str], ...]:
    """Split a pattern into (letter, run of it) and ("", literal text)."""
    tokens, position = [], 0
    while position < len(pattern):
        match = TOKEN.match(pattern, position)
        if match is None:
            raise invalid_argument(f"Illegal pattern: {pattern}")
        if match[2]:
            if match[2] not in KNOWN:
                raise invalid_argument(f"Illegal pattern component: {match[0]}")
            tokens.append((match[2], match[0]))
        else:
            quoted = match[1]
            tokens.append(("", match[3] if quoted is None else quoted.replace("''", "'") or "'"))
        position = match.end()
    return tuple(tokens)


def _pattern_of(call: Call) -> Value:
    pattern = call.to(1, VARCHAR)
    if not isinstance(pattern.constant, str):
        raise unsupported(f"{call.name} with a pattern that is not a literal")
    for letter, _ in _tokens(pattern.constant):
        if letter in ("G", "C", "z") and letter:
            raise unsupported(f"the letter {letter} in a pattern of {call.name}")
    return text(pattern.constant)


@function("format_datetime")
def _format_datetime(call: Call) -> Value:
    call.expect(2)
    kind = call.types[0]
    if not kind.is_("date", "timestamp", "timestamp with time zone"):
        raise call.unexpected("format_datetime(timestamp(p), varchar(x))")
    moment = casts.coerced(call.args[0], zoned(kind.number if kind.parameters else 3))
    return call.python(_formatted, moment, _pattern_of(call), returns=VARCHAR)


def _formatted(moment: dict[str, Any], pattern: str) -> str:
    local = to_local(moment["at"], moment["zone"])
    offset = round((local - moment["at"]).total_seconds() / 60)
    return "".join(_shown(local, offset, letter, run) for letter, run in _tokens(pattern))


def _shown(at: datetime, offset: int, letter: str, run: str) -> str:
    width = len(run)
    if letter == "":
        return run
    if letter in "yYx":
        # `x` is the year of the ISO week, which differs from `y` around New Year.
        year = at.isocalendar().year if letter == "x" else at.year
        return f"{year % 100:02d}" if width == 2 else f"{year:0{width}d}"
    if letter == "M" and width >= 3:
        return MONTH_NAMES[at.month - 1] if width > 3 else MONTH_NAMES[at.month - 1][:3]
    if letter == "E":
        return DAY_NAMES[at.weekday()] if width > 3 else DAY_NAMES[at.weekday()][:3]
    if letter == "a":
        return "AM" if at.hour < 12 else "PM"
    if letter == "S":
        return f"{at.microsecond // 1000:03d}".ljust(width, "0")[:width]
    if letter == "Z":
        sign, size = ("-" if offset < 0 else "+"), abs(offset)
        return f"{sign}{size // 60:02d}{':' if width > 1 else ''}{size % 60:02d}"
    numbers = {
        "w": at.isocalendar().week, "e": at.isoweekday(), "D": at.timetuple().tm_yday, "M": at.month, "d": at.day,
        "K": at.hour % 12, "h": at.hour % 12 or 12, "H": at.hour, "k": at.hour or 24, "m": at.minute, "s": at.second,
    }  # fmt: skip
    return f"{numbers[letter]:0{width}d}"


@function("parse_datetime")
def _parse_datetime(call: Call) -> Value:
    call.expect(2)
    written, pattern = call.to(0, VARCHAR), _pattern_of(call)
    for letter, run in _tokens(str(pattern.constant)):
        if letter in ("Y", "e", "w", "x", "D", "K", "k", "E") and letter:
            raise unsupported(f"the letter {letter} in a pattern of parse_datetime")
        if letter == "Z" and len(run) > 2:
            raise unsupported("a zone's name in a pattern of parse_datetime")
    moment = call.python(_parsed, written, pattern, returns=ZONED)
    # A text without a zone is a time in UTC, the zone of Athena's session.
    has_zone = any(letter == "Z" for letter, _ in _tokens(str(pattern.constant)))
    return moment if has_zone else casts.zoned_of(moment.instant, "'UTC'", 3, "UTC")


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    regex, tokens, used = "", _tokens(pattern), set()
    for index, (letter, run) in enumerate(tokens):
        if letter == "":
            regex += re.escape(run)
            continue
        # A number right before another one takes only its own digits.
        following = tokens[index + 1][0] if index + 1 < len(tokens) else ""
        is_tight = following not in ("", "a", "Z") and not (
            following == "M" and len(tokens[index + 1][1]) > 2
        )
        piece = _piece(letter, len(run), is_tight=is_tight)
        regex += f"(?P={letter})" if letter in used else f"(?P<{letter}>{piece})"
        used.add(letter)
    return re.compile(regex, re.IGNORECASE)


def _piece(letter: str, width: int, *, is_tight: bool) -> str:
    if letter == "y":
        return rf"\d{{{width}}}" if is_tight else (r"\d{2}" if width == 2 else r"[+-]?\d{1,9}")
    if letter == "M" and width >= 3:
        return "[A-Za-z]+"
    if letter == "a":
        return "AM|PM"
    if letter == "S":
        return rf"\d{{{width}}}" if is_tight else rf"\d{{1,{max(width, 9)}}}"
    if letter == "Z":
        return r"Z|[+-]\d{2}:?\d{2}"
    return rf"\d{{{width}}}" if is_tight else rf"\d{{1,{max(width, 2)}}}"


def _parsed(written: str, pattern: str) -> dict[str, Any]:
    match = _regex(pattern).fullmatch(written)
    if match is None:
        raise invalid_argument(f'Invalid format: "{written}"')
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        local = _moment(parts, is_short_year="yy" in pattern and "yyy" not in pattern)
    except ValueError as error:
        raise invalid_argument(f'Cannot parse "{written}": {error}') from error
    zone = zone_name(parts.get("Z", "UTC")) or "UTC"
    return {"at": to_utc(local, zone) or local, "zone": zone}


def _moment(parts: dict[str, str], *, is_short_year: bool) -> datetime:
    year = int(parts.get("y", "1970"))
    if is_short_year:  # Joda takes the century that is nearest to thirty years ago
        pivot = datetime.now(UTC).year - 30
        low = pivot - 50
        year = low + (year - low) % 100
    named = parts.get("M", "1")
    month = int(named) if named.isdigit() else _month(named)
    hour = int(parts["H"]) if "H" in parts else int(parts.get("h", "12")) % 12
    if "H" not in parts and not 1 <= int(parts.get("h", "12")) <= 12:
        raise ValueError("clock hour must be in the range [1,12]")
    if "H" not in parts and parts.get("a", "AM").upper() == "PM":
        hour += 12
    fraction = int(parts.get("S", "0").ljust(9, "0")[:3])
    day = datetime(
        year, month, int(parts.get("d", "1")), hour, int(parts.get("m", "0")), int(parts.get("s", "0"))
    )
    return day + timedelta(milliseconds=fraction)


def _month(named: str) -> int:
    for number, name in enumerate(MONTH_NAMES, 1):
        if named.lower() in (name.lower(), name[:3].lower()):
            return number
    raise ValueError(f"{named} is not a month")
