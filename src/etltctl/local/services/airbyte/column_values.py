"""Values of records as their columns hold them: converted as Airbyte's destination converts them, or refused.

What is inside objects, arrays and unions is converted too. A value that does not fit costs its own cell only.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any

from etltctl.local.services.airbyte.records import Column, Kind, ListOf, OneOf, StructOf

ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
# Python's integers have no end, the column's have.
INT64 = range(-(2**63), 2**63)
EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY_US = 24 * 60 * 60 * 10**6
# What the conversion of a value that does not fit raises.
MISFIT = (TypeError, ValueError, OverflowError, RecursionError)


# Called for every value of every row, with few names.
@cache
def column_name(name: str) -> str:
    """NFKD, then `_` for what is not a letter, digit or `_`, and before a leading digit."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", unicodedata.normalize("NFKD", name))
    return f"_{plain}" if plain[:1].isdigit() else plain


def type_name(column: Column) -> str:
    """Return Airbyte's name of a type, which is a field's name in a union."""
    if isinstance(column, Kind):
        return "object" if column is Kind.JSON else str(column)
    return {StructOf: "object", ListOf: "array", OneOf: "union"}[type(column)]


def convert(value: Any, column: Column, place: str, nulled: list[str]) -> Any:
    """Return the value as its column holds it, or None if it does not fit.

    Args:
        value: The value of a record.
        column: The type of its column.
        place: The column's name. The names of inner fields are appended with dots.
        nulled: Gets the place of each value that does not fit.
    """
    if value is None:
        return None
    try:
        if isinstance(column, Kind):
            return CONVERTERS[column](value)
        return _nested(value, column, place, nulled)
    except MISFIT:
        nulled.append(place)
        return None


def to_json(value: Any) -> str:
    """Return compact, in the order of the keys, not escaped; raise ValueError for NaN and infinities."""
    return _encodable(ENCODER.encode(value))


def _nested(value: Any, column: StructOf | ListOf | OneOf, place: str, nulled: list[str]) -> Any:
    if isinstance(column, ListOf):
        if not isinstance(value, list):
            raise TypeError("not an array")
        return [convert(each, column.item, place, nulled) for each in value]
    if isinstance(column, OneOf):
        return _union(value, column, place, nulled)
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return {
        column_name(name): convert(value.get(name), inner, f"{place}.{column_name(name)}", nulled)
        for name, inner in column.fields
    }


def _union(value: Any, column: OneOf, place: str, nulled: list[str]) -> dict[str, Any]:
    """Return a union's value as Airbyte writes it: its type's name, and the value in the field of that name.

    The first type that the value has wins, else the first into which it can be converted.
    """
    exact = [option for option in column.options if _has_type(value, option)]
    for option in [*exact, *column.options]:
        inner: list[str] = []
        converted = convert(value, option, place, inner)
        if place not in inner:
            nulled += inner
            return {"type": type_name(option), type_name(option): converted}
    raise ValueError("no type of the union takes it")


def _has_type(value: Any, column: Column) -> bool:
    if isinstance(column, ListOf):
        return isinstance(value, list)
    if isinstance(column, StructOf):
        return isinstance(value, Mapping)
    if isinstance(column, OneOf):
        return any(_has_type(value, option) for option in column.options)
    kinds = {
        bool: (Kind.BOOLEAN,),
        int: (Kind.INTEGER,),
        float: (Kind.NUMBER,),
        dict: (Kind.JSON,),
        list: (Kind.JSON,),
    }
    if column in kinds.get(type(value), ()):
        return True
    if not isinstance(value, str):
        return False
    if column in PARSED:
        with suppress(*MISFIT):
            CONVERTERS[column](value)
            return True
    return column is Kind.STRING


def _to_string(value: Any) -> str:
    return _encodable(value) if isinstance(value, str) else to_json(value)


def _encodable(text: str) -> str:
    """Return the text; a lone surrogate in it raises UnicodeEncodeError, which is a ValueError."""
    text.encode()
    return text


def _to_number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    number = float(value)
    # Infinity minus infinity and NaN minus NaN are both NaN, which is unequal to 0.
    if number - number != 0:
        raise ValueError("not finite")
    return number


def _to_integer(value: Any) -> int:
    # A boolean of Python is an integer too, and would become 1 or 0.
    if isinstance(value, bool) or int(value) != value or int(value) not in INT64:
        raise ValueError("not a 64-bit integer")
    return int(value)


def _to_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def _to_date(value: str) -> int:
    """Return days since 1970; a time of day after the date is left out."""
    return datetime.fromisoformat(value.strip()).date().toordinal() - EPOCH_DAY


def _to_time(value: str) -> int:
    """Return microseconds since midnight, in UTC where the text has an offset."""
    text = value.strip()
    # Python reads `T01:02` and digits alone as times as well, and texts of APIs that mean something else.
    if ":" not in text:
        raise ValueError("not a time of day")
    parsed = time.fromisoformat(text)
    of_day = ((parsed.hour * 60 + parsed.minute) * 60 + parsed.second) * 10**6 + parsed.microsecond
    offset = parsed.utcoffset()
    return of_day if offset is None else int(of_day - offset.total_seconds() * 10**6) % DAY_US


def _to_timestamp(value: str) -> str:
    """Return the moment in UTC as Arrow reads it; a text without an offset is taken for UTC, as in Airbyte."""
    parsed = datetime.fromisoformat(value.strip())
    if parsed.tzinfo is not None:
        parsed = parsed.astimezone(UTC).replace(tzinfo=None)
    return parsed.isoformat(timespec="microseconds")


CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.STRING: _to_string,
    Kind.NUMBER: _to_number,
    Kind.INTEGER: _to_integer,
    Kind.JSON: to_json,
    Kind.BOOLEAN: _to_boolean,
    Kind.DATE: _to_date,
    Kind.TIME: _to_time,
    Kind.LOCAL_TIME: _to_time,
    Kind.TIMESTAMP: _to_timestamp,
    Kind.LOCAL_TIMESTAMP: _to_timestamp,
}
PARSED = frozenset({Kind.DATE, Kind.TIME, Kind.LOCAL_TIME, Kind.TIMESTAMP, Kind.LOCAL_TIMESTAMP})
