"""A table as a query reads it: its description in the catalog, its files, and what the caller sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from etltctl.local.services.athena.dialect import QueryError, TableName, Type, of_hive
from etltctl.local.services.athena.types import duckdb_type

if TYPE_CHECKING:
    import pyarrow as pa

# Returns the rows of the columns that are read (None for all), with `$path` filled if it is read.
Load = Callable[[frozenset[str] | None, bool], "pa.Table"]


class Part(Protocol):
    """Columns that are seen in the rows for which an expression is true; an empty one is true for all."""

    @property
    def columns(self) -> frozenset[str]:
        """The columns' names."""

    @property
    def rows(self) -> str:
        """The expression."""


@dataclass(frozen=True)
class DataFile:
    """A file of a table: its path on disk, its size in bytes, the partition it belongs to, its location in S3."""

    path: str
    size: int
    partition: tuple[str, ...] = ()
    location: str = ""


@dataclass(frozen=True)
class CatalogTable:
    """A table as the catalog describes it, with the files behind it, and what a query reads of it.

    Args:
        name: The name.
        described: The table in Glue's own shape.
        files: The files, each with the values of its partition.
        parts: What the caller sees; None for all.
        stored: How the files of a partition are kept, by its values, where the catalog says so.
        columns_read: The columns that the query reads; None for all.
        rows: The rows of a table that has no files; None for a table of files.
        shows_paths: Whether the query reads the hidden column `$path`.
        kinds: Athena's types of the columns, where the catalog's words for them say too little: a table of Iceberg.
        load: Reads the rows of a table that another library reads; None for all others.
    """

    name: TableName
    described: Mapping[str, Any]
    files: list[DataFile]
    parts: Sequence[Part] | None = None
    stored: Mapping[tuple[str, ...], Mapping[str, Any]] = field(default_factory=dict)
    columns_read: frozenset[str] | None = None
    shows_paths: bool = False
    rows: Sequence[tuple[str | int | None, ...]] | None = None
    kinds: Mapping[str, Type] | None = None
    load: Load | None = None

    def stored_as(self, partition: tuple[str, ...]) -> Mapping[str, Any]:
        """Return the StorageDescriptor of the files of a partition."""
        table: Mapping[str, Any] = self.described["StorageDescriptor"]
        stored = self.stored.get(partition) or {}
        return {**table, **{name: stored[name] for name in ("Columns", "SerdeInfo") if stored.get(name)}}

    def wants(self, column: str) -> bool:
        """Return whether the query reads a column."""
        return self.columns_read is None or column in self.columns_read

    @property
    def columns(self) -> dict[str, str]:
        """DuckDB types of the columns, partition columns last."""
        if self.kinds is not None:
            return {name: kind.duckdb for name, kind in self.kinds.items()}
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
        if self.kinds is not None:
            return dict(self.kinds)
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
