"""JSON as its text: read and written without a change of a number's digits, and searched by Trino's simple paths."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from etltctl.local.athena.dialect.errors import invalid_argument


class Number(str):
    """A number of JSON in the digits that it was written with."""

    __slots__ = ()

    @property
    def is_whole(self) -> bool:
        """Whether it has neither a fraction nor an exponent."""
        return not any(letter in self for letter in ".eE")


class _NoJsonError(ValueError):
    """A constant that JSON lacks."""


def _refuse(constant: str) -> Any:
    raise _NoJsonError(constant)


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse)


def read(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: if it is not JSON.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error


def write(value: Any) -> str:
    """Return a value as JSON, without blanks."""
    match value:
        case Number():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ",".join(f"{write(str(key))}:{write(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ",".join(write(inner) for inner in value) + "]"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
    return str(value)


@lru_cache(maxsize=512)
def steps(path: str) -> tuple[str, ...]:
    """Return the steps of a simple path such as `$.a[0]["b c"]`.

    Raises:
        QueryError: INVALID_FUNCTION_ARGUMENT if Trino has no such path.
    """
    if not path.startswith("$"):
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    names, at = [], 1
    while at < len(path):
        if path.startswith('["', at):
            step, at = _quoted(path, at + 2)
            if not path.startswith("]", at):
                raise invalid_argument(f"Invalid JSON path: '{path}'")
            at += 1
        else:
            step, at = _plain(path, at)
        names.append(step)
    return tuple(names)


def _plain(path: str, at: int) -> tuple[str, int]:
    is_bracket = path[at] == "["
    if not is_bracket and path[at] != ".":
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    end = at + 1
    while end < len(path) and (
        path[end].isalnum() or path[end] == "_" or (path[end] == ":" and not is_bracket)
    ):
        end += 1
    step = path[at + 1 : end]
    if not step or (is_bracket and not path.startswith("]", end)):
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    return step, end + is_bracket


def _quoted(path: str, at: int) -> tuple[str, int]:
    step = ""
    while at < len(path) and path[at] != '"':
        if path[at] == "\\":
            at += 1
            if path[at : at + 1] not in ('"', "\\"):
                raise invalid_argument(f"Invalid JSON path: '{path}'")
        step += path[at]
        at += 1
    if at >= len(path):
        raise invalid_argument(f"Invalid JSON path: '{path}'")
    return step, at + 1


class Missing:
    """The mark of a value that a path does not lead to."""


def at_path(value: Any, path: str) -> Any:
    """Return the value at a simple path, or `Missing`."""
    for step in steps(path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return Missing
    return value
