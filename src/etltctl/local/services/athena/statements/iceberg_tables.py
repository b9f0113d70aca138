"""Tables of Iceberg: CREATE TABLE, CREATE TABLE AS, INSERT INTO and DROP TABLE.

The statements' own modules read the beginning of a statement, and hand a table of Iceberg to the functions here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from etltctl.hive import is_iceberg
from etltctl.local.services.athena.dialect import QueryError, TableName, Type
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.iceberg import require_library
from etltctl.local.services.athena.statements.databases import DDL_TASK
from etltctl.local.services.athena.statements.hive import NOTHING, database_of, failed, no_database
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution
from etltctl.local.services.athena.statements.written_rows import ROWS, Rows, new_columns, rows_of
from etltctl.local.services.athena.tables import no_table
from etltctl.local.services.athena.written_files import place_of

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from sqlglot import exp


def iceberg_table_of(
    execution: Execution, name: TableName, refusal: str, *permissions: str
) -> tuple[Mapping[str, Any], Table]:
    """Return a table of Iceberg that the caller may change, as the catalog describes it and as its metadata does.

    Args:
        execution: The statement.
        name: The name in the statement.
        refusal: What Athena says of a table of another format.
        permissions: What the caller must hold on the table.

    Raises:
        QueryError: TABLE_NOT_FOUND if the caller may not know of such a table, NOT_SUPPORTED for another format.
        AwsError: A permission is missing.
    """
    lake = execution.lake
    described = lake.catalog.get_table(name.database, name.name)
    if described is None or not lake.shows(name.database, described):
        raise no_table(name)
    if not is_iceberg(described):
        raise QueryError("NOT_SUPPORTED", refusal)
    require_library()
    for permission in permissions:
        lake.catalog.require(permission, name.database, name.name)
    from etltctl.local.services.athena.iceberg.catalog import load

    return described, load(name, lake.catalog, lake.directory)


def create(execution: Execution) -> Answer:
    """Create an empty table, by a CREATE TABLE whose properties say that it is one of Iceberg."""
    require_library()
    from etltctl.local.services.athena.iceberg.partitioning import spec_of
    from etltctl.local.services.athena.iceberg.properties import kept
    from etltctl.local.services.athena.iceberg.types import of_hive, schema_of

    reader = Reader(execution.sql)
    reader.expect("CREATE", "TABLE")
    is_lenient = reader.accept("IF", "NOT", "EXISTS")
    name = reader.table(execution.database)
    columns, partitions, comment, location, properties = _clauses(reader)
    _require_distinct(columns)
    schema = schema_of({one["Name"]: (of_hive(one["Type"]), one.get("Comment")) for one in columns})
    spec = spec_of(partitions, schema)
    properties = kept({key: value for key, value in properties.items() if key != "table_type"})
    if comment:
        properties["comment"] = comment
    if database_of(execution, name.database) is None:
        raise no_database(name.database)
    if execution.lake.catalog.get_table(name.database, name.name) is not None:
        if is_lenient:
            return NOTHING
        raise failed(f"{DDL_TASK} AlreadyExistsException(message:Table {name.name} already exist)")
    _catalog(execution).create_table(
        (name.database, name.name), schema, location, partition_spec=spec, properties=properties
    )
    return NOTHING


def _clauses(reader: Reader) -> tuple[list[dict[str, str]], list[str], str, str, dict[str, str]]:
    """Read the rest of a CREATE TABLE: columns, partitions, comment, location and properties."""
    if reader.next.text != "(":
        raise reader.mismatch("(")
    columns, partitions = reader.columns(), list[str]()
    comment = reader.text() if reader.accept("COMMENT") else ""
    if reader.accept("PARTITIONED", "BY"):
        partitions = _transforms(reader)
    if not reader.accept("LOCATION"):
        raise QueryError(
            "SYNTAX_ERROR", "No location was specified for table. An S3 location must be specified"
        )
    location = reader.text()
    bucket, prefix = place_of(location)
    reader.expect("TBLPROPERTIES")
    properties = reader.properties()
    reader.end()
    return columns, partitions, comment, f"s3://{bucket}/{prefix}".rstrip("/"), properties


def _transforms(reader: Reader) -> list[str]:
    """Read `(column, day(column), bucket(16, column), …)`."""
    texts = [""]
    reader.expect("(")
    depth = 1
    while depth:
        token = reader.take()
        if token.kind == "end":
            raise reader.mismatch(")")
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 1:
            texts.append("")
        elif depth:
            texts[-1] += token.text.strip("`")
    return texts


def _require_distinct(columns: Sequence[Mapping[str, str]]) -> None:
    names = [column["Name"] for column in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise failed(f"SemanticException [Error 10036]: Duplicate column name: {twice}")


def create_as(
    execution: Execution,
    name: TableName,
    names: Sequence[str],
    query: exp.Expr,
    properties: dict[str, Any],
    *,
    is_empty: bool,
) -> Answer:
    """Create a table of the rows of a query. The table and its first rows appear in one commit.

    Args:
        execution: The statement.
        name: The name of the table, which does not exist.
        names: The names of its columns; empty for those of the query.
        query: The query.
        properties: The properties of the statement, without `table_type`.
        is_empty: Whether the table gets no rows.
    """
    require_library()
    from etltctl.local.services.athena.iceberg.partitioning import spec_of
    from etltctl.local.services.athena.iceberg.properties import kept
    from etltctl.local.services.athena.iceberg.types import kept_type, schema_of_rows

    location, partitioning = _place(properties), properties.pop("partitioning", ())
    if not isinstance(partitioning, tuple):
        raise QueryError("INVALID_TABLE_PROPERTY", "partitioning takes ARRAY['column', …]")
    own = kept({key: str(value).lower() for key, value in properties.items()})
    if execution.lake.directory.list_objects(*place_of(location)):
        raise QueryError(
            "ICEBERG_FILESYSTEM_ERROR", f"Cannot create a table on a non-empty location: {location}"
        )
    target = new_columns((), names, needs_names=not names, kept=kept_type)
    rows = rows_of(execution, query, target, is_empty=is_empty)
    schema = schema_of_rows(dict(rows.kinds))
    arguments = {"partition_spec": spec_of(partitioning, schema), "properties": own}
    files = _create_with(execution, name, schema, location.rstrip("/"), rows, arguments)
    return Answer(ROWS, [], rows.scanned, tuple(files), rows.table.num_rows)


def _place(properties: dict[str, Any]) -> str:
    """Take the location out of the properties of a CREATE TABLE AS."""
    if properties.pop("is_external", True) is not False:
        raise QueryError("INVALID_TABLE_PROPERTY", "is_external must be false for an Iceberg table")
    if "external_location" in properties:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", "external_location is not a property of an Iceberg table: use location"
        )
    if not properties.get("location"):
        raise QueryError("INVALID_TABLE_PROPERTY", "location is needed for an Iceberg table")
    bucket, prefix = place_of(str(properties.pop("location")))
    return f"s3://{bucket}/{prefix}"


def _create_with(
    execution: Execution,
    name: TableName,
    schema: Schema,
    location: str,
    rows: Rows,
    arguments: Mapping[str, Any],
) -> list[str]:
    """Create the table with its rows and return the locations of its files."""
    from etltctl.local.services.athena.iceberg.writing import as_kept, create_with

    transaction = _catalog(execution).create_table_transaction(
        (name.database, name.name), schema, location, **arguments
    )
    kept_rows = as_kept(rows.table, rows.kinds, transaction.table_metadata.schema())
    return create_with(transaction, name, kept_rows)


def insert(execution: Execution, name: TableName, kinds: Mapping[str, Type], rows: Rows) -> Answer:
    """Add the rows of a query to a table.

    Args:
        execution: The statement.
        name: The name of the table.
        kinds: The columns that the rows have.
        rows: The rows.
    """
    from etltctl.local.services.athena.iceberg.catalog import load
    from etltctl.local.services.athena.iceberg.writing import append, as_kept, write

    table = load(name, execution.lake.catalog, execution.lake.directory)
    files = write(table.io, table.metadata, as_kept(rows.table, kinds, table.schema()))
    # A commit without files would be one more snapshot of the same rows.
    if files:
        append(table, name, files)
    return Answer(ROWS, [], rows.scanned, tuple(file.file_path for file in files), rows.table.num_rows)


def columns_of(execution: Execution, name: TableName) -> dict[str, Type]:
    """Return the columns of a table and their types."""
    require_library()
    from etltctl.local.services.athena.iceberg.catalog import load
    from etltctl.local.services.athena.iceberg.types import trino_type

    table = load(name, execution.lake.catalog, execution.lake.directory)
    return {field.name.lower(): trino_type(field.field_type) for field in table.schema().fields}


def drop(execution: Execution, name: TableName) -> Answer:
    """Drop a table and delete its files."""
    require_library()
    from etltctl.local.services.athena.iceberg.catalog import load
    from etltctl.local.services.athena.iceberg.upkeep import delete_files, files_of

    table = load(name, execution.lake.catalog, execution.lake.directory)
    files = files_of(table)
    # The catalog first: a table without its files is worse than files without a table.
    execution.lake.catalog.call("AWSGlue.DeleteTable", {"DatabaseName": name.database, "Name": name.name})
    delete_files(table, files)
    return NOTHING


def _catalog(execution: Execution) -> Any:
    from etltctl.local.services.athena.iceberg.catalog import LakeCatalog

    return LakeCatalog(execution.lake.catalog, execution.lake.directory)
