"""Functions of JSON."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from etltctl.local.services.athena.dialect.datetimes import LITERALS
from etltctl.local.services.athena.dialect.errors import QueryError, invalid_argument, place
from etltctl.local.services.athena.dialect.functions.json_text import (
    Missing,
    Number,
    at_path,
    read,
    steps,
    write,
)
from etltctl.local.services.athena.dialect.registry import simple
from etltctl.local.services.athena.dialect.trino_types import JSON
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text


def json_parse(text: str) -> str:
    """Return the JSON of a text."""
    try:
        return write(read(text))
    except ValueError as error:
        raise invalid_argument(f"Cannot convert value to JSON: '{text}'") from error


def json_extract(text: str, path: str) -> str | None:
    """Return the value at a path, as JSON; None if there is none, or if the text is not JSON."""
    item = _item_at(text, path)
    return None if item is Missing else write(item)


def json_extract_scalar(text: str, path: str) -> str | None:
    """Return the text of the scalar at a path; None for anything else."""
    item = _item_at(text, path)
    if item is Missing or item is None or isinstance(item, dict | list):
        return None
    return str(item) if isinstance(item, str) else write(item)


def json_size(text: str, path: str) -> int | None:
    """Count the members of the value at a path; 0 for a scalar."""
    item = _item_at(text, path)
    if item is Missing:
        return None
    return len(item) if isinstance(item, dict | list) else 0


def json_array_length(text: str) -> int | None:
    """Count the elements; None for anything but an array."""
    item = _item_at(text, "$")
    return len(item) if isinstance(item, list) else None


def json_array_get(text: str, index: int) -> str | None:
    """Return an element, counted from 0 or backwards from -1; a text loses its quotes, as in Trino."""
    item = _item_at(text, "$")
    if not isinstance(item, list) or not -len(item) <= index < len(item):
        return None
    element = item[index]
    if element is None:
        return None
    return str(element) if isinstance(element, str) else write(element)


def json_array_contains_boolean(text: str, value: bool) -> bool | None:
    """Return whether the truth value is an element."""
    return _contains(text, lambda element: isinstance(element, bool) and element is value)


def json_array_contains_bigint(text: str, value: int) -> bool | None:
    """Return whether the whole number is an element."""
    return _contains(
        text, lambda element: isinstance(element, Number) and element.is_whole and int(element) == value
    )


def json_array_contains_double(text: str, value: float) -> bool | None:
    """Return whether the number with a fraction is an element."""
    return _contains(
        text,
        lambda element: isinstance(element, Number) and not element.is_whole and float(element) == value,
    )


def json_array_contains_varchar(text: str, value: str) -> bool | None:
    """Return whether the text is an element."""
    return _contains(
        text,
        lambda element: isinstance(element, str) and not isinstance(element, Number) and element == value,
    )


def is_json_scalar(text: str) -> bool:
    """Return whether JSON is neither an object nor an array."""
    try:
        return not isinstance(read(text), dict | list)
    except ValueError as error:
        raise invalid_argument(f"Invalid JSON value: {text}") from error


def _item_at(text: str, path: str) -> Any:
    steps(path)  # an invalid path is an error even where the text is not JSON
    try:
        return at_path(read(text), path)
    except ValueError:
        return Missing


def _contains(text: str, is_match: Any) -> bool | None:
    item = _item_at(text, "$")
    return any(is_match(element) for element in item) if isinstance(item, list) else None


for _kind in ("varchar", "json"):
    simple(f"json_extract({_kind}, varchar) -> json", json_extract)
    simple(f"json_extract_scalar({_kind}, varchar) -> varchar", json_extract_scalar)
    simple(f"json_size({_kind}, varchar) -> bigint", json_size)
    simple(f"json_array_length({_kind}) -> bigint", json_array_length)
    simple(f"json_array_get({_kind}, bigint) -> json", json_array_get)
    simple(f"json_array_contains({_kind}, boolean) -> boolean", json_array_contains_boolean)
    simple(f"json_array_contains({_kind}, bigint) -> boolean", json_array_contains_bigint)
    simple(f"json_array_contains({_kind}, double) -> boolean", json_array_contains_double)
    simple(f"json_array_contains({_kind}, varchar) -> boolean", json_array_contains_varchar)
    simple(f"is_json_scalar({_kind}) -> boolean", is_json_scalar)
simple("json_parse(varchar) -> json", json_parse)
simple("json_format(json) -> varchar", "{0}")


def json_literal(written: str, node: exp.Expr) -> Value:
    """Return the value of `json '…'`."""
    try:
        text = write(read(written))
    except ValueError as error:
        raise QueryError(
            "INVALID_LITERAL", f"{place(node)}: '{written}' is not a valid JSON literal"
        ) from error
    return Value(quoted_text(text), JSON)


LITERALS["JSON"] = json_literal
