"""Functions of JSON."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import QueryError, invalid_argument, place
from etltctl.local.services.athena.dialect.functions.json_text import (
    Missing,
    Number,
    at_path,
    read,
    steps,
    write,
)
from etltctl.local.services.athena.dialect.moments import LITERALS
from etltctl.local.services.athena.dialect.registry import simple
from etltctl.local.services.athena.dialect.trino_types import JSON, literal
from etltctl.local.services.athena.dialect.values import Value


def json_parse(text: str) -> str:
    """Return the JSON of a text."""
    try:
        return write(read(text))
    except ValueError as error:
        raise invalid_argument(f"Cannot convert value to JSON: '{text}'") from error


def json_extract(text: str, path: str) -> str | None:
    """Return what a path leads to, as JSON; None if nothing, or if the text is not JSON."""
    found = _found(text, path)
    return None if found is Missing else write(found)


def json_extract_scalar(text: str, path: str) -> str | None:
    """Return the text of the scalar that a path leads to; None for anything else."""
    found = _found(text, path)
    if found is Missing or found is None or isinstance(found, dict | list):
        return None
    return str(found) if isinstance(found, str) else write(found)


def json_size(text: str, path: str) -> int | None:
    """Count the members of what a path leads to; 0 for a scalar."""
    found = _found(text, path)
    if found is Missing:
        return None
    return len(found) if isinstance(found, dict | list) else 0


def json_array_length(text: str) -> int | None:
    """Count the elements; None for what is not an array."""
    found = _found(text, "$")
    return len(found) if isinstance(found, list) else None


def json_array_get(text: str, index: int) -> str | None:
    """Return an element, counted from 0 or backwards from -1; a text loses its quotes, as in Trino."""
    found = _found(text, "$")
    if not isinstance(found, list) or not -len(found) <= index < len(found):
        return None
    element = found[index]
    if element is None:
        return None
    return str(element) if isinstance(element, str) else write(element)


def json_array_contains_boolean(text: str, wanted: bool) -> bool | None:
    """Return whether the truth value is an element."""
    return _contains(text, lambda element: isinstance(element, bool) and element is wanted)


def json_array_contains_bigint(text: str, wanted: int) -> bool | None:
    """Return whether the whole number is an element."""
    return _contains(
        text, lambda element: isinstance(element, Number) and element.is_whole and int(element) == wanted
    )


def json_array_contains_double(text: str, wanted: float) -> bool | None:
    """Return whether the number with a fraction is an element."""
    return _contains(
        text,
        lambda element: isinstance(element, Number) and not element.is_whole and float(element) == wanted,
    )


def json_array_contains_varchar(text: str, wanted: str) -> bool | None:
    """Return whether the text is an element."""
    return _contains(
        text,
        lambda element: isinstance(element, str) and not isinstance(element, Number) and element == wanted,
    )


def is_json_scalar(text: str) -> bool:
    """Return whether JSON is neither an object nor an array."""
    try:
        return not isinstance(read(text), dict | list)
    except ValueError as error:
        raise invalid_argument(f"Invalid JSON value: {text}") from error


def _found(text: str, path: str) -> Any:
    steps(path)  # an invalid path is an error even where the text is not JSON
    try:
        return at_path(read(text), path)
    except ValueError:
        return Missing


def _contains(text: str, is_wanted: Any) -> bool | None:
    found = _found(text, "$")
    return any(is_wanted(element) for element in found) if isinstance(found, list) else None


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
    return Value(literal(text), JSON)


LITERALS["JSON"] = json_literal
