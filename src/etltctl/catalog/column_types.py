"""The catalog's column types: what each of Parquet's types becomes, and which may widen into which."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.errors import BlockedError
from etltctl.hive import HiveType, parse_type

if TYPE_CHECKING:
    import pyarrow as pa

INTEGERS = ("tinyint", "smallint", "int", "bigint")
DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
MAX_DECIMAL_DIGITS = 38
MAX_NAME_CHARACTERS = 255  # Glue's limit of a column's name
MAX_TYPE_CHARACTERS = 131_072  # and of its type
FIELD_NAME = re.compile(r"\w+")  # what Athena's pages allow in a name; within a struct nothing can be quoted
# Engines differ on whether they read the old files right. Such a change needs the files rewritten, or a person who
# allows it because every reader of this table copes.
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
    """A type that holds both of two others; `is_safe` says whether every engine reads old files under it."""

    type: str
    is_safe: bool = True


def hive_columns(schema: pa.Schema, table: str) -> dict[str, str]:
    """Return the columns' names in lower case, as Glue keeps them, and their Hive types.

    A column of nulls alone has no type yet and is left out.

    Args:
        schema: The schema of a Parquet file.
        table: The table, to name it in an error.

    Raises:
        BlockedError: Athena cannot read a type, or the catalog cannot hold a name.
    """
    import pyarrow.types as pt

    for column in schema:
        _require_column_name(column.name, table)
    _require_distinct([column.name for column in schema], table, "columns")
    return {
        column.name.lower(): _catalog_type(column.type, f"{table}.{column.name.lower()}")
        for column in schema
        if not pt.is_null(column.type)
    }


def _catalog_type(kind: pa.DataType, column: str) -> str:
    text = str(hive_type(kind, column))
    if len(text) > MAX_TYPE_CHARACTERS:
        raise BlockedError(
            f"the type of {column} takes {len(text):,} characters, and the catalog holds {MAX_TYPE_CHARACTERS:,}",
            hint="write it as a string of JSON, or with fewer fields",
        )
    return text


def hive_type(kind: pa.DataType, column: str) -> HiveType:
    """Return the Hive type that Athena reads this Parquet type as.

    Args:
        kind: The type as the file's footer states it.
        column: The column with its table, or the path of a field in a struct, to name it in an error.

    Raises:
        BlockedError: Athena cannot read the type, or the catalog cannot hold the name of a field in it.
    """
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return hive_type(kind.value_type, column)
    if pt.is_decimal(kind) and kind.precision <= MAX_DECIMAL_DIGITS:
        return HiveType(f"decimal({kind.precision},{kind.scale})")
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return HiveType("array", {"element": hive_type(kind.value_type, column)})
    if pt.is_map(kind):
        return HiveType(
            "map", {"key": hive_type(kind.key_type, column), "value": hive_type(kind.item_type, column)}
        )
    if pt.is_struct(kind):
        return _struct_type(kind, column)
    # Spark's int96 appears here as nanoseconds without a zone, and Athena reads int96. With a zone they are int64
    # nanoseconds, which it does not read.
    if pt.is_timestamp(kind) and not (kind.unit == "ns" and kind.tz):
        return HiveType("timestamp")
    try:
        return HiveType(SCALARS[str(kind)])
    except KeyError as error:
        raise BlockedError(
            f"{column} has the Parquet type {kind}, which Athena cannot read",
            hint="cast it in the job: "
            + (
                "to timestamp[us], in microseconds"
                if pt.is_timestamp(kind)
                else "for example to bigint or string"
            ),
        ) from error


def _struct_type(kind: pa.DataType, column: str) -> HiveType:
    """Return the type of a struct, whose fields have no quotes in the catalog that would make every name legal."""
    names = [child.name for child in kind]
    if not names:
        raise BlockedError(
            f"{column} is a struct without fields, which Athena cannot read",
            hint="write it as a string of JSON, or leave it out",
        )
    _require_distinct(names, column, "fields")
    for name in names:
        if not FIELD_NAME.fullmatch(name):
            raise BlockedError(
                f"{column}.{name} is the name of a field that the catalog cannot hold: within a struct only letters, "
                "digits and _ are read",
                hint="rename the field where it is written, or write the struct as a string of JSON",
            )
    return HiveType("struct", {one.name.lower(): hive_type(one.type, f"{column}.{one.name}") for one in kind})


def _require_column_name(name: str, table: str) -> None:
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        raise BlockedError(
            f"{table} has a column whose name has {len(name)} characters, and the catalog takes 1 to "
            f"{MAX_NAME_CHARACTERS}: {name[:40]}…",
            hint="rename it where it is written",
        )
    if any(ord(character) < ord(" ") and character != "\t" for character in name):
        raise BlockedError(
            f"{table} has the column {name!r}, and the catalog takes no line breaks or control characters in a name",
            hint="rename it where it is written",
        )


def _require_distinct(names: Iterable[str], owner: str, kind: str) -> None:
    spelt: dict[str, str] = {}
    for name in names:
        if (other := spelt.setdefault(name.lower(), name)) != name:
            raise BlockedError(
                f"{owner} has the {kind} {other} and {name}, which differ in case only",
                hint="rename one of them where it is written: the catalog keeps names in lower case",
            )


def widened(old: str, new: str) -> Widening | None:
    """Return the type that reads files of both.

    Safe is what Athena reads by the wider type, whichever program wrote the file: smaller integers, decimals with at
    least as many digits before and after the point, fields added to a struct.

    Args:
        old: A Hive type.
        new: Another one.

    Returns:
        The wider type; None if no type reads both.
    """
    if old == new:
        return Widening(old)
    if old in INTEGERS and new in INTEGERS:
        return Widening(max(old, new, key=INTEGERS.index))
    if (old, new) in UNSAFE_WIDENINGS or (new, old) in UNSAFE_WIDENINGS:
        return Widening("double", is_safe=False)
    return _decimals(old, new) or _nested(old, new)


def _decimals(old: str, new: str) -> Widening | None:
    if not old.startswith("decimal(") or not new.startswith("decimal("):
        return None
    (digits, scale), (other_digits, other_scale) = parse_type(old).numbers, parse_type(new).numbers
    # A file stores a decimal as an integer without its point: a reader that uses the catalog's scale for an old
    # file would misplace the point.
    whole = max(digits - scale, other_digits - other_scale)
    if scale != other_scale or whole + scale > MAX_DECIMAL_DIGITS:
        return None
    return Widening(f"decimal({whole + scale},{scale})")


def _nested(old: str, new: str) -> Widening | None:
    before, after = parse_type(old), parse_type(new)
    # The parts of a struct are matched by name, because the order of its fields may differ between files.
    if not before.parts or before.name != after.name:
        return None
    parts, is_safe = {}, True
    for name in {**before.parts, **after.parts}:
        kinds = [str(one.parts[name]) for one in (before, after) if name in one.parts]
        both = widened(kinds[0], kinds[-1])
        if both is None:
            return None
        parts[name], is_safe = parse_type(both.type), is_safe and both.is_safe
    return Widening(str(HiveType(before.name, parts)), is_safe)
