"""Rows as data files of a table, and the commits that add files to it and remove others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import bin_pack_arrow_table, schema_to_pyarrow, write_file
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties, Transaction, WriteTask
from pyiceberg.table.metadata import TableMetadata

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import QueryError, TableName, Type
from etltctl.local.services.athena.iceberg.catalog import committing
from etltctl.local.services.athena.iceberg.partitioning import divided

if TYPE_CHECKING:
    import pyarrow as pa


def as_kept(rows: pa.Table, kinds: Mapping[str, Type], schema: Schema) -> pa.Table:
    """Return the rows of a query as the table keeps them: all columns, in its order, with its types.

    Args:
        rows: The rows.
        kinds: Their columns. A column of the table that is missing here is null in every row.
        schema: The columns of the table.

    Raises:
        QueryError: CONSTRAINT_VIOLATION for a null in a column that takes none.
    """
    import pyarrow as pa

    target = schema_to_pyarrow(schema, include_field_ids=False)
    columns = []
    for field, kept in zip(target, schema.fields, strict=True):
        name = field.name.lower()
        values = _plain(rows.column(name), kinds[name]) if name in kinds else pa.nulls(rows.num_rows)
        if kept.required and values.null_count:
            raise QueryError(
                "CONSTRAINT_VIOLATION", f"NULL value not allowed for NOT NULL column: {field.name}"
            )
        columns.append(values.cast(field.type))
    return pa.Table.from_arrays(columns, schema=target)


def _plain(values: pa.ChunkedArray, kind: Type) -> pa.ChunkedArray:
    """Return the values as Arrow has them: a time with a zone is a struct in DuckDB."""
    import pyarrow.compute as pc

    if not kind.is_zoned:
        return values
    # Iceberg keeps the instant and no zone.
    return pc.assume_timezone(pc.struct_field(values, "at"), "UTC")


def write(io: FileIO, metadata: TableMetadata, rows: pa.Table) -> list[DataFile]:
    """Write rows as files that no snapshot has yet."""
    schema, spec, write_id = metadata.schema(), metadata.spec(), uuid4()
    size = int(
        metadata.properties.get(
            TableProperties.WRITE_TARGET_FILE_SIZE_BYTES,
            TableProperties.WRITE_TARGET_FILE_SIZE_BYTES_DEFAULT,
        )
    )
    parts = list(divided(rows, spec, schema))  # counted before the first file is written
    tasks = [
        WriteTask(write_id, number, schema, batches, partition_key=partition)  # type: ignore[arg-type]
        for number, (partition, batches) in enumerate(
            (partition, list(batches))
            for partition, part in parts
            for batches in bin_pack_arrow_table(part, size)
        )
    ]
    return list(write_file(io, metadata, iter(tasks)))


def create_with(transaction: Transaction, name: TableName, rows: pa.Table) -> list[str]:
    """Commit a new table with its first rows, and return the locations of its files.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if there is such a table by now. The files are deleted.
    """
    io = transaction._table.io
    files = write(io, transaction.table_metadata, rows)
    with _undone(io, files), committing(name):
        with transaction.update_snapshot().fast_append() as snapshot:
            for file in files:
                snapshot.append_data_file(file)
        transaction.commit_transaction()
    return [file.file_path for file in files]


def append(table: Table, name: TableName, files: Sequence[DataFile]) -> None:
    """Commit a snapshot that adds files. If another commit comes first, it is made again on top of that one.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR after five lost races. The files are deleted.
    """
    with _undone(table.io, files), committing(name):
        transaction = table.transaction()
        with transaction.update_snapshot().fast_append() as snapshot:
            for file in files:
                snapshot.append_data_file(file)
        transaction.commit_transaction()


def replace(table: Table, name: TableName, removed: Iterable[DataFile], added: Sequence[DataFile]) -> None:
    """Commit a snapshot in which some files stand for others.

    Args:
        table: The table as it was when its rows were read.
        name: Its name.
        removed: Files of the table's current snapshot.
        added: New files.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if another commit came first. The new files are deleted, and the table is as
            the other commit left it.
    """
    with _undone(table.io, added), committing(name):
        transaction = table.transaction()
        with transaction.update_snapshot().overwrite() as snapshot:
            for file in removed:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)
        transaction.commit_transaction()


@contextmanager
def _undone(io: FileIO, files: Sequence[DataFile]) -> Iterator[None]:
    """Delete new files if the block loses the race: no snapshot has them."""
    try:
        yield
    except QueryError:  # any other failure leaves open whether the commit took place
        for file in files:
            with suppress(AwsError, OSError):
                io.delete(file.file_path)
        raise
