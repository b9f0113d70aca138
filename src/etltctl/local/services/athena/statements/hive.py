"""What the statements share that Athena passes on to Hive: their answers, their errors, the things they name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etltctl.hive import current_columns, is_iceberg
from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.registry import Execution, first_words

NOTHING = Answer([], [])
VIEW = "VIRTUAL_VIEW"
# Hive fills a cell of DESCRIBE and SHOW COLUMNS with spaces to this many characters, counted as characters, not bytes.
PADDED = 20


def texts(column: str, values: Sequence[str], kind: str = "string") -> Answer:
    """Return an answer of one column of texts."""
    return Answer([(column, kind, 0, 0)], [[value] for value in values])


def joined(columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "string") -> Answer:
    """Return an answer whose rows hold one text each, which joins the cells by tabs."""
    # GetQueryResults has one datum a row here, although it names several columns: Athena hands on Hive's text.
    return Answer([(column, kind, 0, 0) for column in columns], [["\t".join(row)] for row in rows])


def padded(*cells: str) -> list[str]:
    """Return the cells as Hive pads them. A longer one stays as it is."""
    return [cell.ljust(PADDED) for cell in cells]


def failed(message: str) -> QueryError:
    """Build Hive's error. Athena shows it without an error name."""
    # `FAILED` stands where the error name is elsewhere, so that the reason reads as Hive words it.
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


def table_of(execution: Execution, name: TableName, *, takes_iceberg: bool = False) -> dict[str, Any]:
    """Return a table or a view of which the caller may know.

    Args:
        execution: The statement.
        name: The name.
        takes_iceberg: Whether the statement also has a form for tables of Iceberg.

    Raises:
        QueryError: There is none.
    """
    table = execution.lake.catalog.get_table(name.database, name.name)
    # Lake Formation hides a table from a caller without any permission on it, as if there were none.
    if table is None or not execution.lake.shows(name.database, table):
        raise no_table(name)
    # Iceberg has no partitions in the catalog, and no files that Hive could find.
    if is_iceberg(table) and not takes_iceberg:
        words = " ".join(first_words(execution.sql, 2))
        raise QueryError(
            "NOT_SUPPORTED", f"{words} is not supported for Iceberg tables: {name.database}.{name.name}"
        )
    return table


def is_view(table: dict[str, Any]) -> bool:
    """Return whether the catalog's table is a view."""
    return table.get("TableType") == VIEW


def keys_of(table: dict[str, Any]) -> list[str]:
    """Return the names of the partition columns, in order."""
    return [column["Name"].lower() for column in table.get("PartitionKeys") or []]


def columns_of(execution: Execution, name: TableName, table: dict[str, Any]) -> list[dict[str, str]]:
    """Return the columns of a table that the caller may see, partition columns last."""
    columns = [*current_columns(table), *(table.get("PartitionKeys") or [])]
    seen = execution.lake.columns_of(name.database, table)
    return [column for column in columns if column["Name"].lower() in seen]
