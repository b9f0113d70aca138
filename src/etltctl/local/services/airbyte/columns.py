"""Records as Arrow columns, typed and named as Airbyte's S3 destination does for Parquet."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.json

from etltctl.local.services.airbyte.column_values import (
    ENCODER,
    column_name,
    convert,
    to_json,
    type_name,
)
from etltctl.local.services.airbyte.records import (
    Column,
    ConnectorRecord,
    FailureKind,
    Kind,
    ListOf,
    OneOf,
    Record,
    Stream,
    StructOf,
    SyncError,
)

__all__ = ["Sync", "check_names", "column_name", "parquet_schema", "to_json", "to_line", "to_table"]

ARROW_TYPES = {
    Kind.STRING: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.JSON: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIME: pa.time64("us"),
    Kind.LOCAL_TIME: pa.time64("us"),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
    # As Airbyte writes it: it has no other type for a time without a zone.
    Kind.LOCAL_TIMESTAMP: pa.timestamp("us", "UTC"),
}
# Names, order and what may be null are those of Airbyte's files: a reader of both merges their schemas.
CHANGE = pa.struct([pa.field(name, pa.string(), nullable=False) for name in ("field", "change", "reason")])
META = pa.struct(
    [
        pa.field("sync_id", pa.int64(), nullable=False),
        pa.field("changes", pa.list_(pa.field("element", CHANGE, nullable=False)), nullable=False),
    ]
)
AIRBYTE_FIELDS = (
    pa.field("_airbyte_raw_id", pa.string(), nullable=False),
    pa.field("_airbyte_extracted_at", pa.int64(), nullable=False),
    pa.field("_airbyte_meta", META, nullable=False),
    pa.field("_airbyte_generation_id", pa.int64(), nullable=False),
)
AIRBYTE_NAMES = frozenset(field.name for field in AIRBYTE_FIELDS)
UNENCODABLE = "DESTINATION_SERIALIZATION_ERROR"


@dataclass(frozen=True)
class Sync:
    """What every row of a sync carries: the job's id, its start (ms since 1970, UTC) and the generation."""

    job_id: int
    started_ms: int
    generation: int


def check_names(stream: Stream) -> None:
    """Refuse a stream in which two fields would become one column of Parquet.

    Raises:
        SyncError: Two fields have the same name once it is normalised, or one has the name of a column that
            Airbyte adds.
    """
    place = ".".join(part for part in (stream.namespace, stream.name) if part)
    _check_names(place, stream.columns.items(), AIRBYTE_NAMES)


def _check_names(place: str, columns: Iterable[tuple[str, Column]], reserved: frozenset[str]) -> None:
    fields: dict[str, str] = {}
    for name, kind in columns:
        column = column_name(name)
        if column in reserved:
            trouble = f"the field {_shown(name)} has the name of a column that Airbyte adds"
        elif column in fields:
            trouble = f"the fields {_shown(fields[column])} and {_shown(name)} would both become the column {column}"
        else:
            fields[column] = name
            _check_names(f"{place}.{name}", _inner_fields(kind), frozenset())
            continue
        raise SyncError(f"{place}: {trouble}; rename one of them in the source", FailureKind.CONFIG)


def _inner_fields(column: Column) -> Iterable[tuple[str, Column]]:
    """Return the fields of an object, also of one in an array or in a union, which has one object at most."""
    if isinstance(column, ListOf):
        return _inner_fields(column.item)
    if isinstance(column, OneOf):
        return [field for option in column.options for field in _inner_fields(option)]
    return column.fields if isinstance(column, StructOf) else ()


def _shown(name: str) -> str:
    """Return the name in quotes, with code points where two names would look the same without them."""
    return repr(name) if name.isascii() else f"{name!r} ({name!a})"


def parquet_schema(stream: Stream) -> pa.Schema:
    """Return the four Airbyte columns, then the stream's, all nullable."""
    fields = [pa.field(column_name(name), arrow_type(kind)) for name, kind in stream.columns.items()]
    return pa.schema([*AIRBYTE_FIELDS, *fields])


def arrow_type(column: Column) -> pa.DataType:
    """Return the type of a column in Parquet: a struct for an object with properties and for a union."""
    if isinstance(column, Kind):
        return ARROW_TYPES[column]
    if isinstance(column, ListOf):
        return pa.list_(pa.field("element", arrow_type(column.item)))
    if isinstance(column, StructOf):
        return pa.struct([pa.field(column_name(name), arrow_type(each)) for name, each in column.fields])
    named = [pa.field(type_name(each), arrow_type(each)) for each in column.options]
    # Airbyte requires the field `type` within a struct that may be null; Arrow's reader of JSON refuses that null.
    return pa.struct([pa.field("type", pa.string()), *named])


def to_line(record: Record, stream: Stream, sync: Sync, extracted_ms: int) -> bytes:
    """Return the row as a line of JSON; a value its column cannot hold becomes null and is named in `_airbyte_meta`."""
    changes: list[dict[str, str]] = []
    if isinstance(record, ConnectorRecord):
        extracted_ms = record.emitted_at
        changes += map(dict, record.changes)
    row: dict[str, Any] = {
        "_airbyte_raw_id": str(uuid.uuid4()),
        "_airbyte_extracted_at": extracted_ms,
        "_airbyte_meta": {"sync_id": sync.job_id, "changes": changes},
        "_airbyte_generation_id": sync.generation,
    }
    nulled: list[str] = []
    for name, kind in stream.columns.items():
        # A value that does not fit costs its cell, and neither the row nor the sync.
        column = column_name(name)
        row[column] = convert(record.get(name), kind, column, nulled)
    changes += ({"field": place, "change": "NULLED", "reason": UNENCODABLE} for place in nulled)
    return ENCODER.encode(row).encode()


def to_table(lines: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    """Return the lines as columns of the schema.

    Arrow reads them as JSON: built from Python lists, the first column of a process would import pandas.
    """
    body = b"\n".join(lines)
    # One block for all lines: a line that is longer than a block would be an error.
    table = pa.json.read_json(
        io.BytesIO(body),
        read_options=pa.json.ReadOptions(use_threads=False, block_size=len(body) + 1),
        parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    return table.cast(schema)
