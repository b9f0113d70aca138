"""ALTER TABLE for a table of Iceberg: its columns, its properties and its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.iceberg import require_library
from etltctl.local.services.athena.statements.hive import NOTHING, failed
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution

if TYPE_CHECKING:
    from pyiceberg.table import Table


def alter(execution: Execution, name: TableName, reader: Reader) -> Answer:
    """Change a table of Iceberg.

    Args:
        execution: The statement.
        name: The name of the table.
        reader: The statement, read up to the words of the change.

    Raises:
        QueryError: Athena lacks the change, or another commit came first.
    """
    require_library()
    from pyiceberg.exceptions import ValidationError

    from etltctl.local.services.athena.iceberg.catalog import LakeCatalog, committing, load

    lake = execution.lake
    table = load(name, lake.catalog, lake.directory)
    with committing(name):
        try:
            if reader.accept("RENAME", "TO"):
                new = reader.table(name.database)
                reader.end()
                _require_absent(execution, new)
                LakeCatalog(lake.catalog, lake.directory).rename_table(
                    (name.database, name.name), (new.database, new.name)
                )
            else:
                _change(table, reader)
        # The library says so of a column that is there already, one that is not, or a type that cannot be widened.
        except (ValueError, ValidationError) as error:
            raise failed(f"{name.database}.{name.name} cannot be altered: {error}") from error
    return NOTHING


def _change(table: Table, reader: Reader) -> None:
    if reader.accept("ADD", "COLUMNS"):
        _add(table, reader)
    elif reader.accept("DROP", "COLUMN"):
        column = reader.name()
        reader.end()
        _require_unpartitioned(table, column)
        with table.update_schema() as update:
            update.delete_column(_path(table, column))
    elif reader.accept("CHANGE"):
        reader.accept("COLUMN")
        _change_column(table, reader)
    elif reader.accept("SET", "TBLPROPERTIES"):
        _set(table, reader)
    elif reader.accept("UNSET", "TBLPROPERTIES"):
        _unset(table, reader)
    else:
        # REPLACE COLUMNS, ADD PARTITION, SET LOCATION and others are Hive's alone.
        raise QueryError(
            "NOT_SUPPORTED", f"ALTER TABLE {reader.next.text.upper()} is not supported for Iceberg tables"
        )


def _add(table: Table, reader: Reader) -> None:
    from etltctl.local.services.athena.iceberg.types import of_hive

    columns = reader.columns()
    reader.end()
    with table.update_schema() as update:
        for column in columns:
            update.add_column(column["Name"], of_hive(column["Type"]), doc=column.get("Comment"))


def _change_column(table: Table, reader: Reader) -> None:
    """Read and make `old new type [COMMENT text] [FIRST | AFTER column]`."""
    from pyiceberg.types import PrimitiveType

    from etltctl.local.services.athena.iceberg.types import of_hive

    old, new, kind = reader.name(), reader.name(), of_hive(reader.type())
    comment = reader.text() if reader.accept("COMMENT") else None
    is_first = reader.accept("FIRST")
    after = reader.name() if not is_first and reader.accept("AFTER") else ""
    reader.end()
    path = _path(table, old)
    with table.update_schema() as update:
        # A nested column has ids inside, which the statement cannot name: its type stays.
        if isinstance(kind, PrimitiveType) and table.schema().find_type(path) != kind:
            update.update_column(path, field_type=kind)
        if comment is not None:
            update.update_column(path, doc=comment)
        if is_first:
            update.move_first(path)
        elif after:
            update.move_after(path, _path(table, after))
        if new != old:
            update.rename_column(path, new)


def _set(table: Table, reader: Reader) -> None:
    from etltctl.local.services.athena.iceberg.properties import kept

    properties = reader.properties()
    reader.end()
    with table.transaction() as transaction:
        transaction.set_properties(kept(properties))


def _unset(table: Table, reader: Reader) -> None:
    from etltctl.local.services.athena.iceberg.properties import CODEC, TARGET_SIZE

    names = []
    reader.expect("(")
    while True:
        names.append(reader.text())
        if not reader.accept(","):
            reader.expect(")")
            break
    reader.end()
    own = {"write_compression": CODEC, "write_target_data_file_size_bytes": TARGET_SIZE}
    gone = {*names, *(own[name] for name in names if name in own)}
    with table.transaction() as transaction:
        transaction.remove_properties(*(gone & set(table.properties)))


def _path(table: Table, column: str) -> str:
    """Return a column's name as the table writes it."""
    for field in table.schema().fields:
        if field.name.lower() == column:
            return str(field.name)
    raise failed(f"SemanticException Column '{column}' does not exist")


def _require_unpartitioned(table: Table, column: str) -> None:
    fields: list[Any] = list(table.spec().fields)
    if any(table.schema().find_column_name(field.source_id) == column for field in fields):
        raise failed(f"SemanticException Cannot drop partition field: {column}")


def _require_absent(execution: Execution, name: TableName) -> None:
    if execution.lake.catalog.get_table(name.database, name.name) is not None:
        raise failed(f"AlreadyExistsException(message:Table {name.name} already exist)")
