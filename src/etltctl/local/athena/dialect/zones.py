"""A zone's clock and UTC, in DuckDB's SQL."""

from __future__ import annotations

from etltctl.local.athena.dialect.moment_texts import OFFSET
from etltctl.local.athena.dialect.values import Value


def clock(value: Value) -> str:
    """Return the SQL of what a date, timestamp or timestamp with time zone shows, as DuckDB's TIMESTAMP or DATE."""
    return local_of(value.instant, value.zone) if value.type.is_zoned else value.sql


def local_of(instant: str, zone: str) -> str:
    """Return the SQL of what the zone's clock shows at an instant in UTC; both are DuckDB's TIMESTAMP."""
    if zone == "'UTC'":
        return instant
    if (minutes := _minutes(zone)) is not None:
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
