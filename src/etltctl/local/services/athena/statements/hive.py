"""What the statements share that Athena passes on to Hive: their answers, their errors, the things they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.information_schema import visible_columns
from etltctl.local.services.athena.statements.registry import Execution

NOTHING = Answer([], [])
VIEW = "VIRTUAL_VIEW"
PADDED = 20  # characters, at least, of a cell


def texts(column: str, values: Sequence[str], kind: str = "string") -> Answer:
    """Return an answer of one column of texts."""
    return Answer([(column, kind, 0, 0)], [[value] for value in values])


def joined(columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "string") -> Answer:
    """Return an answer whose rows hold one text each, which joins the cells by tabs. Hive answers so."""
    return Answer([(column, kind, 0, 0) for column in columns], [["\t".join(row)] for row in rows])


def padded(*cells: str) -> list[str]:
    """Return the cells as Hive pads them. A longer one stays as it is."""
    return [cell.ljust(PADDED) for cell in cells]


def failed(message: str) -> QueryError:
    """Build an error of Hive's. Athena shows it without an error name."""
    return QueryError("FAILED", message)


def no_database(name: str) -> QueryError:
    """Build the error of a database that does not exist."""
    return failed(f"SemanticException [Error 10072]: Database does not exist: {name}")


def no_table(name: TableName) -> QueryError:
    """Build the error of a table that does not exist."""
    return failed(f"SemanticException [Error 10001]: Table not found {name.database}.{name.name}")


def database_of(execution: Execution, name: str) -> dict[str, Any] | None:
    """Return a database as the catalog describes it, or None."""
    return execution.lake.catalog.get_database(name)


def table_of(execution: Execution, name: TableName) -> dict[str, Any]:
    """Return a table or a view of which the caller may know.

    Raises:
        QueryError: There is none.
    """
    table = execution.lake.catalog.get_table(name.database, name.name)
    if table is None or not execution.lake.shows(name.database, table):
        raise no_table(name)
    return table


def is_view(table: dict[str, Any]) -> bool:
    """Return whether the catalog's table is a view."""
    return table.get("TableType") == VIEW


def keys_of(table: dict[str, Any]) -> list[str]:
    """Return the names of the partition columns, in order."""
    return [column["Name"].lower() for column in table.get("PartitionKeys") or []]


def columns_of(execution: Execution, name: TableName, table: dict[str, Any]) -> list[dict[str, str]]:
    """Return the columns of a table that the caller may see, partition columns last."""
    columns = [*table["StorageDescriptor"]["Columns"], *(table.get("PartitionKeys") or [])]
    seen = visible_columns(execution.lake, name, table)
    return [column for column in columns if column["Name"].lower() in seen]
