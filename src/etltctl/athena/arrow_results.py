"""Results of queries as Arrow tables and Parquet files, each column with the type that Athena names for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from etltctl.athena.columns import Column
from etltctl.errors import ConfigurationError, EtltctlError, UsageError, install

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

BATCH_ROWS = 50_000  # rows of one row group, which is the most that is in memory at a time
OFFSET = re.compile(r"[+-]\d\d:\d\d")
# Arrow's own name of each type; all others stay the text that Athena returns.
ARROW_TYPES = {
    "boolean": "bool",
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "int": "int32",
    "bigint": "int64",
    "float": "float32",
    "real": "float32",
    "double": "float64",
    "date": "date32",
}


def arrow_table(columns: Sequence[Column], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return the rows as a table of Arrow. Null is null, and an empty text is an empty text.

    Args:
        columns: The columns of the result.
        names: The columns' names in the table, no two alike.
        rows: The rows, as `Column.value` makes their values.

    Raises:
        UsageError: A column has a value that its type of Arrow cannot hold.
    """
    import pyarrow as pa

    every = list(rows)
    return pa.Table.from_batches([_batch(columns, names, every)])


def data_frame(table: pa.Table) -> pandas.DataFrame:
    """Return a table of Arrow as a data frame whose columns can hold null.

    Args:
        table: The table.

    Raises:
        ConfigurationError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ConfigurationError(
            "a data frame is one of pandas, which is not installed", hint=install("pandas")
        ) from error
    # pandas' own types with null: numpy has no null for integers and booleans, and would make floats of them.
    types: dict[str, Any] = {
        "bool": pandas.BooleanDtype(),
        "int8": pandas.Int8Dtype(),
        "int16": pandas.Int16Dtype(),
        "int32": pandas.Int32Dtype(),
        "int64": pandas.Int64Dtype(),
        "float": pandas.Float32Dtype(),
        "double": pandas.Float64Dtype(),
        "string": pandas.StringDtype(),
    }
    return table.to_pandas(types_mapper=lambda kind: types.get(str(kind)))


def write_parquet(
    stream: BinaryIO, columns: Sequence[Column], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Write the rows as one Parquet file, row group by row group; return their number.

    Args:
        stream: Where the bytes go; it needs no random access, so a pipe will do.
        columns: The columns of the result.
        names: The columns' names in the file, no two alike.
        rows: The rows, as `Column.value` makes their values.

    Raises:
        UsageError: A column has a value that its type of Parquet cannot hold.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    coming, number = iter(rows), 0
    schema = pa.schema([(name, _arrow_type(column)) for name, column in zip(names, columns, strict=True)])
    with pq.ParquetWriter(pa.PythonFile(_Counted(stream), mode="w"), schema) as writer:
        while batch := list(islice(coming, BATCH_ROWS)):
            writer.write_batch(_batch(columns, names, batch))
            number += len(batch)
    return number


class _Counted:
    """A stream that knows its position: Parquet's footer has offsets, and a pipe cannot be asked for its own."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._at = stream, 0

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: its maker closes it."""


def _batch(columns: Sequence[Column], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    import pyarrow as pa

    arrays = [_array(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


def _array(column: Column, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    kind = _arrow_type(column)
    try:
        if column.type == "timestamp with time zone":
            return pa.array([_instant(value) for value in values], kind)
        if column.type == "varbinary":
            return pa.array([None if value is None else bytes.fromhex(value) for value in values], kind)
        # Dates and times come as text. Arrow reads a whole column of them at once.
        is_text = all(value is None or isinstance(value, str) for value in values)
        if not (column.type or is_text):
            return pa.array(values)  # a result that was built by hand: its values say what they are
        return pa.array(values, pa.string()).cast(kind) if is_text else pa.array(values, kind)
    except (pa.ArrowInvalid, ValueError, OverflowError) as error:
        raise UsageError(
            f"column {column.name} ({column.type}) has a value that its type in Parquet and Arrow cannot hold: {error}",
            hint=f"cast it in the query: cast({column.name} as varchar)",
        ) from error


def _arrow_type(column: Column) -> pa.DataType:
    """Return Arrow's type for a column.

    Arrays, maps and rows stay text: Athena returns them as text, without the types of their elements.
    """
    import pyarrow as pa

    if column.type.startswith("decimal"):
        digits = re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", column.type)
        precision, scale = map(int, digits.groups()) if digits else (column.precision, column.scale)
        return pa.decimal128(precision or 38, scale)
    if column.type == "timestamp":
        return pa.timestamp("us")  # Athena writes three digits, of Iceberg's tables six
    if column.type == "timestamp with time zone":
        return pa.timestamp("us", tz="UTC")
    if column.type == "varbinary":
        return pa.binary()
    return pa.type_for_alias(ARROW_TYPES.get(column.type, "string"))


def _instant(text: str | None) -> datetime | None:
    """Return the instant of a text such as `2026-01-31 12:00:00.000 America/Bogota`."""
    if text is None:
        return None
    local, _, zone = text.rpartition(" ")
    if OFFSET.fullmatch(zone):
        return datetime.fromisoformat(f"{local}{zone}")
    try:
        return datetime.fromisoformat(local).replace(tzinfo=UTC if zone == "UTC" else ZoneInfo(zone))
    except ZoneInfoNotFoundError as error:
        raise EtltctlError(f"this machine knows no time zone {zone}, so {text} has no instant") from error
