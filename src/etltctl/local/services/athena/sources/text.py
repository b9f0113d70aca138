"""Tables of text, by the SerDe that reads them, as tables of Arrow that DuckDB reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etltctl.hive import parse_type
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.sources.delimited import Columns, Row, lazy_simple, open_csv, regex
from etltctl.local.services.athena.sources.files import lines_of
from etltctl.local.services.athena.sources.json_rows import hcatalog, openx
from etltctl.local.services.athena.sources.values import arrow_type

if TYPE_CHECKING:
    from etltctl.local.services.athena.sources.table import DataFile

PATH = "$path"
READERS: Mapping[str, Callable[[Columns, Sequence[int], Mapping[str, str]], Row]] = {
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe": lazy_simple,
    "org.apache.hadoop.hive.serde2.OpenCSVSerde": open_csv,
    "org.apache.hadoop.hive.serde2.RegexSerDe": regex,
    "org.openx.data.jsonserde.JsonSerDe": openx,
    "org.apache.hive.hcatalog.data.JsonSerDe": hcatalog,
    "org.apache.hadoop.hive.serde2.JsonSerDe": hcatalog,
}
CHUNK = 50_000  # rows that are held as Python's values at a time


def read(
    files: Sequence[DataFile],
    stored: Mapping[str, Any],
    parameters: Mapping[str, Any],
    columns_read: Collection[str] | None,
) -> pa.Table:
    """Return the columns that a query reads of text files, and the location of each row's file in the column `$path`.

    Args:
        files: The files.
        stored: The StorageDescriptor of the table or of the partition that they belong to.
        parameters: The properties of the table.
        columns_read: The names of the columns that the query reads; None for all.

    Raises:
        QueryError: A file cannot be read as its SerDe reads it.
    """
    serde = stored.get("SerdeInfo") or {}
    # Crawlers write `skip.header.line.count` to either place. The SerDe's own properties win.
    properties = {**parameters, **(serde.get("Parameters") or {})}
    columns = [(column["Name"].lower(), parse_type(column["Type"])) for column in stored["Columns"]]
    chosen = [
        index for index, (name, _) in enumerate(columns) if columns_read is None or name in columns_read
    ]
    row = READERS[serde["SerializationLibrary"]](columns, chosen, properties)
    schema = pa.schema([(columns[i][0], arrow_type(columns[i][1])) for i in chosen] + [(PATH, pa.string())])
    batches: list[pa.RecordBatch] = []
    rows: list[list[Any]] = []
    for file in files:
        for number, line in enumerate(lines_of(file, properties), 1):
            cells = _read_line(row, line, file, number)
            if cells is not None:
                rows.append([*cells, file.location])
            if len(rows) >= CHUNK:
                batches.append(_batch(rows, schema))
                rows = []
    return pa.Table.from_batches([*batches, _batch(rows, schema)], schema)


def _read_line(row: Row, line: str, file: DataFile, number: int) -> list[Any] | None:
    try:
        return row(line)
    except QueryError as error:
        if error.code == "NOT_SUPPORTED":
            raise
        raise QueryError(error.code, f"{error.message} ({file.location}, row {number})") from error


def _batch(rows: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
