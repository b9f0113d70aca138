"""JSON as its text: read and written without a change of a number's digits, and searched by Trino's paths.

There are two languages of paths: the simple one of json_extract (`$.a[0]`), and that of SQL/JSON (`lax $.a[*].b`).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from etltctl.local.services.athena.dialect.errors import QueryError, invalid_argument, unsupported


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


# Python's numbers would lose digits: 1.10 would come back as 1.1, and 1e400 as infinite.
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse)


def read(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: if it is not JSON.
    """
    try:
        return _DECODER.decode(text)
    # Deep JSON must not end the worker.
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
    """The mark of a path that has no value, where None is the null of JSON."""


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


TOKEN = re.compile(
    r"""\s*(?:
      \.(?P<method>size|type)\(\)
    | \.(?P<name>[A-Za-z_]\w*)(?!\s*\()
    | \.\s*"(?P<quoted>(?:[^"]|"")*)"
    | (?P<members>\.\*)
    | (?P<elements>\[\s*\*\s*\])
    | \[(?P<index>\s*(?:\d+|last(?:\s*-\s*\d+)?)(?:\s+to\s+(?:\d+|last(?:\s*-\s*\d+)?))?\s*)\]
    )""",
    re.VERBOSE,
)
Step = tuple[str, str]


class PathError(ValueError):
    """A value that a strict path does not fit."""


@lru_cache(maxsize=256)
def parsed(path: str) -> tuple[bool, tuple[Step, ...]]:
    """Return whether a path is lax, and its steps.

    Raises:
        QueryError: if it is not a path, or one that the embedded Athena does not have.
    """
    head = re.match(r"\s*(lax|strict)\s*\$", path)
    if head is None:
        raise QueryError("INVALID_PATH", f"mismatched input '{path}' expecting {{'lax', 'strict'}}")
    steps: list[Step] = []
    at = head.end()
    while at < len(path.rstrip()):
        match = TOKEN.match(path, at)
        if match is None or match.lastgroup is None:
            raise unsupported(f"the JSON path '{path}'")
        steps.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return head[1] == "lax", tuple(steps)


def items_at(value: Any, path: str) -> list[Any]:
    """Return the items at a path.

    Raises:
        PathError: if a strict path does not fit the value.
    """
    is_lax, steps = parsed(path)
    items = [value]
    for kind, text in steps:
        items = [inner for item in items for inner in _step(item, kind, text, is_lax=is_lax)]
    return items


def _step(item: Any, kind: str, text: str, *, is_lax: bool) -> list[Any]:
    if kind in ("name", "quoted", "members"):
        return _members(item, kind, text.replace('""', '"'), is_lax=is_lax)
    if kind == "method":
        return [_type(item) if text == "type" else _size(item, is_lax=is_lax)]
    if not isinstance(item, list):
        if not is_lax:
            raise PathError("array accessor applied to a value that is not an array")
        # A lax path takes a scalar for an array of one element.
        item = [item]
    if kind == "elements":
        return list(item)
    return _indexed(item, text, is_lax=is_lax)


def _members(item: Any, kind: str, name: str, *, is_lax: bool) -> list[Any]:
    # A lax path opens arrays by itself: `lax $.a` of [{"a": 1}] is 1.
    if is_lax and isinstance(item, list):
        return [inner for element in item for inner in _members_of(element, kind, name, is_lax=True)]
    return _members_of(item, kind, name, is_lax=is_lax)


def _members_of(item: Any, kind: str, name: str, *, is_lax: bool) -> list[Any]:
    if not isinstance(item, dict):
        if is_lax:
            return []
        raise PathError("member accessor applied to a value that is not an object")
    if kind == "members":
        return list(item.values())
    if name not in item and not is_lax:
        raise PathError(f"missing member '{name}'")
    return [item[name]] if name in item else []


def _indexed(items: list[Any], text: str, *, is_lax: bool) -> list[Any]:
    bounds = [_bound(part, len(items)) for part in re.split(r"\s+to\s+", text.strip())]
    first, last = bounds[0], bounds[-1]
    if not is_lax and not (0 <= first <= last < len(items)):
        raise PathError(f"invalid array subscript: [{text.strip()}]")
    # A lax path leaves out positions that the array does not have.
    return items[max(first, 0) : last + 1] if last >= 0 else []


def _bound(text: str, length: int) -> int:
    if text.startswith("last"):
        return length - 1 - int(text.partition("-")[2].strip() or 0)
    return int(text)


def _type(item: Any) -> str:
    if isinstance(item, Number):
        return "number"
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names[type(item)]


def _size(item: Any, *, is_lax: bool) -> Number:
    if isinstance(item, list):
        return Number(len(item))
    if not is_lax:
        raise PathError("size() applied to a value that is not an array")
    return Number(1)
