"""A table of Iceberg as a query reads it: one snapshot's columns, files and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Snapshot

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.trino_types import BIGINT
from etltctl.local.services.athena.iceberg import ROW
from etltctl.local.services.athena.iceberg.catalog import Calls, load
from etltctl.local.services.athena.iceberg.files import LakeFile, LakeFiles
from etltctl.local.services.athena.iceberg.types import hive_text, trino_type
from etltctl.local.services.athena.sources.table import CatalogTable, DataFile
from etltctl.local.services.athena.sources.text import PATH
from etltctl.local.services.s3.directory import S3Directory

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Scan:
    """One snapshot of a table.

    Args:
        table: The table.
        schema: The columns that are read.
        tasks: The data files, each with the files that say which of its rows are deleted.
        has_positions: Whether each row has its position in the column `$row`.
    """

    table: Table
    schema: Schema
    tasks: list[FileScanTask]
    has_positions: bool = False

    @property
    def files(self) -> list[DataFile]:
        """The data files, as the server's limits and errors name them."""
        return [_data_file(task, self._io) for task in self.tasks]

    @property
    def _io(self) -> LakeFiles:
        assert isinstance(self.table.io, LakeFiles)
        return self.table.io

    def rows(self, columns: frozenset[str] | None, *, has_paths: bool) -> pa.Table:
        """Return the rows of the snapshot.

        Args:
            columns: The columns that are read, in lower case; None for all.
            has_paths: Whether the location of each row's file is needed.

        Raises:
            QueryError: A file is missing or cannot be read.
        """
        import pyarrow as pa

        chosen = [
            field.name for field in self.schema.fields if columns is None or field.name.lower() in columns
        ]
        # A query such as count(*) reads no column, but a scan without a column would have no rows.
        projected = self.schema.select(*(chosen or [self.schema.fields[0].name]))
        scan = ArrowScan(self.table.metadata, self.table.io, projected, AlwaysTrue())
        pieces = []
        tasks: list[FileScanTask | None] = [*self.tasks] or [
            None
        ]  # none at all gives the empty table its columns
        for task in tasks:
            piece = self._piece(scan, task)
            piece = piece.rename_columns([column.lower() for column in piece.column_names])
            # Most queries do not read the path, and nulls take no memory.
            paths = pa.nulls(piece.num_rows, pa.string())
            if task and has_paths:
                paths = pa.array([task.file.file_path] * piece.num_rows, pa.string())
            piece = piece.append_column(PATH, paths)
            if self.has_positions:
                piece = piece.append_column(ROW, pa.array(range(piece.num_rows), pa.int64()))
            pieces.append(piece)
        return pa.concat_tables(pieces, promote_options="permissive")

    def _piece(self, scan: ArrowScan, task: FileScanTask | None) -> pa.Table:
        import pyarrow as pa

        place = task.file.file_path if task else ""
        try:
            return scan.to_table([task] if task else [])
        except FileNotFoundError as error:
            raise _unopened(place) from error
        except (pa.ArrowException, OSError) as error:
            raise QueryError("ICEBERG_BAD_DATA", f"Error reading Iceberg split {place}") from error


def _data_file(task: FileScanTask, io: LakeFiles) -> DataFile:
    place = task.file.file_path
    try:
        path = LakeFile(place, io.directory).path
    except FileNotFoundError as error:
        raise _unopened(place) from error
    return DataFile(str(path), task.file.file_size_in_bytes, (), place)


def _unopened(place: str) -> QueryError:
    return QueryError("ICEBERG_CANNOT_OPEN_SPLIT", f"Error opening Iceberg split {place}")


def scan_of(table: Table, snapshot: Snapshot | None, schema: Schema, *, has_positions: bool = False) -> Scan:
    """Return the scan of a snapshot; of no rows if there is none.

    Raises:
        QueryError: NOT_SUPPORTED for files of deletions by value, which Athena itself never writes.
    """
    if snapshot is None:
        return Scan(table, schema, [], has_positions)
    try:
        tasks = list(table.scan(snapshot_id=snapshot.snapshot_id).plan_files())
    except ValueError as error:
        if "equality" in str(error).lower():
            raise unsupported("equality deletes in a table of Iceberg") from error
        raise
    return Scan(table, schema, tasks, has_positions)


def iceberg_table(
    name: TableName, described: Mapping[str, Any], calls: Calls, directory: S3Directory
) -> CatalogTable:
    """Return the table as a query reads it.

    Args:
        name: The name in the query. Its version is empty for the current one, `snapshot ID`, `time MILLISECONDS`, or
            `rows ID` for the rows of that snapshot with their positions.
        described: The table in Glue's shape.
        calls: The Data Catalog.
        directory: The embedded S3.

    Raises:
        QueryError: There is no such version, or the table cannot be read.
    """
    base = TableName(name.database, str(described["Name"]), name.line, name.column)
    table = load(base, calls, directory)
    word, _, value = name.version.partition(" ")
    snapshot = VERSIONS[word](table, base, value)
    # A query of the past sees the columns of the past.
    is_past = word in ("snapshot", "time") and snapshot is not None and snapshot.schema_id is not None
    schema = table.schemas()[snapshot.schema_id] if is_past and snapshot else table.schema()  # type: ignore[index]
    scan = scan_of(table, snapshot, schema, has_positions=word == "rows")
    kinds = {field.name.lower(): trino_type(field.field_type) for field in schema.fields}
    if word == "rows":
        kinds[ROW] = BIGINT
    return CatalogTable(
        name, as_described(described, schema), scan.files, kinds=kinds, load=partial(_rows_of, scan)
    )


def _rows_of(scan: Scan, columns: frozenset[str] | None, has_paths: bool) -> pa.Table:
    return scan.rows(columns, has_paths=has_paths)


def as_described(described: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return the catalog's table with the columns of a schema.

    The catalog also has the columns that were dropped, marked as not current.
    """
    columns = [
        {
            "Name": field.name.lower(),
            "Type": hive_text(field.field_type),
            **({"Comment": field.doc} if field.doc else {}),
        }
        for field in schema.fields
    ]
    stored = {**described["StorageDescriptor"], "Columns": columns}
    return {**described, "StorageDescriptor": stored, "PartitionKeys": []}


def _current(table: Table, *_: object) -> Snapshot | None:
    return table.current_snapshot()


def _by_id(table: Table, _: TableName, value: str) -> Snapshot | None:
    snapshot = table.snapshot_by_id(int(value))
    if snapshot is None:
        raise QueryError("INVALID_ARGUMENTS", f"Iceberg snapshot ID does not exists: {value}")
    return snapshot


def _by_time(table: Table, name: TableName, value: str) -> Snapshot | None:
    # The log says which snapshot was the current one; a later rollback does not change that.
    entries = [entry for entry in table.history() if entry.timestamp_ms <= int(value)]
    if not entries:
        raise QueryError(
            "INVALID_ARGUMENTS", f"No version history table {name.database}.{name.name} at or before {value}"
        )
    return table.snapshot_by_id(entries[-1].snapshot_id)


def _with_positions(table: Table, name: TableName, value: str) -> Snapshot | None:
    return _by_id(table, name, value) if value else None


VERSIONS: Mapping[str, Callable[[Table, TableName, str], Snapshot | None]] = {
    "": _current, "snapshot": _by_id, "time": _by_time, "rows": _with_positions,
}  # fmt: skip
