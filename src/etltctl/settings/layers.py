"""Settings from one place, laid over those from others, with the place of every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str, ...]

# The names of layers that are not in a file of the user.
DEFAULT = "default"  # of a type, or of the environment
SAMPLE_LAKE = "sample lake"  # the settings that etltctl ships, which apply only without a settings file
FLAG = "flag"
VARIABLE = "env "  # and the variable's name

# TOML has no parser in Python's library that keeps places. Headers and keys have few forms, and a place that is not
# found costs only the line number in an error.
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=\s*(.*)")
_INLINE = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")


@dataclass(frozen=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


def key_places(text: str) -> Mapping[KeyPath, Place]:
    """Return the first place of every table and key, by path, keys of inline tables included.

    The tables of an array `[[name]]` are numbered from 0 as well: `name.0.key`.
    """
    places: dict[KeyPath, Place] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    # A line of a long string may look like a key, so its inside is blanked, and its line breaks stay.
    for number, line in enumerate(_without_long_strings(text).splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            place = Place(number, header.start(2) + 1)
            _note(places, table, place)
            # Positions count from 0, as pydantic numbers the elements of a list in its errors.
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, str(counts[table]))
                _note(places, table, place)
        elif assignment := _ASSIGNMENT.match(line):
            path = (*table, *_split(assignment[1]))
            _note(places, path, Place(number, assignment.start(1) + 1))
            for inner in _INLINE.finditer(line, assignment.start(2)) if assignment[2].startswith("{") else ():
                _note(places, (*path, *_split(inner[1])), Place(number, inner.start(1) + 1))
    return places


def _without_long_strings(text: str) -> str:
    """Return the text with the insides of strings of several lines blanked, line by line."""
    return re.sub(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'', lambda text: "\n" * text[0].count("\n"), text)


def place_of(path: KeyPath, places: Mapping[KeyPath, Place]) -> Place | None:
    """Return the place of a key, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None


def _note(places: dict[KeyPath, Place], path: KeyPath, place: Place) -> None:
    # `[a.b]` makes the table `a` too. The first mention is the place that a person looks for.
    for length in range(1, len(path) + 1):
        places.setdefault(path[:length], place)


def _split(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


@dataclass(frozen=True)
class Layer:
    """Settings from one place: their values, and the places of their keys."""

    data: Mapping[str, Any]
    name: str
    section: KeyPath = ()
    places: Mapping[KeyPath, Any] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> str:
        """Return where the value of a key comes from."""
        place = place_of((*self.section, *path), self.places)
        within = f" [{'.'.join(self.section)}]" if self.section else ""
        return f"{self.name}:{place.line}{within}" if place else self.name

    def complaint_place(self, path: KeyPath) -> str:
        """Return the same with the column, as editors understand it."""
        place = place_of((*self.section, *path), self.places)
        return f"{self.name}:{place.line}:{place.column}" if place else self.name


@dataclass(frozen=True)
class SettingValue:
    """One setting as it may be shown, and where it comes from."""

    key: str
    value: Any
    origin: str


def is_in_file(origin: str) -> bool:
    """Return whether a setting of this origin stands in a file of the user."""
    # Compared whole, because a file may be called `default.toml`.
    return origin not in {FLAG, DEFAULT, SAMPLE_LAKE} and not origin.startswith(VARIABLE)


def first_layer(layers: list[Layer], path: KeyPath) -> Layer:
    """Return the topmost layer that sets a key; if none does, one for the default of the type."""
    for layer in layers:
        data: Any = layer.data
        for name in path:
            data = _within(data, name)
        # TOML has no null, so that None always means that the layer does not set the key.
        if data is not None:
            return layer
    return Layer({}, DEFAULT)


def _within(data: Any, name: str) -> Any:
    if isinstance(data, list):
        return data[int(name)] if name.isdigit() and int(name) < len(data) else None
    return data.get(name) if isinstance(data, Mapping) else None
