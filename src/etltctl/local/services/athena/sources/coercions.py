"""Which types of a partition's columns Athena reads as the types of its table's columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.hive import HiveType, parse_type
from etltctl.local.services.athena.dialect import QueryError, TableName

# The rules are those of Trino's Hive connector: integers widen, texts and integers become each other.
INTEGERS = ("tinyint", "smallint", "int", "bigint")
TEXTS = ("string", "varchar", "char")


def refuse_mismatch(name: TableName, table: Mapping[str, Any], partition: Mapping[str, Any]) -> None:
    """Refuse a partition whose columns have types that cannot become those of the table.

    Raises:
        QueryError: HIVE_PARTITION_SCHEMA_MISMATCH.
    """
    theirs = {
        column["Name"].lower(): column["Type"]
        for column in partition["StorageDescriptor"].get("Columns") or []
    }
    for column in table["StorageDescriptor"]["Columns"]:
        # Columns are compared by name. One that the partition lacks is null in its rows.
        kind = theirs.get(column["Name"].lower(), column["Type"])
        if kind == column["Type"] or _becomes(kind, column["Type"]):
            continue
        keys = [key["Name"] for key in table.get("PartitionKeys") or []]
        place = "/".join(f"{key}={value}" for key, value in zip(keys, partition["Values"], strict=False))
        raise QueryError(
            "HIVE_PARTITION_SCHEMA_MISMATCH",
            "There is a mismatch between the table and partition schemas. The types are incompatible and cannot be "
            f"coerced. The column '{column['Name']}' in table '{name.database}.{name.name}' is declared as type "
            f"'{column['Type']}', but partition '{place}' declared column '{column['Name']}' as type '{kind}'.",
        )


def _becomes(there: str, target: str) -> bool:
    try:
        return _coerces(parse_type(there), parse_type(target))
    except ValueError:
        return True  # the reader of the column refuses it by its own error


def _coerces(there: HiveType, target: HiveType) -> bool:
    one, other = (kind.name.partition("(")[0].replace("integer", "int") for kind in (there, target))
    if there.parts or target.parts:
        if one != other:
            return False
        return all(
            _coerces(part, target.parts[name]) for name, part in there.parts.items() if name in target.parts
        )
    if one == other:
        return True
    if one in INTEGERS and other in INTEGERS:
        return INTEGERS.index(one) < INTEGERS.index(other)
    if other in TEXTS:
        return one in TEXTS or one in INTEGERS
    if one in TEXTS:
        return other in INTEGERS
    return (one, other) in (("float", "double"), ("double", "float")) or (
        "decimal" in (one, other) and {one, other} <= {"decimal", "float", "double"}
    )
