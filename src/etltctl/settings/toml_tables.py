"""Tables of TOML as data: laid over each other, made of dotted keys, and walked value by value."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.settings.layers import KeyPath


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


def leaves(data: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value with its path."""
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value
