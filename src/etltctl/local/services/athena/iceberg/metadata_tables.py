"""The tables that describe a table of Iceberg: `"t$snapshots"`, `"t$files"` and others, with Athena's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import ManifestEntry, ManifestFile, PartitionFieldSummary
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.types import PrimitiveType

from etltctl.local.services.athena.dialect import TableName, Type
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    VARBINARY,
    VARCHAR,
    ZONED,
    array,
    map_of,
    row,
)
from etltctl.local.services.athena.iceberg.catalog import Calls, load
from etltctl.local.services.athena.iceberg.partition_tables import partition_columns, partition_rows
from etltctl.local.services.athena.sources.table import CatalogTable
from etltctl.local.services.athena.sources.text import PATH
from etltctl.local.services.s3.directory import S3Directory

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Iterator[dict[str, Any]]
Columns = Mapping[str, Type]
COUNTS = map_of(INTEGER, BIGINT)
BOUNDS = map_of(INTEGER, VARCHAR)
SUMMARY = row(
    {"contains_null": BOOLEAN, "contains_nan": BOOLEAN, "lower_bound": VARCHAR, "upper_bound": VARCHAR}
)
CONTENT = {"content": INTEGER, "file_path": VARCHAR, "file_format": VARCHAR, "record_count": BIGINT,
           "file_size_in_bytes": BIGINT}  # fmt: skip
COLUMNS: Mapping[str, Columns] = {
    "snapshots": {
        "committed_at": ZONED, "snapshot_id": BIGINT, "parent_id": BIGINT, "operation": VARCHAR,
        "manifest_list": VARCHAR, "summary": map_of(VARCHAR, VARCHAR),
    },
    "history": {
        "made_current_at": ZONED, "snapshot_id": BIGINT, "parent_id": BIGINT, "is_current_ancestor": BOOLEAN,
    },
    "files": {
        **CONTENT, "column_sizes": COUNTS, "value_counts": COUNTS, "null_value_counts": COUNTS,
        "nan_value_counts": COUNTS, "lower_bounds": BOUNDS, "upper_bounds": BOUNDS, "key_metadata": VARBINARY,
        "split_offsets": array(BIGINT), "equality_ids": array(INTEGER),
    },
    "manifests": {
        "path": VARCHAR, "length": BIGINT, "partition_spec_id": INTEGER, "added_snapshot_id": BIGINT,
        "added_data_files_count": INTEGER, "added_rows_count": BIGINT, "existing_data_files_count": INTEGER,
        "existing_rows_count": BIGINT, "deleted_data_files_count": INTEGER, "deleted_rows_count": BIGINT,
        "partition_summaries": array(SUMMARY),
    },
    "refs": {
        "name": VARCHAR, "type": VARCHAR, "snapshot_id": BIGINT, "max_reference_age_in_ms": BIGINT,
        "min_snapshots_to_keep": INTEGER, "max_snapshot_age_in_ms": BIGINT,
    },
}  # fmt: skip


def metadata_table(name: TableName, of: TableName, calls: Calls, directory: S3Directory) -> CatalogTable:
    """Return a table that describes one of Iceberg.

    Args:
        name: The name, `t$partitions` or one of `COLUMNS` such as `t$snapshots`.
        of: The name of the table of Iceberg.
        calls: The Data Catalog.
        directory: The embedded S3.
    """
    kind = name.name.rpartition("$")[2]
    table = load(of, calls, directory)
    columns = partition_columns(table) if kind == "partitions" else COLUMNS[kind]
    make = partition_rows if kind == "partitions" else ROWS[kind]
    described = {"Name": name.name, "StorageDescriptor": {"Columns": [], "Location": ""}}
    return CatalogTable(
        name, described, [], kinds=columns, load=lambda _names, _paths: _arrow(columns, make(table))
    )


def _arrow(columns: Columns, rows: Rows) -> pa.Table:
    import pyarrow as pa

    values = list(rows)
    arrays = [
        pa.array([one.get(name) for one in values], _arrow_type(kind)) for name, kind in columns.items()
    ]
    return pa.table([*arrays, pa.nulls(len(values), pa.string())], [*columns, PATH])


def _arrow_type(kind: Type) -> pa.DataType:
    import pyarrow as pa

    if kind.is_("map"):
        return pa.map_(*map(_arrow_type, kind.inners))
    if kind.is_("array"):
        return pa.list_(_arrow_type(kind.element))
    if kind.is_("row"):
        named = zip(kind.field_names, kind.inners, strict=True)
        return pa.struct([(name, _arrow_type(inner)) for name, inner in named])
    plain = {
        "bigint": pa.int64(), "integer": pa.int32(), "varchar": pa.string(), "boolean": pa.bool_(),
        "varbinary": pa.binary(), "timestamp with time zone": pa.timestamp("us", "UTC"), "date": pa.date32(),
        "real": pa.float32(), "double": pa.float64(), "timestamp": pa.timestamp("us"), "time": pa.time64("us"),
    }  # fmt: skip
    return pa.decimal128(kind.precision, kind.scale) if kind.is_("decimal") else plain[kind.name]


def _snapshots(table: Table) -> Rows:
    for snapshot in table.snapshots():
        summary = snapshot.summary
        yield {
            "committed_at": snapshot.timestamp_ms * 1000,
            "snapshot_id": snapshot.snapshot_id,
            "parent_id": snapshot.parent_snapshot_id,
            "operation": summary.operation.value if summary else None,
            "manifest_list": snapshot.manifest_list,
            "summary": dict(summary.additional_properties) if summary else None,
        }


def _history(table: Table) -> Rows:
    ancestors = {one.snapshot_id for one in ancestors_of(table.current_snapshot(), table.metadata)}
    for entry in table.history():
        snapshot = table.snapshot_by_id(entry.snapshot_id)
        yield {
            "made_current_at": entry.timestamp_ms * 1000,
            "snapshot_id": entry.snapshot_id,
            "parent_id": snapshot.parent_snapshot_id if snapshot else None,
            "is_current_ancestor": entry.snapshot_id in ancestors,
        }


def _files(table: Table) -> Rows:
    for entry in _entries(table):
        file = entry.data_file
        yield {
            "content": file.content.value,
            "file_path": file.file_path,
            "file_format": file.file_format.value,
            "record_count": file.record_count,
            "file_size_in_bytes": file.file_size_in_bytes,
            "column_sizes": _counts(file.column_sizes),
            "value_counts": _counts(file.value_counts),
            "null_value_counts": _counts(file.null_value_counts),
            "nan_value_counts": _counts(file.nan_value_counts),
            "lower_bounds": _bounds(table, file.lower_bounds),
            "upper_bounds": _bounds(table, file.upper_bounds),
            "key_metadata": file.key_metadata,
            "split_offsets": file.split_offsets,
            "equality_ids": file.equality_ids,
        }


def _entries(table: Table) -> Iterator[ManifestEntry]:
    """Yield the files of the current snapshot, those of deletions as well."""
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        yield from manifest.fetch_manifest_entry(table.io, discard_deleted=True)


def _counts(counts: Mapping[int, int] | None) -> dict[int, int] | None:
    # The library's mapping reads its keys late, which Arrow does not expect.
    return None if counts is None else {number: counts[number] for number in counts}


def _bounds(table: Table, bounds: Mapping[int, bytes] | None) -> dict[int, str]:
    """Return the smallest or largest values of a file's columns as text."""
    schema = table.schema()
    return {
        number: str(from_bytes(kind, value))
        for number, value in (bounds or {}).items()
        if number in schema.field_ids and isinstance(kind := schema.find_type(number), PrimitiveType)
    }


def _manifests(table: Table) -> Rows:
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        yield {
            "path": manifest.manifest_path,
            "length": manifest.manifest_length,
            "partition_spec_id": manifest.partition_spec_id,
            "added_snapshot_id": manifest.added_snapshot_id,
            "added_data_files_count": manifest.added_files_count,
            "added_rows_count": manifest.added_rows_count,
            "existing_data_files_count": manifest.existing_files_count,
            "existing_rows_count": manifest.existing_rows_count,
            "deleted_data_files_count": manifest.deleted_files_count,
            "deleted_rows_count": manifest.deleted_rows_count,
            "partition_summaries": _summaries(table, manifest),
        }


def _summaries(table: Table, manifest: ManifestFile) -> list[dict[str, Any]]:
    spec = table.specs()[manifest.partition_spec_id]
    kinds = [field.field_type for field in spec.partition_type(table.schema()).fields]

    def text(bound: bytes | None, kind: Any) -> str | None:
        return None if bound is None else str(from_bytes(kind, bound))

    def summary(one: PartitionFieldSummary, kind: Any) -> dict[str, Any]:
        return {
            "contains_null": one.contains_null,
            "contains_nan": one.contains_nan,
            "lower_bound": text(one.lower_bound, kind),
            "upper_bound": text(one.upper_bound, kind),
        }

    return [summary(one, kind) for one, kind in zip(manifest.partitions or [], kinds, strict=False)]


def _refs(table: Table) -> Rows:
    for name, reference in table.refs().items():
        yield {
            "name": name,
            "type": reference.snapshot_ref_type.value.upper(),
            "snapshot_id": reference.snapshot_id,
            "max_reference_age_in_ms": reference.max_ref_age_ms,
            "min_snapshots_to_keep": reference.min_snapshots_to_keep,
            "max_snapshot_age_in_ms": reference.max_snapshot_age_ms,
        }


ROWS: Mapping[str, Callable[[Table], Rows]] = {
    "snapshots": _snapshots, "history": _history, "files": _files, "manifests": _manifests, "refs": _refs,
}  # fmt: skip
