"""Changes of rows by copy-on-write: the files with changed rows are written again without them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.table import FileScanTask, Table

from etltctl.local.services.athena.dialect import TableName
from etltctl.local.services.athena.iceberg.reading import scan_of
from etltctl.local.services.athena.iceberg.writing import replace, write

if TYPE_CHECKING:
    import pyarrow as pa


def change(
    table: Table, name: TableName, gone: Mapping[str, Collection[int]], new: pa.Table | None = None
) -> list[str]:
    """Commit that some rows are gone and others are new.

    Args:
        table: The table as it was when the rows were read.
        name: Its name.
        gone: The positions of the rows that go, by the location of their file.
        new: The rows that come, as the table keeps them.

    Returns:
        The locations of the new files.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if another commit came first. The table is as that one left it.
    """
    import pyarrow as pa

    tasks = [task for task in _tasks(table) if task.file.file_path in gone]
    pieces = [_kept_rows(table, task, gone[task.file.file_path]) for task in tasks]
    if new is not None:
        pieces.append(new)
    if not pieces:
        return []
    files = write(table.io, table.metadata, pa.concat_tables(pieces))
    if files or tasks:
        replace(table, name, [task.file for task in tasks], files)
    return [file.file_path for file in files]


def rewrite(table: Table, name: TableName, places: Collection[str]) -> None:
    """Commit that the rows of some files lie in fewer files.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if another commit came first.
    """
    change(table, name, dict.fromkeys(places, ()))


def _tasks(table: Table) -> list[FileScanTask]:
    return scan_of(table, table.current_snapshot(), table.schema()).tasks


def _kept_rows(table: Table, task: FileScanTask, gone: Collection[int]) -> pa.Table:
    """Return the rows of a file that stay, as the table keeps them now."""
    import pyarrow as pa

    rows = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table([task])
    rows = rows.cast(schema_to_pyarrow(table.schema(), include_field_ids=False))
    if not gone:
        return rows
    stays = pa.array([index not in gone for index in range(rows.num_rows)], pa.bool_())
    return rows.filter(stays)
