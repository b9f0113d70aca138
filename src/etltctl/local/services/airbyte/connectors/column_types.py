"""The columns of a stream, from the JSON schema of its connector, as Airbyte's destination reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etltctl.local.services.airbyte.column_values import type_name
from etltctl.local.services.airbyte.records import Column, Kind, ListOf, OneOf, StructOf

DEEPEST = 50  # levels: a schema that refers to itself would have no end
WELL_KNOWN = {
    "Integer": Kind.INTEGER, "Number": Kind.NUMBER, "String": Kind.STRING, "Boolean": Kind.BOOLEAN, "Date": Kind.DATE,
    "TimestampWithTimezone": Kind.TIMESTAMP, "TimestampWithoutTimezone": Kind.LOCAL_TIMESTAMP,
    "TimeWithTimezone": Kind.TIME, "TimeWithoutTimezone": Kind.LOCAL_TIME, "BinaryData": Kind.STRING,
}  # fmt: skip
FORMATS = {
    "date": (Kind.DATE, Kind.DATE),
    "time": (Kind.TIME, Kind.LOCAL_TIME),
    "date-time": (Kind.TIMESTAMP, Kind.LOCAL_TIMESTAMP),
}


def columns_of(schema: Mapping[str, Any]) -> dict[str, Column]:
    """Return the type of each property of a stream's schema, in its order."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {str(name): _column(each, 1) or Kind.JSON for name, each in properties.items()}


def _column(schema: Any, depth: int) -> Column | None:
    """Return the type that a schema describes; None for null alone, JSON for what no type of Airbyte describes."""
    if isinstance(schema, str):
        schema = {"type": schema}
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return Kind.JSON
    kind = schema.get("type")
    if isinstance(kind, list):
        # Each type of the list reads the rest of the schema, such as its format, as if it stood alone.
        return _union(_column({**schema, "type": each}, depth) for each in kind)
    if isinstance(kind, str):
        return _named(kind, schema, depth)
    if "$ref" in schema:
        return WELL_KNOWN.get(str(schema["$ref"]).rpartition("/")[2], Kind.JSON)
    options = schema.get("oneOf") or schema.get("anyOf") or schema.get("allOf")
    if isinstance(options, list):
        return _union(_column(each, depth + 1) for each in options)
    return _object(schema, depth)


def _named(kind: str, schema: Mapping[str, Any], depth: int) -> Column | None:
    if kind == "null":
        return None
    if kind == "object":
        return _object(schema, depth)
    if kind == "array":
        return _array(schema, depth)
    is_whole = kind in ("int", "integer") or (kind == "number" and schema.get("airbyte_type") == "integer")
    if is_whole:
        return Kind.INTEGER
    if kind == "string" and schema.get("format") in FORMATS:
        zoned, local = FORMATS[schema["format"]]
        return local if str(schema.get("airbyte_type", "")).endswith("_without_timezone") else zoned
    return {"string": Kind.STRING, "boolean": Kind.BOOLEAN, "number": Kind.NUMBER}.get(kind, Kind.JSON)


def _object(schema: Mapping[str, Any], depth: int) -> Column:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return Kind.JSON
    inner = ((str(name), _column(each, depth + 1) or Kind.JSON) for name, each in properties.items())
    return StructOf(tuple(inner))


def _array(schema: Mapping[str, Any], depth: int) -> Column:
    items = schema.get("items")
    if isinstance(items, list):
        item = _union(_column(each, depth + 1) for each in items)
    elif isinstance(items, Mapping):
        item = _column(items, depth + 1)
    else:
        item = None
    return ListOf(item) if item else Kind.JSON


def _union(options: Iterable[Column | None]) -> Column | None:
    """Return one type for several: that of all, without null; objects with properties become one object."""
    merged: dict[str, Column] = {}
    for option in _flat(options):
        name = type_name(option)
        before = merged.get(name)
        if isinstance(before, StructOf) and isinstance(option, StructOf):
            option = StructOf(tuple({**dict(option.fields), **dict(before.fields)}.items()))
        # Two alternatives with one name cannot both be fields of the union; the one that says more stays.
        merged[name] = option if before is None or isinstance(option, StructOf) else before
    if len(merged) < 2:
        return next(iter(merged.values()), None)
    return OneOf(tuple(merged.values()))


def _flat(options: Iterable[Column | None]) -> Iterator[Column]:
    for option in options:
        if isinstance(option, OneOf):
            yield from option.options
        elif option is not None:
            yield option
