"""Doubles and reals as Java writes them."""

from __future__ import annotations

import struct


def java_double(value: float) -> str:
    """Return a double as Java's Double.toString writes it, which is how Athena shows it."""
    return _java(value, repr(value))


def java_real(value: float) -> str:
    """Return a real as Java's Float.toString writes it."""
    return _java(value, shortest_real(value))


def scientific(value: float) -> str:
    """Return a double as a cast to varchar writes it: always with an exponent."""
    return _scientific(value, repr(value))


def scientific_real(value: float) -> str:
    """Return a real as a cast to varchar writes it."""
    return _scientific(value, shortest_real(value))


def shortest_real(value: float) -> str:
    """Return the shortest decimal that reads back as the same 32-bit number."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return text
    return repr(value)


def _special(value: float) -> str | None:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return None


def _parts(text: str) -> tuple[str, str, int]:
    """Return the sign, the digits without leading or trailing zeros, and the exponent of the first digit."""
    sign = "-" if text.startswith("-") else ""
    mantissa, _, exponent = text.lstrip("-").lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    power = len(whole) - leading - 1 + int(exponent or 0)
    return sign, digits.rstrip("0") or "0", power


def _java(value: float, text: str) -> str:
    if (special := _special(value)) is not None:
        return special
    sign, digits, power = _parts(text)
    if value == 0:
        return f"{sign}0.0"
    if -3 <= power < 7:
        if power < 0:
            return f"{sign}0.{'0' * (-power - 1)}{digits}"
        whole, fraction = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
        return f"{sign}{whole}.{fraction or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"


def _scientific(value: float, text: str) -> str:
    if (special := _special(value)) is not None:
        return special
    sign, digits, power = _parts(text)
    if value == 0:
        return f"{sign}0E0"
    fraction = digits[1:] or "0"
    return f"{sign}{digits[0]}.{fraction}E{power}"
