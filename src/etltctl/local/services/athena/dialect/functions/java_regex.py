"""Java's regular expressions, as Trino reads them, for Python's `re`.

What `re` lacks is refused by name. What it reads differently from Java is rewritten.
"""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from dataclasses import dataclass, field
from functools import lru_cache

from etltctl.local.services.athena.dialect.errors import invalid_argument, unsupported

POSIX = {
    "lower": "a-z",
    "upper": "A-Z",
    "ascii": "\\x00-\\x7f",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "punct": "!-/:-@\\[-`{-~",
    "graph": "!-~",
    "print": " -~",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "xdigit": "0-9a-fA-F",
    "space": " \\t\\n\\x0b\\f\\r",
}
CATEGORY = re.compile(r"L|M|N|P|S|Z|C|L[ultmo]|M[nce]|N[dlo]|P[cdseifo]|S[mcko]|Z[slp]|C[cf]")
WIDE = {
    "h": " \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000",
    "v": "\\n\\x0b\\f\\r\\x85\\u2028\\u2029",
}
PLAIN_ESCAPES = frozenset("dDwWsSbBAtnrf")
FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern for `re`.

    Raises:
        QueryError: INVALID_FUNCTION_ARGUMENT if Java has no such pattern, NOT_SUPPORTED if only Java has it.
    """
    translated = _Translation(pattern).run()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        if "look-behind requires fixed-width" in str(error):
            raise unsupported("a lookbehind of variable width in a regular expression") from error
        raise invalid_argument(f"{error}: {pattern}") from error


# `re` knows no Unicode categories, so \p{Lu} becomes the ranges of its characters.
@lru_cache(maxsize=64)
def _category(name: str) -> str:
    """Return the inside of a class with the characters of a general category of Unicode."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code <= 0xDFFF or not unicodedata.category(chr(code)).startswith(name):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


@dataclass
class _Translation:
    """The translation of one pattern. `open_flags` holds, for each open group, the groups of its inline flags."""

    pattern: str
    at: int = 0
    out: list[str] = field(default_factory=list)
    open_flags: list[list[str]] = field(default_factory=lambda: [[]])

    def run(self) -> str:
        """Translate the whole pattern."""
        while self.at < len(self.pattern):
            letter = self.pattern[self.at]
            match letter:
                case "\\":
                    self._escape(inside=False)
                case "[":
                    self._class()
                case "(":
                    self._group()
                # Flags that were opened in this group end with it.
                case ")":
                    self.out.append(")" * len(self.open_flags[-1]) + ")")
                    if len(self.open_flags) > 1:
                        self.open_flags.pop()
                    self.at += 1
                # An alternative is a separate branch in `re`, so the flags are closed before it and opened
                # again after it.
                case "|":
                    flags = self.open_flags[-1]
                    self.out.append(")" * len(flags) + "|" + "".join(flags))
                    self.at += 1
                case _:
                    self.out.append(letter)
                    self.at += 1
        self.out.append(")" * len(self.open_flags[0]))
        return "".join(self.out)

    def _group(self) -> None:
        rest = self.pattern[self.at :]
        if named := re.match(r"\(\?<([A-Za-z][A-Za-z0-9]*)>", rest):
            self._open(f"(?P<{named[1]}>", len(named[0]))
        elif rest.startswith(("(?=", "(?!", "(?>", "(?:")):
            self._open(rest[:3], 3)
        elif rest.startswith(("(?<=", "(?<!")):
            self._open(rest[:4], 4)
        elif flags := FLAGS.match(rest):
            self._flags(flags)
        elif rest.startswith(("(?", "(*")):
            raise invalid_argument(f"undefined group option: {self.pattern}")
        else:
            self._open("(", 1)

    def _open(self, text: str, length: int) -> None:
        self.out.append(text)
        self.open_flags.append([])
        self.at += length

    def _flags(self, match: re.Match[str]) -> None:
        """Open a group for inline flags, which in Java act up to the end of the group around them."""
        letters = match[1] + (match[2] or "")
        if set(letters) - set("imsx"):
            raise unsupported(f"the flags {letters} in a regular expression")
        opened = f"(?{match[1]}{'-' + match[2] if match[2] else ''}:"
        if not letters:
            opened = "(?:"
        if match[3] == ":":
            self._open(opened, len(match[0]))
            return
        self.open_flags[-1].append(opened)
        self.out.append(opened)
        self.at += len(match[0])

    def _class(self) -> None:
        start = self.at
        self.out.append("[")
        self.at += 1
        if self.pattern.startswith("^", self.at):
            self.out.append("^")
            self.at += 1
        first = self.at
        while True:
            if self.at >= len(self.pattern):
                raise invalid_argument(f"premature end of char-class: {self.pattern[start:]}")
            letter = self.pattern[self.at]
            if letter == "]" and self.at > first:
                break
            # Java has unions and intersections of classes; `re` would read the brackets as letters.
            if letter == "[" or self.pattern.startswith("&&", self.at):
                raise unsupported("a character class inside another in a regular expression")
            if letter == "\\":
                self._escape(inside=True)
                continue
            self.out.append("\\]" if letter == "]" else letter)
            self.at += 1
        self.out.append("]")
        self.at += 1

    def _escape(self, *, inside: bool) -> None:
        rest = self.pattern[self.at + 1 :]
        if not rest:
            raise invalid_argument(f"end pattern at escape: {self.pattern}")
        text, length = self._escaped(rest, inside=inside)
        self.out.append(text)
        self.at += 1 + length

    def _escaped(self, rest: str, *, inside: bool) -> tuple[str, int]:
        letter = rest[0]
        if prop := re.match(r"[pP](?:\{(\^?)(\w+)\}|([A-Z]))", rest):
            is_not = (letter == "P") != bool(prop[1])
            return _property(prop[2] or prop[3], is_not=is_not, inside=inside), len(prop[0])
        # `\Q…\E` is literal text.
        if letter == "Q" and not inside:
            quoted = rest[1:].partition("\\E")
            return re.escape(quoted[0]), 1 + len(quoted[0]) + 2 * bool(quoted[1])
        if letter == "k" and (named := re.match(r"k<(\w+)>", rest)):
            return f"(?P={named[1]})", len(named[0])
        if number := re.match(r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|0([0-7]{1,3})", rest):
            code = int(number[4], 8) if number[4] else int(number[1] or number[2] or number[3], 16)
            return f"\\U{code:08x}", len(number[0])
        if letter in WIDE:
            return (WIDE[letter] if inside else f"[{WIDE[letter]}]"), 1
        if letter in ("a", "e"):
            return ("\\x07" if letter == "a" else "\\x1b"), 1
        # Java's \Z also matches before a last line end, and `re` has only Java's \z, under the name \Z.
        if letter in ("z", "Z") and not inside:
            return ("\\Z" if letter == "z" else "(?=\\n?\\Z)"), 1
        if letter in PLAIN_ESCAPES or not (letter.isascii() and letter.isalpha()):
            return f"\\{letter}" if letter.isascii() else letter, 1
        raise unsupported(f"\\{letter} in a regular expression")


def _property(name: str, *, is_not: bool, inside: bool) -> str:
    lowered = name.lower()
    if lowered in POSIX:
        held = POSIX[lowered]
    elif CATEGORY.fullmatch(name):
        held = _category(name)
    elif lowered in ("alphabetic", "isalphabetic", "letter"):
        held = _category("L")
    else:
        raise unsupported(f"\\p{{{name}}} in a regular expression")
    if inside and is_not:
        raise unsupported("a negated property inside a character class of a regular expression")
    return held if inside else f"[{'^' if is_not else ''}{held}]"
