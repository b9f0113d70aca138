"""The patterns of AWS's service models, which are Java's regular expressions, as far as Python can read them."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

# A character above U+FFFF, as Java's source writes it: two escapes, which Python would read as two characters.
PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """Return the pattern for Python; None if Python cannot read it, or would read something else than Java.

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
