"""Records as Arrow columns, typed and named as Airbyte's S3 destination does for Parquet."""

from __future__ import annotations

import io
import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.json

from etltctl.local.services.airbyte.records import FailureKind, Kind, Record, Stream, SyncError

ARROW_TYPES = {
    Kind.STRING: pa.string(),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.JSON: pa.string(),
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
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
# Python's integers have no end, the column's have.
INT64 = range(-(2**63), 2**63)


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
    fields: dict[str, str] = {}
    for name in stream.columns:
        column = column_name(name)
        if column in AIRBYTE_NAMES:
            trouble = f"the field {_shown(name)} has the name of a column that Airbyte adds"
        elif column in fields:
            trouble = f"the fields {_shown(fields[column])} and {_shown(name)} would both become the column {column}"
        else:
            fields[column] = name
            continue
        raise SyncError(f"{place}: {trouble}; rename one of them in the source", FailureKind.CONFIG)


def _shown(name: str) -> str:
    """Return the name in quotes, with code points where two names would look the same without them."""
    return repr(name) if name.isascii() else f"{name!r} ({name!a})"


def parquet_schema(stream: Stream) -> pa.Schema:
    """Return the four Airbyte columns, then the stream's, all nullable."""
    fields = [pa.field(column_name(name), ARROW_TYPES[kind]) for name, kind in stream.columns.items()]
    return pa.schema([*AIRBYTE_FIELDS, *fields])


# Called for every value of every row, with few names.
@cache
def column_name(name: str) -> str:
    """NFKD, then `_` for what is not a letter, digit or `_`, and before a leading digit."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", unicodedata.normalize("NFKD", name))
    return f"_{plain}" if plain[:1].isdigit() else plain


def to_line(record: Record, stream: Stream, sync: Sync, extracted_ms: int) -> bytes:
    """Return the row as a line of JSON; a value its column cannot hold becomes null and is named in `_airbyte_meta`."""
    changes: list[dict[str, str]] = []
    row: dict[str, Any] = {
        "_airbyte_raw_id": str(uuid.uuid4()),
        "_airbyte_extracted_at": extracted_ms,
        "_airbyte_meta": {"sync_id": sync.job_id, "changes": changes},
        "_airbyte_generation_id": sync.generation,
    }
    for name, kind in stream.columns.items():
        # A value that does not fit costs its cell, and neither the row nor the sync.
        value = record.get(name)
        try:
            row[column_name(name)] = None if value is None else CONVERTERS[kind](value)
        except (TypeError, ValueError, OverflowError):
            reason = "DESTINATION_SERIALIZATION_ERROR"
            changes.append({"field": column_name(name), "change": "NULLED", "reason": reason})
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


def to_json(value: Any) -> str:
    """Return compact, in the order of the keys, not escaped; raise ValueError for NaN and infinities."""
    return _encodable(ENCODER.encode(value))


def _to_string(value: Any) -> str:
    return _encodable(value) if isinstance(value, str) else to_json(value)


def _encodable(text: str) -> str:
    """Return the text; a lone surrogate in it raises UnicodeEncodeError, which is a ValueError."""
    text.encode()
    return text


def _to_number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    number = float(value)
    # Infinity minus infinity and NaN minus NaN are both NaN, which is unequal to 0.
    if number - number != 0:
        raise ValueError("not finite")
    return number


def _to_integer(value: Any) -> int:
    # A boolean of Python is an integer too, and would become 1 or 0.
    if isinstance(value, bool) or int(value) != value or int(value) not in INT64:
        raise ValueError("not a 64-bit integer")
    return int(value)


CONVERTERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.STRING: _to_string,
    Kind.NUMBER: _to_number,
    Kind.INTEGER: _to_integer,
    Kind.JSON: to_json,
}
