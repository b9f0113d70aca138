"""INSERT INTO: more files for a table, and a partition in the catalog for each new folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from etltctl.hive import escaped, is_iceberg
from etltctl.local.services.athena.dialect import QueryError, TableName, Target, Type
from etltctl.local.services.athena.dialect.casts import common_type
from etltctl.local.services.athena.dialect.names import Output
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.sources.table import CatalogTable
from etltctl.local.services.athena.statements import iceberg_tables
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.hive_tables import layout_of
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.statements.written_rows import (
    ROWS,
    Rows,
    read_query,
    register_partitions,
    rows_of,
    urls_of,
)
from etltctl.local.services.athena.written_files import write_rows

VIEW = "VIRTUAL_VIEW"


@statement("INSERT INTO", kind="DML", subtype="INSERT", result="{id}")
def insert(execution: Execution) -> Answer:
    """Add the rows of a query to a table; the answer counts them and lists the URLs of the files."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("INSERT", "INTO")
    name = clauses.table(execution.database)
    names = clauses.column_list()
    query = read_query(clauses.rest())
    described = _table(execution, name)
    if is_iceberg(described):
        chosen = _chosen(iceberg_tables.columns_of(execution, name), names, name)
        return iceberg_tables.insert(
            execution, name, chosen, rows_of(execution, query, _columns(chosen, name))
        )
    # New files look like those that are there: the SerDe reads both.
    layout = layout_of(described)
    kinds = CatalogTable(name, described, []).types
    chosen = _chosen(kinds, names, name)
    rows = _with_partition_columns(
        rows_of(execution, query, _columns(chosen, name)), kinds, layout.partitioned_by
    )
    places = _Places(execution, name, described, layout.partitioned_by)
    written = write_rows(rows.table, kinds, layout, places.location, execution.lake.directory)
    new = [
        (part, places.location(part.values, part.folder))
        for part in written
        if part.values not in places.known
    ]
    # A projected table has its partitions by rule. Registered ones would be ignored.
    if layout.partitioned_by and not places.is_projected:
        register_partitions(execution, name, described, new)
    return Answer(ROWS, [], rows.scanned, urls_of(written), rows.table.num_rows)


class _Places:
    """The locations of a table's partitions: those that are registered, and those that an insert adds."""

    def __init__(
        self, execution: Execution, name: TableName, described: Mapping[str, Any], keys: Sequence[str]
    ) -> None:
        parameters = described.get("Parameters") or {}
        self._keys = keys
        self._location = described["StorageDescriptor"]["Location"].rstrip("/")
        self._template = str(parameters.get("storage.location.template") or "")
        self.is_projected = parameters.get("projection.enabled") == "true"
        partitions = execution.lake.catalog.get_partitions(name.database, name.name) if keys else []
        self.known: dict[tuple[str, ...], str] = {
            tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in partitions
        }

    def location(self, values: tuple[str, ...], folder: str) -> str:
        """Return the location of the partition with these values."""
        if self.is_projected and self._template:
            location = self._template
            for key, value in zip(self._keys, values, strict=True):
                location = location.replace(f"${{{key}}}", escaped(value))
            return location
        # A registered partition may lie anywhere, also outside the table's folder.
        known = None if self.is_projected else self.known.get(values)
        return known or f"{self._location}/{folder}"


def _table(execution: Execution, name: TableName) -> dict[str, Any]:
    """Return the table that the caller may insert into."""
    catalog = execution.lake.catalog
    described = catalog.get_table(name.database, name.name)
    if described is None or not execution.lake.shows(name.database, described):
        raise QueryError(
            "TABLE_NOT_FOUND",
            f"line {name.line}:{name.column}: Table 'awsdatacatalog.{name.database}.{name.name}' does not exist",
        )
    if described.get("TableType") == VIEW:
        raise QueryError(
            "NOT_SUPPORTED", f"line {name.line}:{name.column}: Inserting into views is not supported"
        )
    # Asked before the query runs, or a caller without the permission would leave files behind.
    catalog.require("INSERT", name.database, name.name)
    return described


def _chosen(kinds: Mapping[str, Type], names: Sequence[str], table: TableName) -> dict[str, Type]:
    """Return the columns that the rows have values for."""
    place = f"line {table.line}:{table.column}"
    for index, name in enumerate(names):
        if name not in kinds:
            raise QueryError(
                "COLUMN_NOT_FOUND", f"{place}: Insert column name does not exist in target table: {name}"
            )
        if name in names[:index]:
            raise QueryError(
                "DUPLICATE_COLUMN_NAME", f"{place}: Insert column name is specified more than once: {name}"
            )
    return {name: kinds[name] for name in names or kinds}


def _columns(chosen: Mapping[str, Type], table: TableName) -> Target:
    """Return the columns of the table for those of the query, if Trino writes the types of these into it."""

    def columns(outputs: Sequence[Output]) -> Sequence[tuple[str, Type]]:
        mine = [output.type for output in outputs]
        # Trino asks for a common type, not for a lossless one: a value that is too large fails when it is cast.
        fits = len(mine) == len(chosen) and all(map(_fits, mine, chosen.values()))
        if not fits:
            theirs, ours = (", ".join(map(str, kinds)) for kinds in (chosen.values(), mine))
            kinds = f"Table: [{theirs}], Query: [{ours}]"
            message = f"line {table.line}:1: Insert query has mismatched column types: {kinds}"
            raise QueryError("TYPE_MISMATCH", message)
        return list(chosen.items())

    return columns


def _fits(kind: Type, to: Type) -> bool:
    return common_type(kind, to) is not None


def _with_partition_columns(rows: Rows, kinds: Mapping[str, Type], partitioned_by: Sequence[str]) -> Rows:
    """Return the rows with a null for each partition column that the insert leaves out."""
    import pyarrow as pa

    table = rows.table
    for name in partitioned_by:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows))
    return replace(rows, table=table, kinds=kinds)
