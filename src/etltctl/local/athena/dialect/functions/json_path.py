"""The paths of SQL/JSON (`lax $.a[*].b`): members, elements, `size()` and `type()`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from etltctl.local.athena.dialect.errors import QueryError, unsupported
from etltctl.local.athena.dialect.functions.json_text import Number

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
    """Return the items that a path leads to.

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
            raise PathError("array accessor applied to a value that is no array")
        item = [item]
    if kind == "elements":
        return list(item)
    return _indexed(item, text, is_lax=is_lax)


def _members(item: Any, kind: str, name: str, *, is_lax: bool) -> list[Any]:
    if is_lax and isinstance(item, list):
        return [inner for element in item for inner in _members_of(element, kind, name, is_lax=True)]
    return _members_of(item, kind, name, is_lax=is_lax)


def _members_of(item: Any, kind: str, name: str, *, is_lax: bool) -> list[Any]:
    if not isinstance(item, dict):
        if is_lax:
            return []
        raise PathError("member accessor applied to a value that is no object")
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
        raise PathError("size() applied to a value that is no array")
    return Number(1)
