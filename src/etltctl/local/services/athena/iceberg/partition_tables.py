"""The table `"t$partitions"`: what the files of each partition add up to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import NestedField

from etltctl.local.services.athena.dialect import Type
from etltctl.local.services.athena.dialect.trino_types import BIGINT, row
from etltctl.local.services.athena.iceberg.reading import scan_of
from etltctl.local.services.athena.iceberg.types import trino_type

# Days since 1970 are a date in Athena. Other transforms give the type that they have in the files.
COUNTS = {"record_count": BIGINT, "file_count": BIGINT, "total_size": BIGINT}


def partition_columns(table: Table) -> dict[str, Type]:
    """Return the columns of the table."""
    fields = table.spec().partition_type(table.schema()).fields
    partition = {"partition": row({field.name: trino_type(field.field_type) for field in fields})}
    data = {field.name: _range(trino_type(field.field_type)) for field in _measured(table)}
    return {**(partition if fields else {}), **COUNTS, **({"data": row(data)} if data else {})}


def partition_rows(table: Table) -> Iterator[dict[str, Any]]:
    """Yield a row for each partition of the current snapshot."""
    parts: dict[Any, list[DataFile]] = {}
    for task in scan_of(table, table.current_snapshot(), table.schema()).tasks:
        parts.setdefault(tuple(_values(table, task.file)), []).append(task.file)
    names = [field.name for field in table.spec().fields]
    for values, files in parts.items():
        yield {
            "partition": dict(zip(names, values, strict=True)),
            "record_count": sum(file.record_count for file in files),
            "file_count": len(files),
            "total_size": sum(file.file_size_in_bytes for file in files),
            "data": {field.name: _ranged(files, field) for field in _measured(table)},
        }


def _values(table: Table, file: DataFile) -> list[Any]:
    """Return the partition of a file in the fields of the current spec; null for one that the file's spec lacks."""
    spec = table.specs()[file.spec_id]
    known = {field.field_id: file.partition[index] for index, field in enumerate(spec.fields)}
    return [known.get(field.field_id) for field in table.spec().fields]


def _measured(table: Table) -> list[NestedField]:
    """Return the columns whose values have an order and that no partition field is the same as."""
    sources = {field.source_id for field in table.spec().fields if str(field.transform) == "identity"}
    return [
        field
        for field in table.schema().fields
        if field.field_type.is_primitive and field.field_id not in sources
    ]


def _range(kind: Type) -> Type:
    return row({"min": kind, "max": kind, "null_count": BIGINT, "nan_count": BIGINT})


def _ranged(files: list[DataFile], field: NestedField) -> dict[str, Any]:
    number: Any = field.field_id
    lower = [bounds[number] for file in files if number in (bounds := file.lower_bounds or {})]
    upper = [bounds[number] for file in files if number in (bounds := file.upper_bounds or {})]
    lows, highs = ([from_bytes(field.field_type, one) for one in of] for of in (lower, upper))  # type: ignore[arg-type]
    nan = [counts[number] for file in files if number in (counts := file.nan_value_counts or {})]
    return {
        "min": min(lows, default=None),
        "max": max(highs, default=None),
        "null_count": sum((file.null_value_counts or {}).get(number, 0) for file in files),
        "nan_count": sum(nan) if nan else None,
    }
