"""SHOW TABLES, VIEWS, COLUMNS and TBLPROPERTIES. Each row is one text, as Hive answers."""

from __future__ import annotations

import re
from typing import Any

from etltctl.hive import is_iceberg
from etltctl.local.services.athena.dialect import TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements import iceberg_definitions
from etltctl.local.services.athena.statements.definitions import described_view
from etltctl.local.services.athena.statements.hive import (
    columns_of,
    database_of,
    is_view,
    joined,
    no_database,
    padded,
    table_of,
    texts,
)
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement


@statement("SHOW TABLES", kind="UTILITY", subtype="SHOW_TABLES")
def show_tables(execution: Execution) -> Answer:
    """List the tables and the views of a database, in the order of their names."""
    return texts("tab_name", [table["Name"] for table in _listed(execution, "TABLES")])


@statement("SHOW VIEWS", kind="UTILITY", subtype="SHOW_VIEWS")
def show_views(execution: Execution) -> Answer:
    """List the views of a database, in the order of their names."""
    views = [table["Name"] for table in _listed(execution, "VIEWS") if is_view(table)]
    return texts("views", views, "varchar")


def _listed(execution: Execution, word: str) -> list[dict[str, Any]]:
    """Return the tables that `SHOW … [IN database] [[LIKE] 'pattern']` means and the caller may know of."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", word)
    database = execution.database.lower()
    if reader.accept("IN") or reader.accept("FROM"):
        database = reader.name()
        if reader.accept("."):  # a catalog stood before it
            database = reader.name()
    is_like = reader.accept("LIKE")
    pattern = reader.text() if is_like or reader.next.kind == "text" else "*"
    reader.end()
    if database_of(execution, database) is None:
        raise no_database(database)
    # `*` and `.*` stand for any characters, and `|` for a choice. SHOW DATABASES has a regular expression instead.
    expression = re.compile(re.sub(r"(?<!\.)\*", ".*", pattern), re.IGNORECASE)
    tables = [
        table
        for table in execution.lake.catalog.get_tables(database)
        if expression.fullmatch(table["Name"]) and execution.lake.shows(database, table)
    ]
    return sorted(tables, key=lambda table: str(table["Name"]))


@statement("SHOW COLUMNS", kind="UTILITY", subtype="SHOW_COLUMNS")
def show_columns(execution: Execution) -> Answer:
    """List the columns of a table or a view."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", "COLUMNS")
    if not (reader.accept("IN") or reader.accept("FROM")):
        raise reader.mismatch("FROM", "IN")
    name = reader.table(execution.database)
    if reader.accept("IN") or reader.accept("FROM"):
        name = TableName(reader.name(), name.name)
    reader.end()
    # For a view Athena answers in Trino's form, the same for SHOW COLUMNS and DESCRIBE.
    table = table_of(execution, name, takes_iceberg=True)
    if is_view(table):
        return described_view(table)
    names = [column["Name"] for column in columns_of(execution, name, table)]
    return texts("field", [padded(column)[0] for column in names])


@statement("SHOW TBLPROPERTIES", kind="UTILITY", subtype="SHOW_TABLE_PROPERTIES")
def show_properties(execution: Execution) -> Answer:
    """List the properties of a table, or the value of one."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", "TBLPROPERTIES")
    name = reader.table(execution.database)
    key = None
    if reader.accept("("):
        key = reader.text()
        reader.expect(")")
    reader.end()
    table = table_of(execution, name, takes_iceberg=True)
    properties: dict[str, str] = table.get("Parameters") or {}
    if is_iceberg(table):
        properties = iceberg_definitions.properties_of(execution, name)
    if key is None:
        rows = [f"{name}\t{value}" for name, value in properties.items()]
    elif key in properties:
        rows = [properties[key]]
    else:
        rows = [f"Table {name.database}.{name.name} does not have property: {key}"]
    # A newline in a value makes two rows, because Athena cuts Hive's text at every one.
    lines = [line for row in rows for line in row.split("\n")]
    return joined(("prpt_name", "prpt_value"), [[line] for line in lines])
