"""Tables of TOML as data: laid over each other, made of dotted keys, walked value by value, and written."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from etltctl.settings.layers import KeyPath

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # no comment may have them, or they end its line
# The first whole number without a place in 64 bits, which is what TOML requires of its readers.
LARGEST = 2**63


def merge(stacked: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the tables laid over each other, the first on top. Lists and values are replaced whole."""
    merged: dict[str, Any] = {}
    for data in reversed(stacked):
        _lay_over(merged, data)
    return merged


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    # Tables are merged key by key. A list is one value: to merge lists, no element could ever be removed.
    for name, value in above.items():
        if isinstance(value, Mapping):
            nested_below = below.get(name)
            below[name] = dict(nested_below) if isinstance(nested_below, Mapping) else {}
            _lay_over(below[name], value)
        else:
            below[name] = value


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted keys as tables within tables."""
    tree: dict[str, Any] = {}
    for dotted, value in flat.items():
        *tables, key = dotted.split(".")
        place = tree
        for table in tables:
            place = place.setdefault(table, {})
        place[key] = value
    return tree


def toml_value(text: str) -> Any:
    """Return the text as a TOML value (number, list, true, …), or as it is."""
    # Programs write truth in their own ways, and TOML knows small letters only.
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        # `[1, 2]` and `true` are TOML; `5GB` is not and stays text. A line break would smuggle in a second key.
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def leaves(data: Any, path: KeyPath = (), *, in_lists: bool = False) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value of nested tables with its path. An empty table within them is a value.

    Args:
        data: The tables.
        path: Their own path, with which the paths of the values begin.
        in_lists: Whether the items of a list are yielded, numbered from 0. If not, a list is one value.
    """
    for name, value in _parts(data, in_lists=in_lists):
        if _parts(value, in_lists=in_lists):
            yield from leaves(value, (*path, name), in_lists=in_lists)
        else:
            yield (*path, name), value


def with_leaves(data: Any, change: Callable[[KeyPath, Any], Any], path: KeyPath = ()) -> Any:
    """Return a copy of nested tables and lists with other values.

    Args:
        data: The tables.
        change: Returns the value that takes the place of one, by its path and itself. Items of lists are numbered.
        path: The path of the tables, with which the paths of the values begin.
    """
    if isinstance(data, Mapping):
        return {name: with_leaves(value, change, (*path, str(name))) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [with_leaves(value, change, (*path, str(number))) for number, value in enumerate(data)]
    return change(path, data)


def _parts(data: Any, *, in_lists: bool) -> list[tuple[str, Any]]:
    """Return the values within a table or, if `in_lists`, a list; none of any other value."""
    if isinstance(data, Mapping):
        return [(str(name), value) for name, value in data.items()]
    if in_lists and isinstance(data, list | tuple):
        return [(str(number), value) for number, value in enumerate(data)]
    return []


def key_text(path: Sequence[str]) -> str:
    """Return a path as one dotted key, with quotes around a name that has a dot, as TOML writes it."""
    return ".".join(toml_key(name) if "." in name else name for name in path)


def toml_text(value: Any) -> str:
    """Return a value as TOML writes it on one line.

    Args:
        value: A text, a number, a truth value, or a list or a table of such values. A surrogate that stands alone,
            which TOML cannot hold, becomes a question mark.

    Raises:
        TypeError: TOML has no such value, as it has no null.
    """
    if isinstance(value, Mapping):
        entries = ", ".join(f"{toml_key(key)} = {toml_text(each)}" for key, each in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))  # nan, inf and -inf, which JSON writes in another way
    if isinstance(value, str):
        # JSON's escapes are also TOML's, but JSON leaves U+007F as it is, and writes 😀 as two surrogates if it may.
        text = json.dumps(value.encode("utf-8", "replace").decode("utf-8"), ensure_ascii=False)
        return text.replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise TypeError(f"TOML has no value of the type {type(value).__name__}")


def toml_key(name: str) -> str:
    """Return a key as TOML writes it: in quotes where it needs them."""
    return name if BARE_KEY.fullmatch(name) else toml_text(name)


def toml_comment(text: str) -> str:
    """Return a comment of one line. Control characters, which could end it, become blanks."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return f"# {CONTROL.sub(' ', plain)}"
