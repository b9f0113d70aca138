"""UNLOAD: a query's rows as Parquet files below a location that has to be empty, and a manifest of the files."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from etltctl.hive import DEFAULT_PARTITION
from etltctl.local.services.athena.dialect import QueryError, Type, parse, rendered
from etltctl.local.services.athena.engine import Answer, answered
from etltctl.local.services.athena.tables import Lake

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect import Translation

STATEMENT = re.compile(r"(?is)\s*unload\s*\((.*)\)\s*to\s*'([^']*)'\s*with\s*\((.*)\)\s*;?\s*")
LOCATION = re.compile(r"s3://([^/]+)/(.*)")
OPTION = re.compile(r"(?is)\s*(\w+)\s*=\s*(?:'([^']*)'|(\d+)|array\s*\[([^\]]*)\])\s*(?:,|$)")
FORMATS = ("PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE")
CODECS = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "NONE": "none"}
OTHER_CODECS = ("ZLIB", "LZ4", "DEFLATE", "BZIP2")  # Athena has them, for other formats
UNSAFE = re.compile(r"[\x00-\x1f\"#%'*/:=?\\\x7f{}\[\]^]")  # what Hive escapes in a folder's name


@dataclass(frozen=True)
class Options:
    """What stands in WITH."""

    codec: str = "gzip"
    level: int | None = None
    partitioned_by: tuple[str, ...] = ()


def unload(
    sql: str,
    parameters: Sequence[str],
    database: str,
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    on_plan: Callable[[int], None] | None = None,
) -> Answer:
    """Write the rows of the query inside; the answer has no rows but the URLs of the files.

    Raises:
        QueryError: in Athena's words, if the statement is refused or the query fails.
    """
    statement = STATEMENT.fullmatch(sql)
    if statement is None:
        raise QueryError(
            "SYNTAX_ERROR", "line 1:1: mismatched input; expecting UNLOAD (query) TO 's3://…' WITH (…)"
        )
    inner, location, text = statement.groups()
    options, (bucket, prefix) = _options(text), _place(location)
    query = parse(inner)
    if not isinstance(query, exp.Query):
        raise QueryError("SYNTAX_ERROR", "line 1:1: mismatched input; UNLOAD takes a query")
    if lake.directory.list_objects(bucket, prefix):
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory for table already exists: s3://{bucket}/{prefix}"
        )
    with (
        answered(query, parameters, database, engine, lake, on_plan) as (done, translation, scanned),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # of a copy that does not matter here
        kinds = _kinds(translation, options)
        read: pa.Table = done.to_arrow_table()
    rows: pa.Table = read.rename_columns(list(kinds))
    files = []
    for folder, part in _parts(rows, kinds, options.partitioned_by):
        key = f"{prefix}{folder}{uuid4().hex}"
        lake.directory.put_object(bucket, key, _parquet(part, options))
        files.append(f"s3://{bucket}/{key}")
    return replace(Answer([], [], scanned), manifest=tuple(files))


def _place(location: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a location, which ends in a slash.

    Raises:
        QueryError: if it is not a location of S3, or has an empty or a relative part.
    """
    place = LOCATION.fullmatch(location)
    if place is None:
        raise QueryError("SYNTAX_ERROR", f"'{location}' is not a location on S3: s3://bucket/prefix/")
    key = place[2].removesuffix("/")
    if not key or any(part in ("", ".", "..") for part in key.split("/")):
        raise QueryError("INVALID_PROPERTY", f"'{location}' has a part that is empty, '.' or '..'")
    return place[1], f"{key}/"


def _options(text: str) -> Options:
    """Read what stands in WITH.

    Raises:
        QueryError: if an option is unknown, stands twice, or is not supported.
    """
    properties = _properties(text)
    form, codec = (
        str(properties.pop("format", "")).upper(),
        str(properties.pop("compression", "GZIP")).upper(),
    )
    level, partitions = properties.pop("compression_level", None), properties.pop("partitioned_by", ())
    delimiter = properties.pop("field_delimiter", None)
    if properties:
        raise QueryError("INVALID_PROPERTY", f"UNLOAD has no property {', '.join(sorted(properties))}")
    if form not in FORMATS:
        raise QueryError(
            "INVALID_PROPERTY", f"UNLOAD needs format, one of {', '.join(FORMATS)}; it is '{form}'"
        )
    if delimiter is not None and form != "TEXTFILE":
        raise QueryError("INVALID_PROPERTY", "field_delimiter is a property of format TEXTFILE")
    if form != "PARQUET":
        raise QueryError("NOT_SUPPORTED", f"the embedded Athena unloads in format PARQUET only, not {form}")
    if not isinstance(partitions, tuple):
        raise QueryError("INVALID_PROPERTY", "partitioned_by takes ARRAY['column', …]")
    return Options(_codec(codec, level), level, partitions)


def _codec(codec: str, level: int | None) -> str:
    if codec not in CODECS:
        name = "NOT_SUPPORTED" if codec in OTHER_CODECS else "INVALID_PROPERTY"
        raise QueryError(name, f"the compression {codec} is not supported for format PARQUET")
    if level is not None and codec != "ZSTD":
        raise QueryError("INVALID_PROPERTY", "compression_level is a property of compression ZSTD")
    return CODECS[codec]


def _properties(text: str) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    at = 0
    while at < len(text.rstrip()):
        option = OPTION.match(text, at)
        if option is None:
            raise QueryError("SYNTAX_ERROR", f"line 1:1: mismatched input '{text[at:].strip()}' in WITH")
        name, word, number, names = option.groups()
        if name.lower() in properties:
            raise QueryError("INVALID_PROPERTY", f"the property {name.lower()} stands twice")
        properties[name.lower()] = word if word is not None else (int(number) if number else _names(names))
        at = option.end()
    return properties


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"'[^']+'", name) for name in names):
        raise QueryError("SYNTAX_ERROR", f"line 1:1: mismatched input 'ARRAY[{text}]'")
    return tuple(name.strip("'").lower() for name in names)


def _kinds(translation: Translation, options: Options) -> dict[str, Type]:
    """Return the types of the columns by their names, in lower case as in Hive."""
    kinds = {name.lower(): kind for name, kind in translation.columns}
    if len(kinds) < len(translation.columns):
        raise QueryError("DUPLICATE_COLUMN_NAME", "line 1:1: a column name is there twice")
    for kind in kinds.values():
        if kind.is_("unknown", "json", "time", "timestamp with time zone") or kind.name.startswith(
            "interval"
        ):
            raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
    last = tuple(kinds)[-len(options.partitioned_by) :] if options.partitioned_by else ()
    missing = [name for name in options.partitioned_by if name not in kinds]
    if missing:
        raise QueryError("INVALID_PROPERTY", f"Partition column {missing[0]} not present in schema")
    if last != options.partitioned_by:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH", "Partition keys must be the last columns in the table and in the same order "
            f"as the table properties: {list(options.partitioned_by)}",
        )  # fmt: skip
    if len(options.partitioned_by) == len(kinds):
        raise QueryError("INVALID_PROPERTY", "Table contains only partition columns")
    return kinds


def _parts(
    rows: pa.Table, kinds: dict[str, Type], partitioned_by: tuple[str, ...]
) -> list[tuple[str, pa.Table]]:
    """Return the rows by the folder that they belong to."""
    if not partitioned_by:
        return [("", rows)] if rows.num_rows else []
    folders: dict[str, list[int]] = {}
    columns = [rows.column(name).to_pylist() for name in partitioned_by]
    for index, values in enumerate(zip(*columns, strict=True)):
        pairs = zip(partitioned_by, values, strict=True)
        folder = "".join(f"{_escaped(name)}={_folder(value, kinds[name])}/" for name, value in pairs)
        folders.setdefault(folder, []).append(index)
    kept = rows.drop_columns(list(partitioned_by))
    return [(folder, kept.take(indices)) for folder, indices in folders.items()]


def _folder(value: Any, kind: Type) -> str:
    text = rendered(value, kind)
    return _escaped(text) if text else DEFAULT_PARTITION


def _escaped(text: str) -> str:
    """Return a part of a folder's name as Hive writes it."""
    return UNSAFE.sub(lambda character: f"%{ord(character[0]):02X}", text)


def _parquet(rows: pa.Table, options: Options) -> bytes:
    body = io.BytesIO()
    pq.write_table(rows, body, compression=options.codec, compression_level=options.level)
    return body.getvalue()
