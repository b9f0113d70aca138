"""Time zones: their names, and the instant in UTC of what a zone's clock shows, in Python and in DuckDB's SQL."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etltctl.local.services.athena.dialect.values import Value

UTC_NAMES = (
    "UTC", "Z", "GMT", "UT", "ETC/UTC", "ETC/GMT", "+00:00", "-00:00", "GREENWICH", "ZULU",
)  # fmt: skip
OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")


def zone_name(written: str) -> str | None:
    """Return a zone's name as Trino writes it, or None if there is no such zone."""
    if written.upper() in UTC_NAMES:
        return "UTC"
    for prefix in ("UTC", "GMT", "UT"):
        if written.upper().startswith(prefix) and OFFSET.fullmatch(written[len(prefix) :]):
            written = written[len(prefix) :]
    if match := OFFSET.fullmatch(written):
        # Trino allows offsets up to 14 hours.
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours > 14 or minutes > 59 or (hours == 14 and minutes):
            return None
        return f"{match[1]}{hours:02d}:{minutes:02d}" if hours or minutes else "UTC"
    try:
        return ZoneInfo(written).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_of(name: str) -> ZoneInfo | timezone:
    """Return the zone of a name that `zone_name` returned."""
    if name == "UTC":
        return UTC
    if match := OFFSET.fullmatch(name):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    return ZoneInfo(name)


def to_utc(local: datetime, zone: str) -> datetime | None:
    """Return the instant of a zone's clock without its zone, the earlier if there are two; None in a gap."""
    # 02:30 does not exist in Berlin on 2024-03-31, and exists twice on 2024-10-27.
    instant = local.replace(tzinfo=zone_of(zone)).astimezone(UTC).replace(tzinfo=None)
    return instant if to_local(instant, zone) == local else None


def to_local(instant: datetime, zone: str) -> datetime:
    """Return the time that a zone's clock shows at an instant in UTC."""
    return instant.replace(tzinfo=UTC).astimezone(zone_of(zone)).replace(tzinfo=None)


def clock(value: Value) -> str:
    """Return the SQL of the date and time that a value shows, as DuckDB's TIMESTAMP or DATE."""
    return local_of(value.instant, value.zone) if value.type.is_zoned else value.sql


def local_of(instant: str, zone: str) -> str:
    """Return the SQL of the time that a zone's clock shows at an instant in UTC; both are TIMESTAMP."""
    if zone == "'UTC'":
        return instant
    if (minutes := _minutes(zone)) is not None:
        # DuckDB's timezone() knows names only: an offset such as '+05:30' is an error there.
        return f"({instant} + to_minutes({minutes}))"
    named = f"timezone({zone}, timezone('UTC', {instant}))"
    return (
        named
        if _is_name(zone)
        else f"(CASE WHEN {_is_offset(zone)} THEN {instant} + {_shift(zone)} ELSE {named} END)"
    )


def utc_of(local: str, zone: str) -> str:
    """Return the SQL of the instant in UTC at which the zone's clock shows a time."""
    if zone == "'UTC'":
        return local
    if (minutes := _minutes(zone)) is not None:
        return f"({local} - to_minutes({minutes}))"
    named = f"timezone('UTC', timezone({zone}, {local}))"
    return (
        named
        if _is_name(zone)
        else f"(CASE WHEN {_is_offset(zone)} THEN {local} - {_shift(zone)} ELSE {named} END)"
    )


def _is_name(zone: str) -> bool:
    return zone.startswith("'")


def _minutes(zone: str) -> int | None:
    """Return the minutes of an offset that is a literal."""
    match = OFFSET.fullmatch(zone.strip("'")) if zone.startswith("'") else None
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3] or 0)
    return -minutes if match[1] == "-" else minutes


def _is_offset(zone: str) -> str:
    return f"left({zone}, 1) IN ('+', '-')"


def _shift(zone: str) -> str:
    """Return the SQL of an offset such as +05:30 as an interval."""
    hours, minutes = f"CAST({zone}[2:3] AS INTEGER)", f"CAST({zone}[5:6] AS INTEGER)"
    return f"to_minutes(({hours} * 60 + {minutes}) * CASE WHEN left({zone}, 1) = '-' THEN -1 ELSE 1 END)"
