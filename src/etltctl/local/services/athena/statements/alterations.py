"""ALTER TABLE: columns, properties and the location of a table; its partitions are those of `partitions`."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NoReturn

from etltctl.hive import is_iceberg
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements import iceberg_alterations, partitions
from etltctl.local.services.athena.statements.hive import NOTHING, failed, is_view, table_of
from etltctl.local.services.athena.statements.partitions import Action, Altered
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

# The first words of the actions, of Hive's tables and of those of Iceberg.
ACTIONS = ("ADD", "CHANGE", "DROP", "PARTITION", "RENAME", "REPLACE", "SET", "UNSET")


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
    if reader.next.word not in ACTIONS:
        raise reader.mismatch(*ACTIONS)
    # The actions of a table of Iceberg differ, so the table decides by which grammar the rest is read.
    table = table_of(execution, name, takes_iceberg=True)
    if is_iceberg(table):
        return iceberg_alterations.alter(execution, name, reader)
    partition = reader.partition() if reader.accept("PARTITION") else {}
    action = _read_action(reader, has_partition=bool(partition))
    if is_view(table):
        raise failed(
            "SemanticException [Error 10131]: To alter a view you need to use the ALTER VIEW command."
        )
    action(Altered(execution, name, table, partition))
    return NOTHING


Columns = list[dict[str, str]]


def _read_action(reader: Reader, *, has_partition: bool) -> Action:
    """Read the action up to the end of the statement, and return what performs it."""
    # Columns come first: `ADD COLUMNS` and `ADD PARTITION` begin with the same word.
    for words in (("ADD", "COLUMNS"), ("REPLACE", "COLUMNS")):
        if reader.accept(*words):
            columns = reader.columns()
            reader.end()
            return partial(_change_columns, columns=columns, is_added=words[0] == "ADD")
    is_renamed = reader.accepts("RENAME", "TO") and not reader.accepts("RENAME", "TO", "PARTITION")
    if is_renamed or reader.accepts("CHANGE"):
        return lambda _: _refuse()
    if reader.accepts("DROP", "COLUMN"):
        reader.take()
        raise reader.mismatch("PARTITION")
    if reader.accept("SET", "LOCATION"):
        location = partitions.location(reader)
        reader.end()
        return partial(_set_location, location=location)
    if not has_partition and reader.accept("SET", "TBLPROPERTIES"):
        properties = reader.properties()
        reader.end()
        return partial(_set_properties, properties=properties)
    return partitions.read_action(reader, has_partition=has_partition)


def _refuse() -> NoReturn:
    """Refuse to rename a table or to change one column: Athena does that for tables of Iceberg only."""
    # Glue cannot rename a table.
    raise failed("Query type not supported by DDL engine.")


# Hive compares names without their case, also with those of the partition columns.
def _distinct(columns: Columns, keys: Columns) -> Columns:
    seen: set[str] = {key["Name"].lower() for key in keys}
    for column in columns:
        if column["Name"] in seen:
            raise failed(f"SemanticException [Error 10036]: Duplicate column name: {column['Name']}")
        seen.add(column["Name"].lower())
    return columns


def _change_columns(altered: Altered, columns: Columns, *, is_added: bool) -> None:
    table = altered.table
    keys = table.get("PartitionKeys") or []

    def change(stored: dict[str, Any]) -> dict[str, Any]:
        return {**stored, "Columns": _distinct([*(stored["Columns"] if is_added else []), *columns], keys)}

    # The partitions keep their own columns: Athena does not cascade a change to them.
    if altered.partition:
        partitions.update(altered, change)
        return
    update(altered, StorageDescriptor=change(table["StorageDescriptor"]))


def _set_location(altered: Altered, location: str) -> None:
    if altered.partition:
        partitions.update(altered, lambda old: {**old, "Location": location})
        return
    update(altered, StorageDescriptor={**altered.table["StorageDescriptor"], "Location": location})


def _set_properties(altered: Altered, properties: dict[str, str]) -> None:
    update(altered, Parameters={**(altered.table.get("Parameters") or {}), **properties})


def update(altered: Altered, **changes: Any) -> None:
    """Write a table with changes to the catalog, and note the time as Hive does."""
    # UpdateTable replaces the whole table. Members that GetTable adds, such as CreateTime, are refused by Glue.
    table = altered.table
    described = {key: table[key] for key in KEPT if table.get(key) is not None} | changes
    noted = {**(described.get("Parameters") or {}), "transient_lastDdlTime": str(int(time.time()))}
    body = {"DatabaseName": altered.name.database, "TableInput": {**described, "Parameters": noted}}
    altered.execution.lake.catalog.call("AWSGlue.UpdateTable", body)
