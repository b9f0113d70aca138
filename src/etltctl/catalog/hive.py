"""Types as the catalog words them: what Parquet's become, and which may widen into which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.errors import BlockedError

if TYPE_CHECKING:
    import pyarrow as pa

INTEGERS = ("tinyint", "smallint", "int", "bigint")
DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
MAX_DECIMAL_DIGITS = 38
# Engines differ on whether the old files are read right: such a change needs a rewrite, or somebody who knows better.
UNSAFE_WIDENINGS = {("float", "double"), *((integer, "double") for integer in INTEGERS)}
SCALARS = {
    "int8": "tinyint",
    "int16": "smallint",
    "uint8": "smallint",
    "int32": "int",
    "uint16": "int",
    "int64": "bigint",
    "uint32": "bigint",
    "float": "float",
    "double": "double",
    "bool": "boolean",
    "string": "string",
    "large_string": "string",
    "binary": "binary",
    "large_binary": "binary",
    "date32[day]": "date",
}


@dataclass(frozen=True)
class Widening:
    """A type that holds both of two others; `is_safe` tells whether every engine reads old files under it."""

    type: str
    is_safe: bool = True


def hive_columns(schema: pa.Schema, table: str) -> dict[str, str]:
    """Column names, lower-cased as Glue keeps them, and their Hive types; a column of nulls alone has no type yet.

    Raises BlockedError for a type Athena cannot read and for names that differ only in case.
    """
    import pyarrow.types as pt

    columns: dict[str, str] = {}
    spelt: dict[str, str] = {}
    for column in schema:
        name = column.name.lower()
        if name in spelt:
            raise BlockedError(
                f"{table} has the columns {spelt[name]} and {column.name}, which differ in case only",
                hint="rename one of them where it is written: the catalog keeps names in lower case",
            )
        spelt[name] = column.name
        if not pt.is_null(column.type):
            columns[name] = hive_type(column.type, f"{table}.{name}")
    return columns


def hive_type(kind: pa.DataType, column: str) -> str:
    """The Hive type Athena reads this Parquet type as."""
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return hive_type(kind.value_type, column)
    if pt.is_decimal(kind) and kind.precision <= MAX_DECIMAL_DIGITS:
        return f"decimal({kind.precision},{kind.scale})"
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return f"array<{hive_type(kind.value_type, column)}>"
    if pt.is_map(kind):
        return f"map<{hive_type(kind.key_type, column)},{hive_type(kind.item_type, column)}>"
    if pt.is_struct(kind):
        fields = (f"{child.name.lower()}:{hive_type(child.type, column)}" for child in kind)
        return f"struct<{','.join(fields)}>"
    if pt.is_timestamp(kind):
        return "timestamp"
    try:
        return SCALARS[str(kind)]
    except KeyError as error:
        raise BlockedError(
            f"{column} has the Parquet type {kind}, which Athena cannot read",
            hint="cast it in the job, for example to bigint or string",
        ) from error


def widened(old: str, new: str) -> Widening | None:
    """The type that reads files of both; None if there is none.

    Safe is what Athena reads by the wider type whatever wrote the file: smaller integers, decimals of no fewer digits
    before and after the point, fields added to a struct.
    """
    if old == new:
        return Widening(old)
    if old in INTEGERS and new in INTEGERS:
        return Widening(max(old, new, key=INTEGERS.index))
    if (old, new) in UNSAFE_WIDENINGS or (new, old) in UNSAFE_WIDENINGS:
        return Widening("double", is_safe=False)
    return _decimals(old, new) or _nested(old, new)


def _decimals(old: str, new: str) -> Widening | None:
    sizes = [re.fullmatch(r"decimal\((\d+),(\d+)\)", kind.replace(" ", "")) for kind in (old, new)]
    if not all(sizes):
        return None
    scales = [int(found[2]) for found in sizes if found]
    whole = max(int(found[1]) - int(found[2]) for found in sizes if found)
    if scales[0] != scales[1] or whole + scales[0] > MAX_DECIMAL_DIGITS:
        return None
    return Widening(f"decimal({whole + scales[0]},{scales[0]})")


def _nested(old: str, new: str) -> Widening | None:
    before, after = fields_of(old), fields_of(new)
    if not before or not after or old.partition("<")[0] != new.partition("<")[0]:
        return None
    kind = old.partition("<")[0]
    if kind != "struct" and set(before) != set(after):
        return None
    parts, is_safe = {}, True
    for name in {**before, **after}:
        both = widened(before.get(name, after.get(name, "")), after.get(name, before.get(name, "")))
        if both is None:
            return None
        parts[name], is_safe = both.type, is_safe and both.is_safe
    inner = (f"{name}:{part}" for name, part in parts.items()) if kind == "struct" else parts.values()
    return Widening(f"{kind}<{','.join(inner)}>", is_safe)


def fields_of(kind: str) -> Mapping[str, str]:
    """What a nested type is made of, by name; `element`, `key` and `value` for lists and maps; nothing for others."""
    outer, _, inner = kind.partition("<")
    parts = _split(inner.removesuffix(">")) if inner else []
    if outer == "struct":
        return {name: part for name, _, part in (field.partition(":") for field in parts)}
    return dict(zip({"array": ("element",), "map": ("key", "value")}.get(outer, ()), parts, strict=False))


def _split(text: str) -> list[str]:
    """The text cut at the commas that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
