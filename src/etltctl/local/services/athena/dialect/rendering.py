"""Values as Athena writes them into a result."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from etltctl.local.services.athena.dialect.doubles import java_double, java_real
from etltctl.local.services.athena.dialect.moment_texts import to_local
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
    return f"{value:f}"


def _date(value: date | datetime, kind: Type) -> str:
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"


def _fraction(microseconds: int, precision: int) -> str:
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
    return bytes(value).hex(" ")


def _array(value: list[Any], kind: Type) -> str:
    return f"[{', '.join(_inside(item, kind.element) for item in value)}]"


def _map(value: dict[Any, Any], kind: Type) -> str:
    keys, values = kind.inners
    return "{" + ", ".join(f"{_inside(k, keys)}={_inside(v, values)}" for k, v in value.items()) + "}"


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
