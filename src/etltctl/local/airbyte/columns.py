"""Records as Arrow columns, typed and named as Airbyte's S3 destination does for Parquet."""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from etltctl.local.airbyte.records import Kind, Record, Stream

ARROW_TYPES = {
    Kind.STRING: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.JSON: pa.string(),
}
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
INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Sync:
    """What every row of a sync carries: the job's id, its start (ms since 1970, UTC) and the generation."""

    job_id: int
    started_ms: int
    generation: int


def parquet_schema(stream: Stream) -> pa.Schema:
    """The four Airbyte columns, then the stream's, all nullable."""
    fields = [pa.field(column_name(name), ARROW_TYPES[kind]) for name, kind in stream.columns.items()]
    return pa.schema([*AIRBYTE_FIELDS, *fields])


def column_name(name: str) -> str:
    """NFKD, then `_` for what is not a letter, digit or `_`, and before a leading digit."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", unicodedata.normalize("NFKD", name))
    return f"_{plain}" if plain[:1].isdigit() else plain


def to_batch(records: Sequence[Record], stream: Stream, sync: Sync, extracted_ms: int) -> pa.RecordBatch:
    """The records as columns; a value its column cannot hold becomes null and is named in `_airbyte_meta`."""
    changes: list[list[dict[str, str]]] = [[] for _ in records]
    columns = [_values(name, kind, records, changes) for name, kind in stream.columns.items()]
    airbyte = [
        [str(uuid.uuid4()) for _ in records],
        [extracted_ms] * len(records),
        [{"sync_id": sync.job_id, "changes": change} for change in changes],
        [sync.generation] * len(records),
    ]
    schema = parquet_schema(stream)
    arrays = [
        pa.array(values, field.type) for values, field in zip([*airbyte, *columns], schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _values(
    name: str, kind: Kind, records: Sequence[Record], changes: list[list[dict[str, str]]]
) -> list[Any]:
    convert = CONVERTERS[kind]
    values: list[Any] = []
    for row, record in enumerate(records):
        value = record.get(name)
        try:
            values.append(None if value is None else convert(value))
        except (TypeError, ValueError, OverflowError):
            values.append(None)
            reason = "DESTINATION_SERIALIZATION_ERROR"
            changes[row].append({"field": column_name(name), "change": "NULLED", "reason": reason})
    return values


def to_json(value: Any) -> str:
    """Compact, in the order of the keys, not escaped; raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _to_string(value: Any) -> str:
    text = value if isinstance(value, str) else to_json(value)
    text.encode()  # a lone surrogate is no text: UnicodeEncodeError is a ValueError
    return text


def _to_number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    number = float(value)
    if number - number != 0:
        raise ValueError("not finite")
    return number


def _to_integer(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value or int(value) not in INT64:
        raise ValueError("not a 64-bit integer")
    return int(value)


CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.STRING: _to_string,
    Kind.NUMBER: _to_number,
    Kind.INTEGER: _to_integer,
    Kind.JSON: to_json,
}
