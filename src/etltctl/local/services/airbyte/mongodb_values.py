"""MongoDB values and field types as Airbyte's source-mongodb-v2 puts them into records and schemas."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Binary, DatetimeMS, Decimal128, ObjectId, Regex, Timestamp

from etltctl.local.services.airbyte.records import Kind

LAST_YEAR = 9999
CYCLE_YEARS = 400
CYCLE_MS = 146_097 * 86_400_000  # the days of 400 years of the Gregorian calendar


def field_kinds(documents: Iterable[Mapping[str, Any]]) -> dict[str, Kind]:
    """Return the kind of every top-level field seen, by name.

    Numbers of any type are one kind. A field of several kinds is an array if one of them is, else a string; a field
    that was always null is a string too.
    """
    seen: dict[str, set[str]] = {}
    for document in documents:
        for name, value in document.items():
            seen.setdefault(name, set()).add(_shape(value))
    return {name: _kind(seen[name] - {"null"}) for name in sorted(seen)}


def array_fields(documents: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the fields that hold an array at least once; their other values get wrapped in one."""
    return {name for document in documents for name, value in document.items() if isinstance(value, list)}


def _shape(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "array"
    if isinstance(value, Mapping):
        return "object"
    # Int64 is an int, and so is a boolean, which the connector calls a string.
    if isinstance(value, (int, float, Decimal128)) and not isinstance(value, bool):
        return "number"
    return "string"


def _kind(shapes: set[str]) -> Kind:
    if "array" in shapes or shapes == {"object"}:
        return Kind.JSON
    return Kind.NUMBER if shapes == {"number"} else Kind.STRING


def to_json_value(value: Any) -> Any:
    """Return a value, nested or not, as a record has it: ids as hex, dates as ISO 8601 with milliseconds."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        # JSON has no infinity and no NaN; the connector writes them as words.
        return value if value - value == 0 else str(value)
    if isinstance(value, Mapping):
        return {name: to_json_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [to_json_value(inner) for inner in value]
    return _bson_value(value)


def _bson_value(value: Any) -> Any:
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, datetime):
        return _iso(value, value.year)
    if isinstance(value, Decimal128):
        return to_json_value(float(value.to_decimal()))
    if isinstance(value, (Regex, re.Pattern)):
        flags = Regex.from_native(value).flags if isinstance(value, re.Pattern) else value.flags
        return f"({_regex_options(int(flags))}){value.pattern}"
    if isinstance(value, (bytes, Binary)):
        return base64.b64encode(value).decode()
    # MongoDB's internal timestamp, which counts seconds; its counter within the second is left out.
    if isinstance(value, Timestamp):
        return _bson_value(value.as_datetime())
    if isinstance(value, DatetimeMS):
        return _distant_date(int(value))
    return str(value)


def _iso(moment: datetime, year: int) -> str:
    """ISO 8601 with milliseconds; C's `%Y` would drop the zeros of years before 1000."""
    before, after = ("-" if year < 0 else ""), ("+" if year > LAST_YEAR else "")
    return f"{before}{after}{abs(year):04d}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _distant_date(milliseconds: int) -> str:
    """Write a date before year 1 or after 9999 as Java's Instant does: with a sign and all the digits that it needs.

    The calendar repeats every 400 years, so the date is read 400 years at a time nearer to today.
    """
    cycles, rest = divmod(milliseconds, CYCLE_MS)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=rest)
    return _iso(moment, moment.year + cycles * CYCLE_YEARS)


def to_column_value(value: Any, kind: Kind, is_array: bool) -> Any:
    """Return the top-level value for a column of this kind."""
    value = to_json_value(value)
    if value is None:
        return None
    # One document has an array here and another a single value. The column holds arrays.
    if is_array and not isinstance(value, list):
        return [value]
    if kind is Kind.STRING and isinstance(value, bool):
        return "true" if value else "false"
    return value


def _regex_options(flags: int) -> str:
    letters = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"), (re.VERBOSE, "x"))
    return "".join(letter for flag, letter in letters if flags & flag)
