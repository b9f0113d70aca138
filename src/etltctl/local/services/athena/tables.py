"""The catalog's tables, the files behind them, and what a caller may see of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from etltctl.hive import current_columns, is_iceberg
from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.iceberg import MARK, require_library
from etltctl.local.services.athena.sources.coercions import refuse_mismatch
from etltctl.local.services.athena.sources.projection import Projection, is_projected
from etltctl.local.services.athena.sources.table import CatalogTable, DataFile, Part
from etltctl.local.services.s3.directory import S3Directory


class Catalog(Protocol):
    """What Athena reads of the Data Catalog and of its workgroups."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the table in Glue's own shape, or None."""

    def get_tables(self, database: str) -> list[dict[str, Any]]:
        """Return every table of the database."""

    def get_database(self, name: str) -> dict[str, Any] | None:
        """Return the database in Glue's own shape, or None."""

    def get_databases(self) -> list[str]:
        """Return the names of the databases."""

    def get_partitions(self, database: str, table: str) -> list[dict[str, Any]]:
        """Return the registered partitions."""

    def get_workgroup(self, name: str) -> dict[str, Any] | None:
        """Return the workgroup in Athena's own shape, or None."""

    def require(self, permission: str, database: str, table: str) -> None:
        """Raise AwsError unless the caller holds the permission on the table."""

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform any operation of the Data Catalog."""


class Guard(Protocol):
    """What is asked before a table is read."""

    def parts_of(self, caller: str, database: str, table: Mapping[str, Any]) -> Sequence[Part] | None:
        """Return what the caller sees of the table; None for all of it. Raises AwsError if it sees nothing."""

    def columns_of(self, caller: str, database: str, table: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the columns that the caller may know of; None for all."""

    def may_describe(self, caller: str, database: str, table: Mapping[str, Any]) -> bool:
        """Return whether the caller may know that the table exists."""

    def may_describe_database(self, caller: str, database: str) -> bool:
        """Return whether the caller may know that the database exists."""


@dataclass(frozen=True)
class Lake:
    """What a query can reach: the catalog, the files, and who is asked on whose behalf."""

    catalog: Catalog
    directory: S3Directory
    guard: Guard | None = None
    caller: str = ""

    def parts_of(self, table: CatalogTable) -> Sequence[Part] | None:
        """Return what the caller sees of the table; None for all of it."""
        if self.guard is None:
            return None
        return self.guard.parts_of(self.caller, table.name.database, table.described)

    def columns_of(self, database: str, described: Mapping[str, Any]) -> frozenset[str]:
        """Return the names of the table's columns that the caller may know of."""
        columns = [*current_columns(described), *(described.get("PartitionKeys") or [])]
        names = frozenset(column["Name"].lower() for column in columns)
        if self.guard is None:
            return names
        known = self.guard.columns_of(self.caller, database, described)
        return names if known is None else names & known

    def shows(self, database: str, described: Mapping[str, Any]) -> bool:
        """Return whether the caller may know of the table."""
        return self.guard is None or self.guard.may_describe(self.caller, database, described)

    def databases(self) -> list[str]:
        """Return the names of the databases that the caller may know of, sorted."""
        # Glue lists them in the order of creation, Athena by name.
        names = sorted(self.catalog.get_databases())
        if self.guard is None:
            return names
        return [name for name in names if self.guard.may_describe_database(self.caller, name)]


def find_table(
    name: TableName,
    catalog: Catalog,
    directory: S3Directory,
    named: Mapping[str, Collection[str]] | None = None,
) -> CatalogTable:
    """Return the table and its files.

    Args:
        name: The name.
        catalog: The catalog.
        directory: The files.
        named: The values that the query's conditions name, by column.

    Raises:
        QueryError: in Athena's words, if the catalog has no such table, or it cannot be read.
    """
    # A query of the past has the version behind the name.
    base = name.name.removesuffix(f"{MARK}{name.version}") if name.version else name.name
    described = catalog.get_table(name.database, base)
    if described is None:
        raise no_table(replace(name, name=base))
    if is_iceberg(described):
        return _iceberg(name, described, catalog, directory)
    if name.version:
        raise QueryError(
            "NOT_SUPPORTED",
            f"line {name.line}:{name.column}: This connector does not support versioned tables",
        )
    location = described["StorageDescriptor"]["Location"]
    parameters = described.get("Parameters") or {}
    keys = [column["Name"].lower() for column in described.get("PartitionKeys") or []]
    if not keys:
        return CatalogTable(name, described, _files(location, directory))
    if is_projected(parameters):
        projection = Projection(location, keys, parameters, named or {})
        return CatalogTable(name, described, _projected(projection, directory))
    files, stored = [], {}
    for partition in catalog.get_partitions(name.database, name.name):
        values, kept = tuple(partition["Values"]), partition["StorageDescriptor"]
        stored[values] = kept
        refuse_mismatch(name, described, partition)
        files += [replace(file, partition=values) for file in _files(kept["Location"], directory)]
    return CatalogTable(name, described, files, stored=stored)


def no_table(name: TableName) -> QueryError:
    """Build the error of a query that names a table that does not exist."""
    return QueryError(
        "TABLE_NOT_FOUND",
        f"line {name.line}:{name.column}: Table 'awsdatacatalog.{name.database}.{name.name}' does not exist",
    )


def _iceberg(
    name: TableName, described: Mapping[str, Any], catalog: Catalog, directory: S3Directory
) -> CatalogTable:
    require_library()
    # Its library takes most of a second to import, so only a query of such a table does.
    from etltctl.local.services.athena.iceberg.reading import iceberg_table

    return iceberg_table(name, described, catalog, directory)


def _projected(projection: Projection, directory: S3Directory) -> list[DataFile]:
    """Return the files of the partitions that are projected."""
    of_file = projection.values()
    files = [(file, of_file(file.location)) for file in _files(projection.root, directory)]
    return [replace(file, partition=values) for file, values in files if values is not None]


def _files(location: str, directory: S3Directory) -> list[DataFile]:
    """Return the files below the location that Athena would read: no part of their path is hidden."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    return [
        DataFile(str(directory.file(bucket, info.key)), info.size, (), f"s3://{bucket}/{info.key}")
        for info in directory.list_objects(bucket, prefix)
        if info.size
        and not any(part.startswith(("_", ".")) for part in info.key.removeprefix(prefix).split("/"))
    ]
