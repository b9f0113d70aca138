"""Upkeep: small files are written again as large ones, and old snapshots go with the files that only they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from pyiceberg.table import FileScanTask, Table

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import TableName
from etltctl.local.services.athena.iceberg.catalog import committing
from etltctl.local.services.athena.iceberg.changing import rewrite
from etltctl.local.services.athena.iceberg.files import LakeFiles, place
from etltctl.local.services.athena.iceberg.properties import number
from etltctl.local.services.athena.iceberg.reading import scan_of

YOUNG = timedelta(hours=1)  # a file of this age may be that of a statement that has not committed yet
SMALL = 0.75  # of the size that files shall have; a larger one stays as it is


def files_of(table: Table) -> set[str]:
    """Return the locations of all files that the table's metadata names, and of the metadata itself."""
    files = {table.metadata_location, *(entry.metadata_file for entry in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        files.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            files.add(manifest.manifest_path)
            files |= {
                entry.data_file.file_path
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            }
    return files


def delete_files(table: Table, locations: Iterable[str]) -> None:
    """Delete files. One that is gone already is not an error."""
    for location in sorted(locations):
        with suppress(AwsError, OSError, ValueError):
            table.io.delete(location)


def pack(table: Table, name: TableName, chosen: Collection[str] | None) -> None:
    """Write the small files of each partition as fewer ones, where there are enough of them.

    Args:
        table: The table.
        name: Its name.
        chosen: The locations of the files that may be written again; None for all.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if another commit came first.
    """
    properties = table.properties
    size = number(properties, "write_target_data_file_size_bytes")
    least = number(properties, "optimize_rewrite_data_file_threshold")
    deletes = number(properties, "optimize_rewrite_delete_file_threshold")
    tasks = scan_of(table, table.current_snapshot(), table.schema()).tasks
    tasks = [task for task in tasks if chosen is None or task.file.file_path in chosen]
    small = [task for task in tasks if task.file.file_size_in_bytes < size * SMALL]
    counts = Counter(map(_partition, small))
    packed = {task.file.file_path for task in small if counts[_partition(task)] >= least}
    packed |= {task.file.file_path for task in tasks if len(task.delete_files) >= deletes}
    if packed:
        rewrite(table, name, packed)


def _partition(task: FileScanTask) -> tuple[int, Any]:
    return task.file.spec_id, task.file.partition


def vacuum(table: Table, name: TableName) -> None:
    """Expire old snapshots, and delete the files that no snapshot has any more, and those that none ever had.

    Raises:
        QueryError: ICEBERG_COMMIT_ERROR if another commit came first.
    """
    age = timedelta(seconds=number(table.properties, "vacuum_max_snapshot_age_seconds"))
    oldest = datetime.now(UTC) - age
    before = files_of(table)
    expired = _expired(table, oldest)
    if expired:
        with committing(name):
            table.maintenance.expire_snapshots().by_ids(expired).commit()
            table.refresh()
    kept = files_of(table)
    delete_files(table, (before - kept) | _orphans(table, kept, min(oldest, datetime.now(UTC) - YOUNG)))


def _expired(table: Table, oldest: datetime) -> list[int]:
    """Return the snapshots that are too old, without those that are kept whatever their age."""
    least = number(table.properties, "vacuum_min_snapshots_to_keep")
    referred = {reference.snapshot_id for reference in table.refs().values()}
    by_age = sorted(table.snapshots(), key=lambda snapshot: snapshot.timestamp_ms, reverse=True)
    limit = oldest.timestamp() * 1000
    return [
        snapshot.snapshot_id
        for snapshot in by_age[least:]
        if snapshot.timestamp_ms < limit and snapshot.snapshot_id not in referred
    ]


def _orphans(table: Table, known: Collection[str], oldest: datetime) -> set[str]:
    """Return the objects below the table that no metadata names and no running statement can still need."""
    assert isinstance(table.io, LakeFiles)
    bucket, prefix = place(table.location().rstrip("/") + "/")
    # Compared as keys: other engines name the same object by `s3a://`.
    keys = {place(location)[1] for location in known}
    return {
        f"s3://{bucket}/{info.key}"
        for info in table.io.directory.list_objects(bucket, prefix)
        if info.key not in keys and info.last_modified < oldest and info.size
    }
