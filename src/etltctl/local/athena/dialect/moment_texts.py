"""How dates, times and timestamps are written in Trino, read in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")
DATE = re.compile(r"\s*([+-]?\d{1,9})-(\d{1,2})-(\d{1,2})\s*")
TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?")
TIMESTAMP = re.compile(
    r"([+-]?\d{4,9})-(\d{1,2})-(\d{1,2})"
    r"(?: (?:(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,12}))?)?)?\s*(\D.*|[+-].+)?)?"
)


@dataclass(frozen=True)
class Moment:
    """A timestamp that was read: its text in UTC (or as it was written without a zone), and its zone."""

    instant: str
    precision: int
    zone: str | None


def read_date(written: str) -> str | None:
    """Return a date as ISO text; None if the text is not a date."""
    match = DATE.fullmatch(written)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).isoformat()
    except ValueError:
        return None


def read_time(written: str) -> tuple[str, int] | None:
    """Return a time of day as ISO text, and the count of its fraction's digits; None if the text is not one."""
    match = TIME.fullmatch(written.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    fraction = match[4] or ""
    text = f"{int(match[1]):02d}:{int(match[2]):02d}:{int(match[3] or 0):02d}"
    return text + (f".{fraction[:6]}" if fraction else ""), len(fraction)


def read_timestamp(written: str) -> Moment | None:
    """Return a timestamp; None if the text is not one or names an unknown zone."""
    match = TIMESTAMP.fullmatch(written.strip())
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


def zone_name(written: str) -> str | None:
    """Return a zone's name as Trino writes it, or None if there is no such zone."""
    if written.upper() in (
        "UTC",
        "Z",
        "GMT",
        "UT",
        "ETC/UTC",
        "ETC/GMT",
        "+00:00",
        "-00:00",
        "GREENWICH",
        "ZULU",
    ):
        return "UTC"
    for prefix in ("UTC", "GMT", "UT"):
        if written.upper().startswith(prefix) and OFFSET.fullmatch(written[len(prefix) :]):
            written = written[len(prefix) :]
    if match := OFFSET.fullmatch(written):
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
    instant = local.replace(tzinfo=zone_of(zone)).astimezone(UTC).replace(tzinfo=None)
    return instant if to_local(instant, zone) == local else None


def to_local(instant: datetime, zone: str) -> datetime:
    """Return what a zone's clock shows at an instant in UTC."""
    return instant.replace(tzinfo=UTC).astimezone(zone_of(zone)).replace(tzinfo=None)


DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
