"""Times as people write them: those that a person types, and durations in words or as a clock shows them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from etltctl.errors import NextStep, Parameter, UsageError

LONGEST_HOURS = 48  # a longer duration is given in days
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, now: datetime, parameter: str = "since") -> datetime:
    """Return the time that `90m`, `12h`, `7d` or `2w` before now, or a date, means; in UTC without a zone.

    Args:
        text: The text.
        now: The present time.
        parameter: The name of the argument, for the error.

    Raises:
        UsageError: The text is not a time.
    """
    try:
        if span := re.fullmatch(r"(\d{1,6})\s*([mhdw])", text.strip()):
            return now - timedelta(**{UNITS[span[2]]: int(span[1])})
        when = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        hint = NextStep(Parameter(parameter), " takes 12h, 7d or 2w before now, or a date like 2026-11-01")
        raise UsageError(f"{text!r} is not a valid time", hint=hint) from error
    return when.replace(tzinfo=when.tzinfo or UTC)


def duration_text(seconds: float) -> str:
    """Return a duration in words, to the second."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= LONGEST_HOURS:
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def clock_text(seconds: float) -> str:
    """Return a duration as a clock shows it: `0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
