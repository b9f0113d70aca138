"""The catalog's tables as views of DuckDB over the Parquet files of the lake."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import duckdb

from etltctl.hive import DEFAULT_PARTITION
from etltctl.local.services.athena.dialect import (
    QueryError,
    TableName,
    Type,
    duckdb_expression,
    of_hive,
    register,
)
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.types import duckdb_type
from etltctl.local.services.s3.directory import S3Directory
from etltctl.values import quoted_name, quoted_text

PROJECTED = ("enum", "integer", "date", "injected")


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


class Part(Protocol):
    """Columns that are seen in the rows for which an expression is true; an empty one is true for all."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns' names."""

    @property
    def rows(self) -> str:
        """The expression."""


class Guard(Protocol):
    """What is asked before a table is read."""

    def parts_of(self, caller: str, database: str, table: Mapping[str, Any]) -> Sequence[Part] | None:
        """Return what the caller sees of the table; None for all of it. Raises AwsError if it sees nothing."""

    def may_describe(self, caller: str, database: str, table: Mapping[str, Any]) -> bool:
        """Return whether the caller may know that the table exists."""


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

    def shows(self, database: str, described: Mapping[str, Any]) -> bool:
        """Return whether the caller may know of the table."""
        return self.guard is None or self.guard.may_describe(self.caller, database, described)


@dataclass(frozen=True)
class DataFile:
    """A file of a table: its path on disk, its size in bytes, the partition it belongs to, its location in S3."""

    path: str
    size: int
    partition: tuple[str, ...] = ()
    location: str = ""


@dataclass(frozen=True)
class CatalogTable:
    """A table as the catalog describes it, with the files behind it."""

    name: TableName
    described: Mapping[str, Any]
    files: list[DataFile]
    parts: Sequence[Part] | None = None

    @property
    def columns(self) -> dict[str, str]:
        """DuckDB types of the columns, partition columns last."""
        names = [
            *self.described["StorageDescriptor"]["Columns"],
            *(self.described.get("PartitionKeys") or []),
        ]
        return {column["Name"].lower(): self._duckdb_type(column) for column in names}

    def _duckdb_type(self, column: Mapping[str, str]) -> str:
        try:
            return duckdb_type(column["Type"])
        except ValueError as error:
            place = f"Glue table '{self.name.database}.{self.name.name}' column '{column['Name']}'"
            raise QueryError(
                "HIVE_INVALID_METADATA", f"{place} has invalid data type: {column['Type']}"
            ) from error

    @property
    def types(self) -> dict[str, Type]:
        """Athena's types of the columns, partition columns last."""
        pairs = [
            *self.described["StorageDescriptor"]["Columns"],
            *(self.described.get("PartitionKeys") or []),
        ]
        return {column["Name"].lower(): of_hive(column["Type"]) for column in pairs}

    @property
    def visible(self) -> dict[str, Type]:
        """The same, as far as the caller sees them."""
        if self.parts is None:
            return self.types
        seen = frozenset().union(*(part.columns for part in self.parts))
        return {name: kind for name, kind in self.types.items() if name in seen}

    @property
    def partition_columns(self) -> list[str]:
        """The names of the partition columns, in order."""
        return [column["Name"].lower() for column in self.described.get("PartitionKeys") or []]


def find_table(name: TableName, catalog: Catalog, directory: S3Directory) -> CatalogTable:
    """Return the table and its files; raise QueryError in Athena's words if the catalog has none."""
    described = catalog.get_table(name.database, name.name)
    if described is None and name.database.lower() == "information_schema":
        raise unsupported(f"information_schema.{name.name}")
    if described is None and "$" in name.name:
        raise unsupported(f'the table "{name.name}" of Athena\'s metadata')
    if described is None:
        raise QueryError(
            "TABLE_NOT_FOUND",
            f"line {name.line}:{name.column}: Table 'awsdatacatalog.{name.database}.{name.name}' does not exist",
        )
    location = described["StorageDescriptor"]["Location"]
    parameters = described.get("Parameters") or {}
    keys = [column["Name"] for column in described.get("PartitionKeys") or []]
    if not keys:
        return CatalogTable(name, described, _files(location, directory))
    if parameters.get("projection.enabled") == "true":
        folders = "".join(f"{key}=${{{key}}}/" for key in keys)
        template = parameters.get("storage.location.template") or f"{location}{folders}"
        return CatalogTable(name, described, _projected(location, template, keys, parameters, directory))
    files = [
        replace(file, partition=tuple(partition["Values"]))
        for partition in catalog.get_partitions(name.database, name.name)
        for file in _files(partition["StorageDescriptor"]["Location"], directory)
    ]
    return CatalogTable(name, described, files)


def make_view(table: CatalogTable, engine: duckdb.DuckDBPyConnection) -> None:
    """Make the table readable under its name: the catalog's columns and types, whatever the files call them."""
    database, name = quoted_name(table.name.database), quoted_name(table.name.name)
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {database}")
    selects = [
        _select(table, partition, engine) for partition in dict.fromkeys(f.partition for f in table.files)
    ]
    if not selects:
        empty = ", ".join(
            f"CAST(NULL AS {kind}) AS {quoted_name(key)}" for key, kind in table.columns.items()
        )
        selects = [f"SELECT {empty} WHERE false"]
    everything = " UNION ALL ".join(selects)
    shown = everything if table.parts is None else _seen(table, everything, engine)
    engine.execute(f"CREATE VIEW {database}.{name} AS {shown}")


def _seen(table: CatalogTable, everything: str, engine: duckdb.DuckDBPyConnection) -> str:
    """Return what the parts add up to: rows of any of them, and in each row the columns of those that it satisfies."""
    parts = [(part, _rows_of(part, table, engine)) for part in table.parts or ()]
    columns = []
    for name in table.visible:
        of_column = [rows for part, rows in parts if name in part.columns]
        is_always = len(of_column) == len(parts) or "true" in of_column
        value = (
            quoted_name(name)
            if is_always
            else f"CASE WHEN {' OR '.join(of_column)} THEN {quoted_name(name)} END"
        )
        columns.append(f"{value} AS {quoted_name(name)}")
    rows = " OR ".join(rows for _, rows in parts)
    return f"SELECT {', '.join(columns)} FROM ({everything}) WHERE {rows}"


def _rows_of(part: Part, table: CatalogTable, engine: duckdb.DuckDBPyConnection) -> str:
    """Return the condition of a part's rows in DuckDB's SQL."""
    if not part.rows:
        return "true"
    condition, udfs = duckdb_expression(part.rows, table.types)
    register(engine, udfs)
    return f"({condition})"


def _select(table: CatalogTable, partition: tuple[str, ...], engine: duckdb.DuckDBPyConnection) -> str:
    paths = [file.path for file in table.files if file.partition == partition]
    files = ", ".join(quoted_text(path) for path in paths)
    source = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    try:
        described = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        text = in_locations(str(error).splitlines()[0], table.files)
        raise QueryError("HIVE_BAD_DATA", f"Malformed Parquet file: {text}") from error
    there = {row[0].lower(): row[0] for row in described}
    values = dict(zip(table.partition_columns, partition, strict=True)) if partition else {}
    parts = []
    for column, kind in table.columns.items():
        if column in values:
            text = values[column]
            value = "NULL" if text == DEFAULT_PARTITION else quoted_text(text)
        else:
            value = quoted_name(there[column]) if column in there else "NULL"
        parts.append(f"CAST({value} AS {kind}) AS {quoted_name(column)}")
    return f"SELECT {', '.join(parts)} FROM {source}"


def in_locations(text: str, files: Sequence[DataFile]) -> str:
    """Return the text with the files' locations in S3 in place of their paths on this machine."""
    for file in sorted(files, key=lambda one: -len(one.path)):
        text = text.replace(file.path, file.location)
    return text


def _files(location: str, directory: S3Directory) -> list[DataFile]:
    """Return the files below the location that Athena would read: no part of their path is hidden."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    prefix = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    return [
        DataFile(str(directory.path(bucket, info.key)), info.size, (), f"s3://{bucket}/{info.key}")
        for info in directory.list_objects(bucket, prefix)
        if info.size
        and not any(part.startswith(("_", ".")) for part in info.key.removeprefix(prefix).split("/"))
    ]


def _projected(
    location: str, template: str, keys: list[str], parameters: Mapping[str, str], directory: S3Directory
) -> list[DataFile]:
    """Return the files under the template whose values the projection allows."""
    for key in keys:
        _require_projection(key, parameters)
    pattern = re.escape(template)
    for number, key in enumerate(keys):
        pattern = pattern.replace(re.escape(f"${{{key}}}"), f"(?P<part{number}>[^/]+)")
    partitions = []
    for file in _files(location, directory):
        match = re.match(pattern, file.location)
        values = tuple(match[f"part{number}"] for number in range(len(keys))) if match else ()
        if match and all(map(partial(_is_projected, parameters=parameters), values, keys)):
            partitions.append(replace(file, partition=values))
    return partitions


def _require_projection(key: str, parameters: Mapping[str, str]) -> None:
    """Refuse the table, as Athena does, if its parameters do not say how the column's values are computed."""
    kind = parameters.get(f"projection.{key}.type", "").lower()
    if kind not in PROJECTED:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Column {key} has the unknown projection type '{kind}'")


def _is_projected(value: str, key: str, parameters: Mapping[str, str]) -> bool:
    match parameters.get(f"projection.{key}.type"):
        case "enum":
            return value in parameters[f"projection.{key}.values"].split(",")
        case "integer":
            low, high = (int(bound) for bound in parameters[f"projection.{key}.range"].split(","))
            return value.lstrip("-").isdigit() and low <= int(value) <= high
    return True
