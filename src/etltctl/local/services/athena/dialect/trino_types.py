"""Trino's types, and the DuckDB types that hold their values.

A value of `timestamp with time zone` is a struct of the instant in UTC and the name of its zone. An interval is a
number of milliseconds or of months. JSON is its text. Every other type has an equal in DuckDB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from etltctl.values import quoted_name

# DuckDB's TIMESTAMPTZ would keep the instant and lose the zone, which Athena prints.
PLAIN = {
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double": "DOUBLE",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "varbinary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamp with time zone": 'STRUCT("at" TIMESTAMP, "zone" VARCHAR)',
    "interval day to second": "BIGINT",
    "interval year to month": "INTEGER",
    "json": "VARCHAR",
    "uuid": "VARCHAR",
    "unknown": "VARCHAR",
}
INTEGERS = ("tinyint", "smallint", "integer", "bigint")
DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}


@dataclass(frozen=True)
class Type:
    """A type of Trino: its name, its parameters (numbers or types), the names of a row's fields.

    `zone` is the one zone that every value of this expression has, if that is known. It is not part of the type.
    """

    name: str
    parameters: tuple[int | Type, ...] = ()
    fields: tuple[str | None, ...] = ()
    zone: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        match self.name:
            case "timestamp with time zone" if self.parameters:
                return f"timestamp({self.parameters[0]}) with time zone"
            case "row":
                named = zip(self.fields or (None,) * len(self.parameters), self.parameters, strict=True)
                return f"row({', '.join(f'{name} {kind}' if name else str(kind) for name, kind in named)})"
        inner = ("," if self.name == "decimal" else ", ").join(
            str(parameter) for parameter in self.parameters
        )
        return f"{self.name}({inner})" if inner else self.name

    @cached_property
    def duckdb(self) -> str:
        """The DuckDB type that holds the values."""
        match self.name:
            case "decimal":
                return f"DECIMAL({self.precision}, {self.scale})"
            case "array":
                return f"{self.element.duckdb}[]"
            case "map":
                return f"MAP({self.inner(0).duckdb}, {self.inner(1).duckdb})"
            case "row":
                named = zip(self.field_names, self.inners, strict=True)
                return f"STRUCT({', '.join(f'{quoted_name(name)} {kind.duckdb}' for name, kind in named)})"
        return PLAIN[self.name]

    @property
    def inners(self) -> tuple[Type, ...]:
        """The types inside an array, a map or a row."""
        return tuple(parameter for parameter in self.parameters if isinstance(parameter, Type))

    def inner(self, index: int) -> Type:
        """Return one type inside an array, a map or a row."""
        return self.inners[index]

    @property
    def element(self) -> Type:
        """The type of an array's elements."""
        return self.inners[0]

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of a row's fields in DuckDB: the field's own in lower case, or one made from its position."""
        named = self.fields or (None,) * len(self.parameters)
        return tuple(name.lower() if name else f"field{index}" for index, name in enumerate(named))

    @property
    def number(self) -> int:
        """The first parameter as a number: a length or a precision."""
        return int(self.parameters[0])  # type: ignore[arg-type]

    @property
    def precision(self) -> int:
        """The count of digits of a decimal or an integer."""
        return DIGITS.get(self.name) or self.number

    @property
    def scale(self) -> int:
        """The count of digits after the point of a decimal; 0 for an integer."""
        return int(self.parameters[1]) if self.name == "decimal" else 0  # type: ignore[arg-type]

    def is_(self, *names: str) -> bool:
        """Return whether the type has one of the names."""
        return self.name in names

    @property
    def is_integer(self) -> bool:
        """Whether it is one of the four integer types."""
        return self.name in INTEGERS

    @property
    def is_exact(self) -> bool:
        """Whether it is an integer or a decimal type."""
        return self.is_integer or self.name == "decimal"

    @property
    def is_floating(self) -> bool:
        """Whether it is real or double."""
        return self.name in ("real", "double")

    @property
    def is_number(self) -> bool:
        """Whether it is any number."""
        return self.is_exact or self.is_floating

    @property
    def is_text(self) -> bool:
        """Whether it is varchar or char."""
        return self.name in ("varchar", "char")

    @property
    def is_zoned(self) -> bool:
        """Whether it is a timestamp with time zone."""
        return self.name == "timestamp with time zone"


BOOLEAN, UNKNOWN, JSON, DATE = Type("boolean"), Type("unknown"), Type("json"), Type("date")
TINYINT, SMALLINT, INTEGER, BIGINT = Type("tinyint"), Type("smallint"), Type("integer"), Type("bigint")
REAL, DOUBLE, VARCHAR, VARBINARY = Type("real"), Type("double"), Type("varchar"), Type("varbinary")
DAYS, MONTHS = Type("interval day to second"), Type("interval year to month")
TIMESTAMP, ZONED = Type("timestamp", (3,)), Type("timestamp with time zone", (3,))


def decimal(precision: int, scale: int) -> Type:
    """Return a decimal type; a precision over 38 becomes 38, as in Trino."""
    return Type("decimal", (min(precision, 38), scale))


def varchar(length: int) -> Type:
    """Return varchar of at most `length` characters."""
    return Type("varchar", (length,))


def timestamp(precision: int) -> Type:
    """Return timestamp with `precision` digits of a second's fraction."""
    return Type("timestamp", (precision,))


def zoned(precision: int, zone: str | None = None) -> Type:
    """Return timestamp with time zone; `zone` if all its values are known to be in one."""
    return Type("timestamp with time zone", (precision,), (), zone)


def array(element: Type) -> Type:
    """Return the type of arrays of `element`."""
    return Type("array", (element,))


def map_of(key: Type, value: Type) -> Type:
    """Return the type of maps from `key` to `value`."""
    return Type("map", (key, value))


def row(fields: dict[str, Type] | tuple[tuple[str | None, Type], ...]) -> Type:
    """Return the type of rows with these fields; a name may be None."""
    pairs = tuple(fields.items()) if isinstance(fields, dict) else fields
    return Type("row", tuple(kind for _, kind in pairs), tuple(name for name, _ in pairs))


def of_hive(hive: str) -> Type:
    """Return Trino's type for the name of a Hive type in the catalog.

    Raises:
        ValueError: if Hive has no such type.
    """
    hive = hive.strip().lower()
    names = {"int": "integer", "float": "real", "string": "varchar", "binary": "varbinary"}
    # A timestamp of Hive has milliseconds in Athena.
    if hive == "timestamp":
        return TIMESTAMP
    if hive == "decimal":
        return decimal(10, 0)
    if sized := re.fullmatch(r"(varchar|char|decimal)\((\d+)(?:,\s*(\d+))?\)", hive):
        numbers = (int(sized[2]), int(sized[3] or 0)) if sized[1] == "decimal" else (int(sized[2]),)
        return Type(sized[1], numbers)
    if inner := re.fullmatch(r"array<(.*)>", hive, re.DOTALL):
        return array(of_hive(inner[1]))
    if inner := re.fullmatch(r"map<(.*)>", hive, re.DOTALL):
        key, value = split_top(inner[1])
        return map_of(of_hive(key), of_hive(value))
    if inner := re.fullmatch(r"struct<(.*)>", hive, re.DOTALL):
        named = (part.split(":", 1) for part in split_top(inner[1]))
        return row(tuple((name.strip(), of_hive(kind)) for name, kind in named))
    if (name := names.get(hive, hive)) in PLAIN and "(" not in name:
        return Type(name)
    raise ValueError(f"unknown type {hive}")


def split_top(text: str) -> list[str]:
    """Split at the commas that are not inside brackets."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "<(" and 1) or (-1 if character in ">)" else 0)
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]
