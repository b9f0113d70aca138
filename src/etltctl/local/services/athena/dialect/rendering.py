"""Values as Athena writes them into a result. Doubles look as Java writes them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from etltctl.local.services.athena.dialect.time_zones import to_local
from etltctl.local.services.athena.dialect.trino_types import Type


def rendered(value: Any, kind: Type) -> str | None:
    """Return a value of the type as text; None for null."""
    if value is None:
        return None
    return RENDERERS.get(kind.name, _plain)(value, kind)


def _plain(value: Any, kind: Type) -> str:
    return str(value)


def _inside(value: Any, kind: Type) -> str:
    text = rendered(value, kind)
    return "null" if text is None else text


def _boolean(value: bool, kind: Type) -> str:
    return "true" if value else "false"


def _decimal(value: Decimal, kind: Type) -> str:
    # Python would write a small decimal as 1E-7.
    return f"{value:f}"


def _date(value: date | datetime, kind: Type) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def _fraction(microseconds: int, precision: int) -> str:
    # Athena prints at least three digits, even of timestamp(0).
    return f"{microseconds:06d}"[: max(precision, 3)]


def _clock(value: datetime | time, kind: Type) -> str:
    return (
        f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}.{_fraction(value.microsecond, kind.number)}"
    )


def _timestamp(value: datetime, kind: Type) -> str:
    return f"{_date(value, kind)} {_clock(value, kind)}"


def _zoned(value: dict[str, Any], kind: Type) -> str:
    return f"{_timestamp(to_local(value['at'], value['zone']), kind)} {value['zone']}"


def _days(value: int, kind: Type) -> str:
    sign, rest = ("-" if value < 0 else ""), abs(value)
    days, rest = divmod(rest, 86_400_000)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{sign}{days} {hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _months(value: int, kind: Type) -> str:
    return f"{'-' if value < 0 else ''}{abs(value) // 12}-{abs(value) % 12}"


def _bytes(value: bytes, kind: Type) -> str:
    # Athena prints bytes in pairs of digits: 'ab' is `61 62`.
    return bytes(value).hex(" ")


def _array(value: list[Any], kind: Type) -> str:
    return f"[{', '.join(_inside(item, kind.element) for item in value)}]"


def _map(value: dict[Any, Any], kind: Type) -> str:
    keys, values = kind.inners
    # DuckDB hands over a map whose keys Python cannot hash as a list of the keys and one of the values.
    is_hashable = not keys.is_("array", "map", "row")
    items = value.items() if is_hashable else zip(value.get("key", ()), value.get("value", ()), strict=True)
    return "{" + ", ".join(f"{_inside(k, keys)}={_inside(v, values)}" for k, v in items) + "}"


def _row(value: dict[str, Any] | tuple[Any, ...], kind: Type) -> str:
    items = list(value.values()) if isinstance(value, dict) else list(value)
    parts = []
    for index, (item, inner) in enumerate(zip(items, kind.inners, strict=True)):
        name = kind.fields[index] if kind.fields and kind.fields[index] else f"field{index}"
        parts.append(f"{name}={_inside(item, inner)}")
    return "{" + ", ".join(parts) + "}"


RENDERERS: dict[str, Callable[[Any, Type], str]] = {
    "boolean": _boolean,
    "decimal": _decimal,
    "double": lambda value, kind: java_double(value),
    "real": lambda value, kind: java_real(value),
    "date": _date,
    "time": _clock,
    "timestamp": _timestamp,
    "timestamp with time zone": _zoned,
    "interval day to second": _days,
    "interval year to month": _months,
    "varbinary": _bytes,
    "array": _array,
    "map": _map,
    "row": _row,
}


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
    # At most nine digits identify a 32-bit number.
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
    # Java writes 0.001 up to 9999999 in full, and other numbers with an exponent: `1.0E7`.
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
