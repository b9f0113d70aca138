"""The constraints of AWS's service models, checked on values: required, minimum, maximum, pattern, enumeration.

Patterns are Java's regular expressions, used as far as Python can read them.
botocore itself checks types, required members and some minimums only, and nothing at all in answers.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

SHOWN = 60
# A character above U+FFFF, as Java's source writes it: two escapes, which Python would read as two characters.
PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
NUMBERS = frozenset({"integer", "long", "float", "double"})
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "structure": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "character": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int,
    "long": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float),
    "double": lambda value: type(value) in (int, float),
    "timestamp": lambda value: type(value) in (int, float, str),
    "blob": lambda value: isinstance(value, str | bytes),
}


def violations_of(value: Any, shape: Any, place: str, unread: set[str]) -> Iterator[str]:
    """Yield what in a value contradicts its shape.

    Args:
        value: A value with the model's own names for members; None stands for a member that is not given.
        shape: botocore's shape of the value.
        place: What the value is called, such as `input.JobName`.
        unread: Collects the patterns that Python cannot read, as `Shape: pattern`.
    """
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return
    if kind in TYPES and not TYPES[kind](value):
        yield f"{place} is not a {kind}: {_shown(value)}"
        return
    if kind == "structure":
        yield from _in_structure(value, shape, place, unread)
    elif kind == "list":
        yield from _within(len(value), shape, f"the number of {place}")
        for number, item in enumerate(value):
            yield from violations_of(item, shape.member, f"{place}[{number}]", unread)
    elif kind == "map":
        yield from _within(len(value), shape, f"the number of {place}")
        for key, item in value.items():
            yield from violations_of(key, shape.key, f"the key {_shown(key)} of {place}", unread)
            yield from violations_of(item, shape.value, f"{place}.{key}", unread)
    elif kind in NUMBERS:
        yield from _within(value, shape, place)
    elif kind == "string":
        yield from _in_text(value, shape, place, unread)


def _in_structure(value: dict[str, Any], shape: Any, place: str, unread: set[str]) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{place}.{name} is required and missing"
    # In a union of the model exactly one member is set.
    if getattr(shape, "is_tagged_union", False) and sum(item is not None for item in value.values()) != 1:
        yield f"{place} must have exactly one member, not {sorted(value)}"
    for name, item in value.items():
        if item is not None and name in shape.members:
            yield from violations_of(item, shape.members[name], f"{place}.{name}", unread)


def _in_text(text: str, shape: Any, place: str, unread: set[str]) -> Iterator[str]:
    yield from _within(len(text), shape, f"the length of {place} {_shown(text)}")
    if shape.enum and text not in shape.enum:
        yield f"{place} is {_shown(text)}, which is not one of {', '.join(shape.enum[:12])}"
    if pattern := shape.metadata.get("pattern"):
        readable = compile_pattern(pattern)
        # Reported, not counted as a match: a gap of the check must be visible.
        if readable is None:
            unread.add(f"{shape.name}: {pattern}")
        elif not readable.fullmatch(text):
            yield f"{place} is {_shown(text)}, which does not match {pattern}"


def _within(number: float, shape: Any, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield f"{what} is {number}, the minimum is {least}"
    if most is not None and number > most:
        yield f"{what} is {number}, the maximum is {most}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """Return a pattern of Java for Python; None if Python cannot read it, or would read something else.

    Args:
        pattern: A regular expression that a whole text must match.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # for `[[:alpha:]]` and `&&`, which Java reads as sets
        try:
            return re.compile(PAIR.sub(_as_one, pattern))
        except (re.error, FutureWarning, OverflowError, RecursionError):
            return None


def _as_one(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
