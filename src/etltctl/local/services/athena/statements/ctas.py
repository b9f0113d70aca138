"""CREATE TABLE AS: a table of the rows of a query, in the catalog when all of its files are written, or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import MalformedQueryError, QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements import iceberg_tables
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.hive_tables import described_table
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.statements.written_rows import (
    ROWS,
    Rows,
    new_columns,
    read_layout,
    read_query,
    register_partitions,
    rows_of,
    urls_of,
)
from etltctl.local.services.athena.written_files import Layout, Written, place_of, require_empty, write_rows

ICEBERG = re.compile(
    r"'table_type'\s*=\s*'iceberg'", re.IGNORECASE
)  # among TBLPROPERTIES, not those of a query
NAME = re.compile(r"[a-z0-9_\-]+")  # of a table in the Data Catalog


def _subtype(sql: str) -> str:
    return "CREATE_TABLE" if ICEBERG.search(sql) else "CREATE_TABLE_AS_SELECT"


@statement("CREATE TABLE", kind="DDL", subtype=_subtype, result="tables/{id}")
def create_table_as(execution: Execution) -> Answer:
    """Make a table of the rows of a query; the answer counts them and lists the URLs of the files."""
    if ICEBERG.search(execution.sql):
        return iceberg_tables.create(execution)
    clauses = QueryClauses(execution.sql)
    clauses.expect("CREATE", "TABLE")
    is_lenient = clauses.accept("IF", "NOT", "EXISTS")
    name = clauses.table(execution.database)
    names = clauses.column_list()
    comment = clauses.text() if clauses.accept("COMMENT") else ""
    properties = clauses.properties() if clauses.accept("WITH") else {}
    if not clauses.accept("AS"):
        # Without AS it is a table that Hive makes, and of these Athena has external ones only.
        raise MalformedQueryError("No location was specified for table. An S3 location must be specified")
    is_empty = clauses.ends_with("WITH", "NO", "DATA")
    clauses.ends_with("WITH", "DATA")
    query = read_query(clauses.rest())
    is_of_iceberg = _is_iceberg(properties)
    # Everything that can be refused without reading a row is refused first.
    layout = Layout() if is_of_iceberg else _layout(properties)
    location = properties.pop("external_location", "") if not is_of_iceberg else ""
    if not is_of_iceberg:
        _refuse_unknown(properties)
    if _exists(execution, name):
        if is_lenient:
            # Athena skips the query, too: the table that is there may have other columns.
            return Answer(ROWS, [])
        raise QueryError(
            "TABLE_ALREADY_EXISTS",
            f"line {name.line}:{name.column}: Table 'awsdatacatalog.{name.database}.{name.name}' already exists",
        )
    # Asked before the query runs, or a caller without the permission would leave files behind.
    execution.lake.catalog.require("CREATE_TABLE", name.database, "")
    if is_of_iceberg:
        return iceberg_tables.create_as(execution, name, names, query, properties, is_empty=is_empty)
    location = _location(execution, location)
    require_empty(location, execution.lake.directory, f"{name.database}.{name.name}")
    target = new_columns(layout.partitioned_by, names, needs_names=not names)
    rows = rows_of(execution, query, target, is_empty=is_empty)
    _require_buckets(layout, rows)
    # The files come before the table: a query never sees a table whose rows are still missing.
    written = write_rows(
        rows.table, rows.kinds, layout, lambda _, folder: f"{location}{folder}", execution.lake.directory
    )
    _create(execution, name, described_table(name.name, location, rows.kinds, layout, comment), written)
    return Answer(ROWS, [], rows.scanned, urls_of(written), rows.table.num_rows)


def _is_iceberg(properties: dict[str, Any]) -> bool:
    kind = str(properties.pop("table_type", "HIVE")).upper()
    if kind not in ("HIVE", "ICEBERG"):
        raise QueryError("INVALID_TABLE_PROPERTY", f"table_type is HIVE or ICEBERG, not '{kind}'")
    return kind == "ICEBERG"


def _layout(properties: dict[str, Any]) -> Layout:
    if properties.pop("is_external", True) is not True:
        raise QueryError("INVALID_TABLE_PROPERTY", "is_external must be true for a Hive table")
    try:
        layout = read_layout(properties, statement="CREATE TABLE AS", default="PARQUET")
    except QueryError as error:
        code = "INVALID_TABLE_PROPERTY" if error.code == "INVALID_PROPERTY" else error.code
        raise QueryError(code, error.message) from error
    # A partition column is in no file, so its rows cannot be divided by it.
    if set(layout.bucketed_by) & set(layout.partitioned_by):
        raise QueryError(
            "INVALID_TABLE_PROPERTY", "a column cannot be in both bucketed_by and partitioned_by"
        )
    return layout


def _refuse_unknown(properties: dict[str, Any]) -> None:
    for name in properties:
        raise QueryError(
            "INVALID_TABLE_PROPERTY",
            f"line 1:1: Catalog 'awsdatacatalog' table property '{name}' does not exist",
        )


def _exists(execution: Execution, name: TableName) -> bool:
    """Return whether the table is there; raise QueryError if it cannot be made."""
    catalog = execution.lake.catalog
    if catalog.get_table(name.database, name.name) is not None:
        return True
    if not NAME.fullmatch(name.name):
        raise QueryError(
            "INVALID_TABLE_NAME",
            f"line {name.line}:{name.column}: '{name.name}' is not a valid name of a table",
        )
    if name.database not in catalog.get_databases():
        raise QueryError(
            "SCHEMA_NOT_FOUND", f"line {name.line}:{name.column}: Schema {name.database} not found"
        )
    return False


def _location(execution: Execution, location: str) -> str:
    """Return the location of a new table, which ends in a slash: that of the properties, or one below the results."""
    described = execution.lake.catalog.get_workgroup(execution.workgroup) or {}
    configuration = described.get("Configuration") or {}
    central = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    # awswrangler and dbt check a workgroup for this, and then leave the property out.
    if location and central and configuration.get("EnforceWorkGroupConfiguration"):
        raise QueryError(
            "INVALID_TABLE_PROPERTY", "The Create Table As Select query failed because it was submitted with an "
            "'external_location' property to an Athena Workgroup that enforces a centralized output location for all "
            "queries. Please remove the 'external_location' property and resubmit the query.",
        )  # fmt: skip
    if not location and not execution.output:
        raise QueryError(
            "INVALID_TABLE_PROPERTY", "external_location is needed where Athena manages query results"
        )
    bucket, prefix = place_of(location or execution.output)
    return f"s3://{bucket}/{prefix}"


def _require_buckets(layout: Layout, rows: Rows) -> None:
    missing = [name for name in layout.bucketed_by if name not in rows.kinds]
    if missing:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Bucketing columns {missing} not present in schema")


def _create(execution: Execution, name: TableName, table: dict[str, Any], written: Sequence[Written]) -> None:
    """Put the table into the catalog with its partitions. If one of these is refused, the table goes, too."""
    catalog = execution.lake.catalog
    catalog.call("AWSGlue.CreateTable", {"DatabaseName": name.database, "TableInput": table})
    if not table["PartitionKeys"]:
        return
    location = table["StorageDescriptor"]["Location"]
    try:
        register_partitions(execution, name, table, [(part, f"{location}{part.folder}") for part in written])
    except (AwsError, OSError):
        catalog.call("AWSGlue.DeleteTable", {"DatabaseName": name.database, "Name": name.name})
        raise
