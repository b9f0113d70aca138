"""The catalog's tables as views of DuckDB: each file is read as the SerDe of its table or partition reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from etltctl.hive import DEFAULT_PARTITION
from etltctl.local.services.athena.dialect import QueryError, duckdb_expression, register
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.names import schema_in_duckdb
from etltctl.local.services.athena.sources import columnar, text
from etltctl.local.services.athena.sources.text import PATH
from etltctl.values import quoted_name, quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.sources.table import CatalogTable, DataFile, Load, Part

# Athena's SerDes that the embedded Athena lacks. Athena has no others.
OTHER_SERDES = frozenset([
    "org.apache.hadoop.hive.serde2.avro.AvroSerDe", "com.amazonaws.glue.serde.GrokSerDe",
    "com.amazon.emr.hive.serde.CloudTrailSerde", "org.apache.hive.hcatalog.data.CloudTrailSerde",
    "com.amazon.ionhiveserde.IonHiveSerDe", "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
    "org.apache.hadoop.hive.serde2.columnar.ColumnarSerDe", "org.apache.hadoop.hive.contrib.serde2.RegexSerDe",
    "org.apache.hadoop.hive.serde2.lazybinary.LazyBinarySerDe",
])  # fmt: skip


def make_view(table: CatalogTable, engine: duckdb.DuckDBPyConnection) -> None:
    """Make the table readable under its name: the catalog's columns and types, whatever the files call them."""
    database, name = schema_in_duckdb(table.name.database), quoted_name(table.name.name)
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {database}")
    if table.rows is not None:
        _make_rows(table, table.rows, engine)
        return
    selects = [_loaded(table, table.load, engine)] if table.load else [
        _select(table, partition, engine) for partition in dict.fromkeys(f.partition for f in table.files)
    ]  # fmt: skip
    if not selects:
        empty = [f"CAST(NULL AS {kind}) AS {quoted_name(key)}" for key, kind in table.columns.items()]
        selects = [f"SELECT {', '.join([*empty, f'NULL::VARCHAR AS {quoted_name(PATH)}'])} WHERE false"]
    # One query a partition: each may have its own columns, format and values.
    everything = " UNION ALL ".join(selects)
    shown = everything if table.parts is None else _seen(table, everything, engine)
    engine.execute(f"CREATE VIEW {database}.{name} AS {shown}")


def _loaded(table: CatalogTable, load: Load, engine: duckdb.DuckDBPyConnection) -> str:
    """Return the query of the rows that another library reads."""
    rows = load(table.columns_read, table.shows_paths)
    name = f"rows of {table.name.name} {id(rows)}"
    engine.register(name, rows)
    parts = []
    for column, kind in table.types.items():
        value = quoted_name(column) if column in rows.column_names else "NULL"
        if kind.is_zoned and value != "NULL":
            # The dialect keeps a time with a zone as the instant and the zone's name. The files have no zone.
            at = f"{value} AT TIME ZONE 'UTC'"
            value = f"CASE WHEN {value} IS NOT NULL THEN {{'at': {at}, 'zone': 'UTC'}} END"
        parts.append(f"CAST({value} AS {kind.duckdb}) AS {quoted_name(column)}")
    return f"SELECT {', '.join([*parts, quoted_name(PATH)])} FROM {quoted_name(name)}"


def _make_rows(
    table: CatalogTable, rows: Sequence[tuple[str | int | None, ...]], engine: duckdb.DuckDBPyConnection
) -> None:
    """Make a table of these rows, each value as the type of its column."""
    place = f"{schema_in_duckdb(table.name.database)}.{quoted_name(table.name.name)}"
    columns = ", ".join(f"{quoted_name(name)} {kind}" for name, kind in table.columns.items())
    engine.execute(f"CREATE TABLE {place} ({columns})")
    if rows:
        engine.executemany(f"INSERT INTO {place} VALUES ({', '.join('?' * len(table.columns))})", rows)


def _seen(table: CatalogTable, everything: str, engine: duckdb.DuckDBPyConnection) -> str:
    """Return what the parts add up to: rows of any of them, and in each row the columns of those that it satisfies."""
    parts = [(part, _rows_of(part, table, engine)) for part in table.parts or ()]
    # The path of a hidden row is hidden as well: the WHERE below applies to it.
    columns = [quoted_name(PATH)]
    for name in table.visible:
        of_column = [rows for part, rows in parts if name in part.columns]
        is_always = len(of_column) == len(parts) or "true" in of_column
        value = (
            quoted_name(name)
            if is_always
            else f"CASE WHEN {' OR '.join(of_column)} THEN {quoted_name(name)} END"
        )
        columns.append(f"{value} AS {quoted_name(name)}")
    rows = " OR ".join(rows for _, rows in parts)
    return f"SELECT {', '.join(columns)} FROM ({everything}) WHERE {rows}"


def _rows_of(part: Part, table: CatalogTable, engine: duckdb.DuckDBPyConnection) -> str:
    """Return the condition of a part's rows in DuckDB's SQL."""
    if not part.rows:
        return "true"
    condition, udfs = duckdb_expression(part.rows, table.types)
    register(engine, udfs)
    return f"({condition})"


def _select(table: CatalogTable, partition: tuple[str, ...], engine: duckdb.DuckDBPyConnection) -> str:
    """Return the query of the rows of one partition, with the columns of the table."""
    files = [file for file in table.files if file.partition == partition]
    source, there = _source(table, partition, files, engine)
    values = dict(zip(table.partition_columns, partition, strict=True)) if partition else {}
    parts = []
    for column, kind in table.columns.items():
        if column in values:
            # The folder's name decides, even if the file has a column of the same name.
            value = "NULL" if values[column] == DEFAULT_PARTITION else quoted_text(values[column])
        else:
            value = there.get(column, "NULL")
        parts.append(f"CAST({value} AS {kind}) AS {quoted_name(column)}")
    return f"SELECT {', '.join(parts)}, {there[PATH]} AS {quoted_name(PATH)} FROM {source}"


def _source(
    table: CatalogTable,
    partition: tuple[str, ...],
    files: Sequence[DataFile],
    engine: duckdb.DuckDBPyConnection,
) -> tuple[str, dict[str, str]]:
    """Return a DuckDB relation that has the rows of the files, and the SQL of each of its columns by name."""
    stored = table.stored_as(partition)
    serde: dict[str, Any] = stored.get("SerdeInfo") or {}
    # Tables that were made through the API without a SerDe have always been read as Parquet here.
    library = serde.get("SerializationLibrary") or columnar.PARQUET
    if library == columnar.PARQUET:
        return columnar.parquet(table, files, engine)
    if library == columnar.ORC:
        rows = columnar.orc(files)
    elif library in text.READERS:
        rows = text.read(files, stored, table.described.get("Parameters") or {}, table.columns_read)
    else:
        raise _unknown(library)
    # The name is the rows' own, so that no name in a query can mean it.
    name = f"rows {len(table.files)} {id(rows)}"
    engine.register(name, rows)
    return quoted_name(name), {column.lower(): quoted_name(column) for column in rows.column_names}


def _unknown(library: str) -> QueryError:
    if library in OTHER_SERDES:
        return unsupported(f"tables of the SerDe {library}")
    return QueryError("HIVE_UNSUPPORTED_FORMAT", f"Unable to create input format for the SerDe {library}")
