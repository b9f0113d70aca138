"""The values of text files: from a text to a value of a Hive type, and to Arrow's columns of such values."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from etltctl.hive import HiveType
from etltctl.local.services.athena.dialect import QueryError

LIMITS = {"tinyint": 7, "smallint": 15, "int": 31, "integer": 31, "bigint": 63}  # bits without the sign
INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?Z?", re.ASCII)
ARROW = {
    "tinyint": pa.int8(), "smallint": pa.int16(), "int": pa.int32(), "integer": pa.int32(), "bigint": pa.int64(),
    "float": pa.float32(), "double": pa.float64(), "boolean": pa.bool_(), "string": pa.string(),
    "binary": pa.binary(), "date": pa.date32(), "timestamp": pa.timestamp("us"),
}  # fmt: skip

Convert = Callable[[str], Any]  # raises ValueError for a text that is not such a value


def arrow_type(kind: HiveType) -> pa.DataType:
    """Return Arrow's type for the values of a Hive type."""
    parts = {name: arrow_type(part) for name, part in kind.parts.items()}
    match kind.name.partition("(")[0]:
        case "array":
            return pa.list_(parts["element"])
        case "map":
            return pa.map_(parts["key"], parts["value"])
        case "struct":
            return pa.struct(list(parts.items()))
        case "varchar" | "char":
            return pa.string()
        case "decimal":
            return pa.decimal128(*decimal_size(kind))
    return ARROW[kind.name]


def converter(kind: HiveType) -> Convert:
    """Return what makes a value of a scalar type of its text.

    Raises:
        QueryError: The type is not a scalar one that a text can hold.
    """
    name = kind.name.partition("(")[0]
    if name in LIMITS:
        return partial(_integer, bits=LIMITS[name])
    if name in ("varchar", "char"):
        return partial(_cut, length=kind.numbers[0])
    if name == "decimal":
        precision, scale = decimal_size(kind)
        return partial(_decimal, precision=precision, scale=scale)
    if name in CONVERTERS:
        return CONVERTERS[name]
    raise QueryError("HIVE_INVALID_METADATA", f"the column type {kind} is not supported for this SerDe")


def _integer(text: str, bits: int) -> int:
    # Python's int accepts spaces, underscores and digits of other scripts, which Java does not.
    if not INTEGER.fullmatch(text):
        raise ValueError(text)
    number = int(text)
    if not -(1 << bits) <= number < 1 << bits:
        raise ValueError(text)
    return number


def _cut(text: str, length: int) -> str:
    return text[:length]


def decimal_size(kind: HiveType) -> tuple[int, int]:
    """Return the precision and the scale of a decimal type. Hive's own are 10 and 0."""
    precision, scale = (*kind.numbers, *(10, 0)[len(kind.numbers) :])
    return precision, scale


def _decimal(text: str, precision: int, scale: int) -> Decimal:
    try:
        number = Decimal(text).quantize(Decimal(1).scaleb(-scale), rounding="ROUND_HALF_UP")
    except InvalidOperation as error:
        raise ValueError(text) from error
    if len(number.as_tuple().digits) > precision:
        raise ValueError(text)
    return number


def _float(text: str) -> float:
    if "_" in text:  # Python's own, and not a number in Java
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _timestamp(text: str) -> datetime:
    if not MOMENT.fullmatch(text):
        raise ValueError(text)
    # Six digits of a second's fraction are what DuckDB keeps.
    return datetime.fromisoformat(text.removesuffix("Z").replace("T", " ")[:26])


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def days(text: str) -> date:
    """Return the date of a count of days since 1970, as OpenCSVSerde keeps it."""
    return date(1970, 1, 1) + timedelta(days=_integer(text, bits=31))


def milliseconds(text: str) -> datetime:
    """Return the time of a count of milliseconds since 1970, as OpenCSVSerde keeps it."""
    return datetime(1970, 1, 1) + timedelta(milliseconds=_integer(text, bits=63))  # noqa: DTZ001 it has no zone


CONVERTERS: dict[str, Convert] = {
    "string": str,
    "double": _float,
    "float": _float,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp": _timestamp,
    "binary": _binary,
}
