"""UNLOAD: a query's rows as Parquet files below a location that has to be empty."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from etltctl.local.athena.dialect import QueryError, parse
from etltctl.local.athena.engine import Answer, answered
from etltctl.local.athena.tables import Lake

STATEMENT = re.compile(r"(?is)\s*unload\s*\((.*)\)\s*to\s*'s3://([^/']+)/([^']*)'\s*with\s*\((.*)\)\s*;?\s*")
OPTION = re.compile(r"(\w+)\s*=\s*'(\w+)'")
CODECS = ("SNAPPY", "GZIP", "ZSTD", "NONE")


def is_unload(sql: str) -> bool:
    """Whether the statement is an UNLOAD."""
    return re.match(r"(?i)\s*unload\b", sql) is not None


def unload(
    sql: str,
    parameters: Sequence[str],
    database: str,
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    on_plan: Callable[[int], None] | None = None,
) -> Answer:
    """Writes the rows of the query inside and answers without rows; raises QueryError in Athena's words."""
    found = STATEMENT.fullmatch(sql)
    if found is None:
        raise QueryError(
            "SYNTAX_ERROR", "line 1:1: mismatched input; expecting UNLOAD (query) TO 's3://…' WITH (…)"
        )
    inner, bucket, key, options = found.groups()
    codec = _codec(options)
    prefix = key if key.endswith("/") or not key else f"{key}/"
    if lake.directory.list_objects(bucket, prefix):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory already exists: s3://{bucket}/{prefix}"
        )
    query = parse(inner)
    if not isinstance(query, exp.Query):
        raise QueryError("NOT_SUPPORTED", "UNLOAD takes a query")
    with (
        answered(query, parameters, database, engine, lake, on_plan) as (done, translation, scanned),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # of a copy that does not matter here
        rows: pa.Table = done.to_arrow_table().rename_columns([name for name, _ in translation.columns])
    if len(set(rows.column_names)) < rows.num_columns:
        raise QueryError("SYNTAX_ERROR", "line 1:1: a column name is there twice")
    if rows.num_rows:
        body = io.BytesIO()
        pq.write_table(_as_athena_s(rows), body, compression=codec)
        lake.directory.put_object(bucket, f"{prefix}{uuid4().hex}.parquet", body.getvalue())
    return Answer([], [], scanned)


def _codec(text: str) -> str:
    options: dict[str, str] = {name.lower(): value.upper() for name, value in OPTION.findall(text)}
    if options.pop("format", "") != "PARQUET":
        raise QueryError("NOT_SUPPORTED", "the embedded Athena unloads in format PARQUET only")
    codec = options.pop("compression", "GZIP")
    if options or codec not in CODECS:
        raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not model UNLOAD WITH ({text})")
    return codec


def _as_athena_s(rows: pa.Table) -> pa.Table:
    """DuckDB sums integers into 128 bits, Athena into 64."""
    fields = [
        field.with_type(pa.int64()) if pa.types.is_decimal(field.type) and field.type.precision == 38
        and field.type.scale == 0 else field
        for field in rows.schema
    ]  # fmt: skip
    return rows.cast(pa.schema(fields))
