"""ALTER TABLE: columns, properties and the location of a table; its partitions are those of `partitions`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.iceberg import is_iceberg
from etltctl.local.services.athena.statements import iceberg_alterations, partitions
from etltctl.local.services.athena.statements.hive import NOTHING, failed, is_view, table_of
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement

# The members of a table that Glue takes back in UpdateTable.
KEPT = (
    "Name", "Description", "Owner", "LastAccessTime", "LastAnalyzedTime", "Retention", "StorageDescriptor",
    "PartitionKeys", "ViewOriginalText", "ViewExpandedText", "TableType", "Parameters", "TargetTable",
)  # fmt: skip
# The words of an action, in the order in which they are tried, and Athena's SubstatementType.
SUBTYPES = {
    ("ADD", "COLUMNS"): "ALTER_TABLE_ADD_COLUMN",
    ("REPLACE", "COLUMNS"): "ALTER_TABLE_REPLACE_COLUMN",
    ("CHANGE",): "ALTER_TABLE_CHANGE_COLUMN",
    ("DROP", "COLUMN"): "ALTER_TABLE_DROP_COLUMN",
    ("SET", "TBLPROPERTIES"): "ALTER_TABLE_PROPERTIES",
    ("SET", "LOCATION"): "ALTER_TABLE_SET_LOCATION",
    ("ADD",): "ALTER_TABLE_ADD_PARTITION",
    ("DROP",): "ALTER_TABLE_DROP_PARTITION",
    ("RENAME", "TO", "PARTITION"): "",
    ("RENAME",): "ALTER_TABLE_RENAME",
}


def subtype_of(sql: str) -> str:
    """Return the SubstatementType of an ALTER TABLE; empty if it cannot be read."""
    try:
        reader = Reader(sql)
        reader.expect("ALTER", "TABLE")
        reader.table("")
        if reader.accept("PARTITION"):
            reader.partition()
    except QueryError:  # the statement is refused when it is performed; here it only has no subtype
        return ""
    return next((subtype for words, subtype in SUBTYPES.items() if reader.accept(*words)), "")


@statement("ALTER TABLE", kind="DDL", subtype=subtype_of)
def alter_table(execution: Execution) -> Answer:
    """Change a table in the catalog."""
    reader = Reader(execution.sql)
    reader.expect("ALTER", "TABLE")
    if reader.accept("IF"):
        raise reader.no_alternative("ALTER TABLE IF EXISTS")
    name = reader.table(execution.database)
    table = table_of(execution, name, takes_iceberg=True)
    if is_iceberg(table):
        return iceberg_alterations.alter(execution, name, reader)
    partition = reader.partition() if reader.accept("PARTITION") else None
    if is_view(table):
        raise failed(
            "SemanticException [Error 10131]: To alter a view you need to use the ALTER VIEW command."
        )
    # Columns come first: `ADD COLUMNS` and `ADD PARTITION` begin with the same word.
    change = _change(reader)
    if change is not None:
        _change_columns(execution, name, partition, change)
    elif reader.accept("SET", "LOCATION"):
        _set_location(execution, name, table, partition, reader)
    elif partition is None and reader.accept("SET", "TBLPROPERTIES"):
        _set_properties(execution, name, reader)
    else:
        partitions.alter(execution, name, table, partition, reader)
    return NOTHING


Columns = list[dict[str, str]]


def _change(reader: Reader) -> Callable[[Columns, Columns], Columns] | None:
    """Read an action on columns; return what makes the new columns of the old ones and the partition columns."""
    if reader.accept("ADD", "COLUMNS"):
        added = _columns(reader)
        return lambda old, keys: _distinct([*old, *added], keys)
    if reader.accept("REPLACE", "COLUMNS"):
        replaced = _columns(reader)
        return lambda _, keys: _distinct(replaced, keys)
    is_renamed = reader.accepts("RENAME", "TO") and not reader.accepts("RENAME", "TO", "PARTITION")
    if is_renamed or reader.accepts("CHANGE"):
        # Athena has both for tables of Iceberg only. Glue cannot rename a table.
        raise failed("Query type not supported by DDL engine.")
    if reader.accepts("DROP", "COLUMN"):
        reader.take()
        raise reader.mismatch("PARTITION")
    return None


def _columns(reader: Reader) -> Columns:
    columns = reader.columns()
    reader.end()
    return columns


# Hive compares names without their case, also with those of the partition columns.
def _distinct(columns: Columns, keys: Columns) -> Columns:
    seen: set[str] = {key["Name"].lower() for key in keys}
    for column in columns:
        if column["Name"] in seen:
            raise failed(f"SemanticException [Error 10036]: Duplicate column name: {column['Name']}")
        seen.add(column["Name"].lower())
    return columns


def _change_columns(
    execution: Execution,
    name: TableName,
    partition: dict[str, str] | None,
    change: Callable[[Columns, Columns], Columns],
) -> None:
    table = table_of(execution, name)
    keys = table.get("PartitionKeys") or []
    # The partitions keep their own columns: Athena does not cascade a change to them.
    if partition is not None:
        partitions.update(
            execution, name, table, partition, lambda old: {**old, "Columns": change(old["Columns"], keys)}
        )
        return
    stored = table["StorageDescriptor"]
    update(execution, name, table, StorageDescriptor={**stored, "Columns": change(stored["Columns"], keys)})


def _set_location(
    execution: Execution,
    name: TableName,
    table: dict[str, Any],
    partition: dict[str, str] | None,
    reader: Reader,
) -> None:
    location = partitions.location(reader)
    reader.end()
    if partition is not None:
        partitions.update(execution, name, table, partition, lambda old: {**old, "Location": location})
        return
    update(execution, name, table, StorageDescriptor={**table["StorageDescriptor"], "Location": location})


def _set_properties(execution: Execution, name: TableName, reader: Reader) -> None:
    properties = reader.properties()
    reader.end()
    table = table_of(execution, name)
    update(execution, name, table, Parameters={**(table.get("Parameters") or {}), **properties})


def update(execution: Execution, name: TableName, table: dict[str, Any], **changes: Any) -> None:
    """Write a table with changes to the catalog, and note the time as Hive does."""
    # UpdateTable replaces the whole table. Members that GetTable adds, such as CreateTime, are refused by Glue.
    described = {key: table[key] for key in KEPT if table.get(key) is not None} | changes
    noted = {**(described.get("Parameters") or {}), "transient_lastDdlTime": str(int(time.time()))}
    body = {"DatabaseName": name.database, "TableInput": {**described, "Parameters": noted}}
    execution.lake.catalog.call("AWSGlue.UpdateTable", body)
