"""Times that a person types: a time span before now, such as `7d`, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from etltctl.errors import NextStep, Parameter, UsageError

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
