"""DESCRIBE, SHOW CREATE TABLE and SHOW TBLPROPERTIES for a table of Iceberg."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from etltctl.local.services.athena.dialect import TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.iceberg import require_library
from etltctl.local.services.athena.statements.hive import joined, texts
from etltctl.local.services.athena.statements.registry import Execution

if TYPE_CHECKING:
    from pyiceberg.partitioning import PartitionField
    from pyiceberg.table import Table

COLUMNS = ("col_name", "data_type", "comment")


def describe(execution: Execution, name: TableName, seen: Collection[str]) -> Answer:
    """Return the columns of a table and its partition fields.

    Args:
        execution: The statement.
        name: The name of the table.
        seen: The columns that the caller may see.
    """
    table = _table(execution, name)
    rows = [["# Table schema:", "", ""], ["# col_name", "data_type", "comment"]]
    rows += [row for row in _columns(table) if row[0] in seen]
    if table.spec().fields:
        rows += [
            ["", "", ""],
            ["# Partition spec:", "", ""],
            ["# field_name", "field_transform", "column_name"],
        ]
        rows += [[field.name, str(field.transform), _source(table, field)] for field in table.spec().fields]
    return joined(COLUMNS, rows)


def show_create(execution: Execution, name: TableName, written: str) -> Answer:
    """Return the statement that creates the table, one row a line.

    Args:
        execution: The statement.
        name: The name of the table.
        written: The name as the statement has it.
    """
    from etltctl.local.services.athena.iceberg.properties import shown

    table = _table(execution, name)
    lines = [f"CREATE TABLE {written} (", *_listed([_declared(*row) for row in _columns(table)])]
    if comment := table.properties.get("comment"):
        lines.append(f"COMMENT {_quoted(comment)}")
    if table.spec().fields:
        lines.append(
            f"PARTITIONED BY ({', '.join(_transform(table, field) for field in table.spec().fields)})"
        )
    lines.append(f"LOCATION {_quoted(table.location())}")
    properties = [f"  {_quoted(key)}={_quoted(value)}" for key, value in shown(table.properties).items()]
    return texts("createtab_stmt", [*lines, "TBLPROPERTIES (", *_listed(properties)])


def properties_of(execution: Execution, name: TableName) -> dict[str, str]:
    """Return the properties that Athena shows of a table."""
    table = _table(execution, name)
    from etltctl.local.services.athena.iceberg.properties import shown

    return shown(table.properties)


def _table(execution: Execution, name: TableName) -> Table:
    require_library()
    from etltctl.local.services.athena.iceberg.catalog import load

    return load(name, execution.lake.catalog, execution.lake.directory)


def _columns(table: Table) -> list[list[str]]:
    from etltctl.local.services.athena.iceberg.types import hive_text

    return [
        [field.name.lower(), hive_text(field.field_type), field.doc or ""] for field in table.schema().fields
    ]


def _declared(column: str, kind: str, comment: str) -> str:
    return f"  {column} {kind}{f' COMMENT {_quoted(comment)}' if comment else ''}"


def _source(table: Table, field: PartitionField) -> str:
    return str(table.schema().find_column_name(field.source_id))


def _transform(table: Table, field: PartitionField) -> str:
    """Return a partition field as CREATE TABLE writes it: `bucket(16, id)`."""
    word, _, size = str(field.transform).rstrip("]").partition("[")
    column = _source(table, field)
    if word == "identity":
        return column
    return f"{word}({size}, {column})" if size else f"{word}({column})"


def _listed(lines: list[str]) -> list[str]:
    return [*(f"{line}," for line in lines[:-1]), f"{lines[-1]})"]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
