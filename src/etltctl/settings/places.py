"""Where in a TOML file each key stands, which the standard reader does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str, ...]

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


def key_places(text: str) -> Mapping[Path, Place]:
    """The first place of every table and key, by path; keys of inline tables included.

    The tables of an array `[[name]]` are numbered from 0 as well: `name.0.key`.
    """
    places: dict[Path, Place] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(_without_long_strings(text).splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            place = Place(number, header.start(2) + 1)
            _note(places, table, place)
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
    """The text with the insides of strings of several lines blanked, line by line."""
    return re.sub(r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'', lambda found: "\n" * found[0].count("\n"), text)


def place_of(path: Path, places: Mapping[Path, Place]) -> Place | None:
    """The place of the key, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return None


def _note(places: dict[Path, Place], path: Path, place: Place) -> None:
    for length in range(1, len(path) + 1):
        places.setdefault(path[:length], place)


def _split(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))
