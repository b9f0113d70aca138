"""The tables that describe the catalog: those of information_schema, and `t$partitions` of each partitioned table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from etltctl.hive import DEFAULT_PARTITION, current_columns, is_iceberg
from etltctl.local.services.athena.dialect import QueryError, TableName, of_hive
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.names import CATALOG, METADATA
from etltctl.local.services.athena.iceberg import require_library
from etltctl.local.services.athena.reads import Reads, Values
from etltctl.local.services.athena.sources.projection import is_projected
from etltctl.local.services.athena.sources.table import CatalogTable
from etltctl.local.services.athena.tables import Lake, no_table
from etltctl.local.services.athena.views import VIEW, definition_of

# Trino's tables that say who may do what, which Athena's users ask Lake Formation.
OTHERS = ("table_privileges", "roles", "applicable_roles", "enabled_roles", "role_authorization_descriptors")
# The columns of each table, with Hive's types.
COLUMNS = {
    "schemata": ("catalog_name", "schema_name"),
    "tables": ("table_catalog", "table_schema", "table_name", "table_type"),
    "views": ("table_catalog", "table_schema", "table_name", "view_definition"),
    "columns": (
        "table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "column_default",
        "is_nullable", "data_type", "comment", "extra_info",
    ),
}  # fmt: skip
NUMBERS = ("ordinal_position",)
ICEBERG = ("snapshots", "history", "files", "manifests", "partitions", "refs")  # of `"t$snapshots"` and so on
Row = tuple[str | int | None, ...]
Column = tuple[str, str, str | None, str | None]  # its name, Trino's type, its comment, its kind


def is_metadata(name: TableName) -> bool:
    """Return whether a name may mean a table that describes the catalog."""
    return name.database == METADATA or "$" in name.name


def metadata_table(name: TableName, lake: Lake, reads: Reads) -> CatalogTable:
    """Return a table that describes the catalog, with its rows.

    Args:
        name: The name.
        lake: The catalog, and what its caller may see of it.
        reads: What the query reads. A condition on a schema or a table saves listing the others.

    Raises:
        QueryError: There is no such table, or the embedded Athena lacks it.
    """
    if name.database != METADATA:
        return _partitions(name, lake)
    if name.name in OTHERS:
        raise unsupported(f"information_schema.{name.name}")
    if name.name not in COLUMNS:
        raise no_table(name)
    columns = [
        {"Name": column, "Type": "bigint" if column in NUMBERS else "string"} for column in COLUMNS[name.name]
    ]
    return _table(name, columns, list(ROWS[name.name](lake, reads.values_of(name.name))))


def _table(name: TableName, columns: list[dict[str, str]], rows: list[Row]) -> CatalogTable:
    described = {"Name": name.name, "StorageDescriptor": {"Columns": columns, "Location": ""}}
    return CatalogTable(name, described, [], rows=rows)


def _partitions(name: TableName, lake: Lake) -> CatalogTable:
    base, _, kind = name.name.rpartition("$")
    of = TableName(name.database, base, name.line, name.column)
    table = lake.catalog.get_table(of.database, of.name)
    if table is not None and is_iceberg(table):
        return _iceberg(name, of, table, lake)
    if table is None or kind not in ("partitions", "properties"):  # the others are those of tables of Iceberg
        raise no_table(name)
    if kind == "properties":
        raise unsupported(f'the table "{name.name}" of Athena\'s metadata')
    keys = table.get("PartitionKeys") or []
    if not keys:
        raise no_table(name)
    # Nothing in the catalog says which partitions a projection has.
    if is_projected(table.get("Parameters") or {}):
        raise unsupported("$partitions of a table whose partitions are projected")
    lake.parts_of(CatalogTable(of, table, []))  # refuses a caller who may not read the table
    registered = lake.catalog.get_partitions(of.database, of.name)
    rows = [
        tuple(None if value == DEFAULT_PARTITION else value for value in one["Values"]) for one in registered
    ]
    return _table(name, keys, list(rows))


def _iceberg(name: TableName, of: TableName, table: dict[str, Any], lake: Lake) -> CatalogTable:
    """Return a table that describes one of Iceberg."""
    if name.name.rpartition("$")[2] not in ICEBERG:
        raise no_table(name)
    require_library()
    if lake.parts_of(CatalogTable(of, table, [])) is not None:
        # Bounds and paths of files would show values that a filter hides.
        raise unsupported(f'"{name.name}" for a caller with row or column filters of Lake Formation')
    from etltctl.local.services.athena.iceberg.metadata_tables import metadata_table

    return metadata_table(name, of, lake.catalog, lake.directory)


def _schemas(lake: Lake, values: Values, column: str) -> list[str]:
    # Trino lists this schema among the others.
    names = sorted({*lake.databases(), METADATA})
    chosen = values.get(column)
    return [name for name in names if chosen is None or name in chosen]


def _schemata(lake: Lake, values: Values) -> Iterator[Row]:
    for schema in _schemas(lake, values, "schema_name"):
        yield CATALOG, schema


def _catalog_tables(lake: Lake, values: Values) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tables and views that the caller may know of, with their databases, in the order of their names."""
    chosen = values.get("table_name")
    for schema in _schemas(lake, values, "table_schema"):
        for table in sorted(lake.catalog.get_tables(schema), key=lambda one: str(one["Name"])):
            if (chosen is None or table["Name"] in chosen) and lake.shows(schema, table):
                yield schema, table


def _tables(lake: Lake, values: Values) -> Iterator[Row]:
    for schema, table in _catalog_tables(lake, values):
        yield CATALOG, schema, table["Name"], "VIEW" if table.get("TableType") == VIEW else "BASE TABLE"
    if METADATA in _schemas(lake, values, "table_schema"):
        for name in COLUMNS:
            yield CATALOG, METADATA, name, "BASE TABLE"


def _views(lake: Lake, values: Values) -> Iterator[Row]:
    for schema, table in _catalog_tables(lake, values):
        if table.get("TableType") == VIEW:
            yield CATALOG, schema, table["Name"], definition_of(table)["originalSql"]


def _columns(lake: Lake, values: Values) -> Iterator[Row]:
    for schema, table in _catalog_tables(lake, values):
        columns = (
            _view_columns(table) if table.get("TableType") == VIEW else _table_columns(lake, schema, table)
        )
        for number, (column, kind, comment, extra) in enumerate(columns, 1):
            yield CATALOG, schema, table["Name"], column, number, None, "YES", kind, comment, extra


def _view_columns(view: Mapping[str, Any]) -> list[Column]:
    return [(column["name"], column["type"], None, None) for column in definition_of(view)["columns"]]


def _table_columns(lake: Lake, schema: str, table: dict[str, Any]) -> list[Column]:
    """Return the columns that the caller may see."""
    seen = lake.columns_of(schema, table)
    plain = [(column, None) for column in current_columns(table)]
    keys = [(column, "partition key") for column in table.get("PartitionKeys") or []]
    return [
        (
            column["Name"].lower(),
            _type_of(column, is_of_iceberg=is_iceberg(table)),
            column.get("Comment"),
            extra,
        )
        for column, extra in [*plain, *keys]
        if column["Name"].lower() in seen
    ]


def _type_of(column: Mapping[str, str], *, is_of_iceberg: bool) -> str:
    try:
        text = str(of_hive(column["Type"]))
        # Iceberg keeps microseconds, and the catalog has one word for both.
        return text.replace("timestamp(3)", "timestamp(6)") if is_of_iceberg else text
    except (ValueError, QueryError):
        return column["Type"]  # a type that no query can read is shown as it stands


ROWS: Mapping[str, Callable[[Lake, Values], Iterator[Row]]] = {
    "schemata": _schemata, "tables": _tables, "views": _views, "columns": _columns,
}  # fmt: skip
