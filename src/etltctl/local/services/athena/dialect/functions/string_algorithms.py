"""The string functions that Python computes, one row at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from etltctl.local.services.athena.dialect.errors import invalid_argument

Text = TypeVar("Text", str, bytes)
LONGEST = 2_147_483_647
MOST_BYTES = 1 << 25  # a result that is longer is refused, as Trino refuses a page that does not fit
SOUNDS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "01230120022455012623010202", strict=True))


def character(code: int) -> str:
    """Return the character of a code point."""
    if not 0 <= code <= 0x10FFFF:
        raise invalid_argument(f"Not a valid Unicode code point: {code}")
    return chr(code)


def codepoint(text: str) -> int:
    """Return the code point of a text of one character."""
    if len(text) != 1:
        raise invalid_argument("Input string must be a single character string")
    return ord(text)


def joined(separator: str, texts: Sequence[str | None]) -> str:
    """Join the texts that are not null."""
    return separator.join(text for text in texts if text is not None)


def hamming(left: str, right: str) -> int:
    """Count the positions at which two texts of one length differ."""
    if len(left) != len(right):
        raise invalid_argument("The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(left, right, strict=True))


def levenshtein(left: str, right: str) -> int:
    """Count the changes that turn one text into the other."""
    # Trino refuses what would take too long; DuckDB would compute it.
    if left and right and len(left) * (len(right) - 1) > 1_000_000:
        raise invalid_argument("The combined inputs for Levenshtein distance are too large")
    row = list(range(len(right) + 1))
    for index, a in enumerate(left, 1):
        before, row[0] = row[0], index
        for other, b in enumerate(right, 1):
            before, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, before + (a != b))
    return row[-1]


def luhn(text: str) -> bool:
    """Return whether a text of digits has a valid check digit."""
    if not text or not all("0" <= digit <= "9" for digit in text):
        raise invalid_argument("Invalid input: only digits are allowed")
    total = 0
    for index, digit in enumerate(reversed(text)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def padded_left(text: Text, size: int, pad: Text) -> Text:
    """Put a padding in front of a text, or cut the text at its end."""
    return _padding(text, size, pad) + text[:size]


def padded_right(text: Text, size: int, pad: Text) -> Text:
    """Put a padding after a text, or cut the text at its end."""
    return text[:size] + _padding(text, size, pad)


def position(text: str, substring: str, instance: int) -> int:
    """Return the position of the n-th instance of a text, from the end if n is negative; 0 for none."""
    if instance == 0:
        raise invalid_argument("'instance' must not be a positive or negative number.")
    if not substring:
        return 1
    place = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        if instance > 0:
            place = text.find(substring, place + 1)
        else:
            place = text.rfind(substring, 0, place - 1 + len(substring)) if place > 0 else -1
        if place < 0:
            return 0
    return place + 1


def removed(text: str, substring: str) -> str:
    """Remove every instance of a text."""
    return text.replace(substring, "")


def replaced(text: str, substring: str, by: str) -> str:
    """Replace every instance of a text. An empty one is before, between and after the characters."""
    if len(text) * (len(by) + 1) > MOST_BYTES and len(by) > len(substring):
        count = text.count(substring)
        if len(text) + count * (len(by) - len(substring)) > MOST_BYTES:
            raise invalid_argument('inputs to "replace" function are too large')
    return text.replace(substring, by)


def soundex(text: str) -> str:
    """Return the American Soundex code."""
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if any(letter not in SOUNDS for letter in letters):
        raise invalid_argument(f"The character is not mapped: {text}")
    if not letters:
        return ""
    code, last = letters[0], SOUNDS[letters[0]]
    for letter in letters[1:]:
        sound = SOUNDS[letter]
        if sound not in ("0", last):
            code += sound
        # H and W do not part two equal sounds, vowels do.
        if letter not in "HW":
            last = sound
    return code[:4].ljust(4, "0")


def split(text: str, delimiter: str) -> list[str]:
    """Split at every delimiter."""
    return split_limited(text, delimiter, len(text) + 1)


def split_limited(text: str, delimiter: str, limit: int) -> list[str]:
    """Split into at most `limit` parts; the last holds the rest."""
    if limit <= 0:
        raise invalid_argument("Limit must be positive")
    if limit > LONGEST:
        raise invalid_argument("Limit is too large")
    if not delimiter:
        raise invalid_argument("The delimiter may not be the empty string")
    return text.split(delimiter, limit - 1)


def split_part(text: str, delimiter: str, index: int) -> str | None:
    """Return one part of a text that is split; None past the last."""
    if index <= 0:
        raise invalid_argument("Index must be greater than zero")
    # An empty delimiter splits into characters.
    parts = text.split(delimiter) if delimiter else list(text)
    return parts[index - 1] if index <= len(parts) else None


def split_to_map(text: str, between: str, inside: str) -> dict[str, str]:
    """Read `key=value` pairs; a repeated key is an error."""
    entries: dict[str, str] = {}
    for key, value in _pairs(text, between, inside):
        if key in entries:
            raise invalid_argument(f"Duplicate keys ({key}) are not allowed")
        entries[key] = value
    return entries


def split_to_multimap(text: str, between: str, inside: str) -> dict[str, list[str]]:
    """Read `key=value` pairs; a key may be repeated."""
    entries: dict[str, list[str]] = {}
    for key, value in _pairs(text, between, inside):
        entries.setdefault(key, []).append(value)
    return entries


def translated(text: str, origin: str, by: str) -> str:
    """Replace each character of one set by that of another; one without a partner is removed."""
    mapping: dict[int, str | None] = {}
    for index, letter in enumerate(origin):
        # Of a repeated character the first partner counts.
        mapping.setdefault(ord(letter), by[index] if index < len(by) else None)
    return text.translate(mapping)


def reversed_text(text: str) -> str:
    """Reverse a text by code points."""
    return text[::-1]


def reversed_bytes(data: bytes) -> bytes:
    """Reverse bytes."""
    return data[::-1]


def part(data: bytes, start: int, length: int = LONGEST) -> bytes:
    """Return a part of bytes, by the rules of substr."""
    if start == 0 or length <= 0 or start > len(data) or start < -len(data):
        return b""
    first = start - 1 if start > 0 else len(data) + start
    return data[first : first + length]


def normalized(text: str, form: str) -> str:
    """Return the text in one of Unicode's normal forms."""
    if form.upper() not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise invalid_argument("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form.upper(), text)  # type: ignore[arg-type]


def _padding(text: Text, size: int, pad: Text) -> Text:
    if not 0 <= size <= LONGEST:
        raise invalid_argument(f"Target length must be in the range [0..{LONGEST}]")
    if not pad:
        raise invalid_argument(
            "Padding string must not be empty" if isinstance(pad, str) else "Padding bytes must not be empty"
        )
    missing = size - len(text)
    if missing > MOST_BYTES:
        raise invalid_argument(f"Target length {size} is too large")
    return (pad * (missing // len(pad) + 1))[:missing] if missing > 0 else pad[:0]


def _pairs(text: str, between: str, inside: str) -> list[tuple[str, str]]:
    if not between:
        raise invalid_argument("entryDelimiter is empty")
    if not inside:
        raise invalid_argument("keyValueDelimiter is empty")
    if between == inside:
        raise invalid_argument("entryDelimiter and keyValueDelimiter must not be the same")
    pairs = []
    entries = text.split(between)
    if entries[-1] == "":  # a delimiter at the end begins no entry
        entries.pop()
    for entry in entries:
        key, delimiter, value = entry.partition(inside)
        if not delimiter or inside in value:
            raise invalid_argument(
                f"Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'"
            )
        pairs.append((key, value))
    return pairs
