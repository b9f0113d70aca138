"""The files of rows that a statement writes: divided by partition and by bucket, as Hive divides them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from etltctl.hive import DEFAULT_PARTITION, escaped
from etltctl.local.services.athena.dialect import QueryError, Type, rendered
from etltctl.local.services.athena.file_formats import FileFormat
from etltctl.local.services.s3.directory import S3Directory

if TYPE_CHECKING:
    import pyarrow as pa

MOST_PARTITIONS = 100  # that one statement of Athena writes
LOCATION = re.compile(r"s3://([^/]+)/(.*)")


@dataclass(frozen=True)
class Layout:
    """How the rows of a statement lie in files."""

    format: FileFormat = field(default_factory=FileFormat)
    partitioned_by: tuple[str, ...] = ()
    bucketed_by: tuple[str, ...] = ()
    buckets: int = 0


@dataclass(frozen=True)
class Written:
    """The files of one partition: its values as text, its folder below the table's location, the files' URLs."""

    values: tuple[str, ...]
    folder: str
    urls: tuple[str, ...]


def place_of(location: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a location; the prefix ends in a slash.

    Raises:
        QueryError: the text is not a location of S3, or has an empty or a relative part.
    """
    place = LOCATION.fullmatch(location)
    if place is None:
        raise QueryError("SYNTAX_ERROR", f"'{location}' is not a location on S3: s3://bucket/prefix/")
    # S3 would take such keys, but on this machine they would lead out of the bucket's folder.
    key = place[2].removesuffix("/")
    if not key or any(part in ("", ".", "..") for part in key.split("/")):
        raise QueryError("INVALID_PROPERTY", f"'{location}' has a part that is empty, '.' or '..'")
    return place[1], f"{key}/"


def require_empty(location: str, directory: S3Directory, table: str = "") -> None:
    """Raise QueryError if there is an object below the location."""
    bucket, prefix = place_of(location)
    if directory.list_objects(bucket, prefix):
        named = f"table '{table}'" if table else "table"
        raise QueryError(
            "HIVE_PATH_ALREADY_EXISTS", f"Target directory for {named} already exists: s3://{bucket}/{prefix}"
        )


def write_rows(
    rows: pa.Table,
    kinds: Mapping[str, Type],
    layout: Layout,
    place: Callable[[tuple[str, ...], str], str],
    directory: S3Directory,
) -> list[Written]:
    """Write rows as files, each partition to its place.

    Args:
        rows: the rows, with the names of `kinds`.
        kinds: column → type, partition columns last.
        layout: the format, and how the rows are divided.
        place: returns the location of a partition from its values and its folder.
        directory: S3.

    Raises:
        QueryError: HIVE_TOO_MANY_OPEN_PARTITIONS before anything is written.
    """
    # Counted before the first file is written, so that a refusal leaves no file behind.
    parts = _partitions(rows, kinds, layout.partitioned_by)
    if len(parts) > MOST_PARTITIONS:
        raise QueryError(
            "HIVE_TOO_MANY_OPEN_PARTITIONS",
            f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions/buckets",
        )
    # A column that an insert leaves out is not a column of the file. A reader takes it for null.
    inner = {name: kind for name, kind in kinds.items() if name not in layout.partitioned_by}
    written = []
    for values, part in parts.items():
        folder = "".join(
            f"{escaped(name)}={escaped(text)}/"
            for name, text in zip(layout.partitioned_by, values, strict=True)
        )
        bucket, prefix = place_of(place(values, folder))
        # A new name for each statement: an insert must not replace a file of another one.
        name = uuid4().hex
        urls = []
        for end, piece in _buckets(part, inner, layout):
            key = f"{prefix}{name}{end}{layout.format.suffix}"
            directory.put_object(bucket, key, layout.format.content(piece, inner))
            urls.append(f"s3://{bucket}/{key}")
        written.append(Written(values, folder, tuple(urls)))
    return written


def _partitions(
    rows: pa.Table, kinds: Mapping[str, Type], partitioned_by: Sequence[str]
) -> dict[tuple[str, ...], pa.Table]:
    """Return the rows without their partition columns, by the values of these as text."""
    if not partitioned_by:
        # Athena writes no file for no rows. Readers of the manifest count on it.
        return {(): rows} if rows.num_rows else {}
    indices: dict[tuple[str, ...], list[int]] = {}
    columns = [_texts(rows.column(name).to_pylist(), kinds[name]) for name in partitioned_by]
    for index, values in enumerate(zip(*columns, strict=True)):
        indices.setdefault(values, []).append(index)
    kept = rows.drop_columns(list(partitioned_by))
    return {values: _taken(kept, chosen) for values, chosen in indices.items()}


def _texts(values: Sequence[Any], kind: Type) -> list[str]:
    # Hive has one name for a null and for an empty text.
    return [rendered(value, kind) or DEFAULT_PARTITION for value in values]


def _buckets(rows: pa.Table, kinds: Mapping[str, Type], layout: Layout) -> list[tuple[str, pa.Table]]:
    """Return the rows by the end of their file's name: one file for each bucket, also for an empty one."""
    if not layout.buckets:
        return [("", rows)]
    indices: list[list[int]] = [[] for _ in range(layout.buckets)]
    columns = [(rows.column(name).to_pylist(), kinds[name]) for name in layout.bucketed_by]
    for index in range(rows.num_rows):
        code = 0
        for values, kind in columns:
            # Java's arithmetic on 32 bits, which overflows silently.
            code = (31 * code + hive_hash(values[index], kind)) & 0xFFFFFFFF
        indices[(code & 0x7FFFFFFF) % layout.buckets].append(index)
    return [(f"_bucket-{number:05d}", _taken(rows, chosen)) for number, chosen in enumerate(indices)]


def _taken(rows: pa.Table, indices: Sequence[int]) -> pa.Table:
    import pyarrow as pa

    return rows.take(pa.array(indices, pa.int64()))  # an empty list alone would have no type


def hive_hash(value: Any, kind: Type) -> int:
    """Return Hive's hash code of a value, which chooses its bucket: 32 bits, as Java's hashCode in most types.

    Raises:
        QueryError: NOT_SUPPORTED for a type whose hash is not modelled.
    """
    if value is None:
        return 0
    if kind.is_("boolean"):
        return int(value)
    if kind.is_("tinyint", "smallint", "integer"):
        return int(value) & 0xFFFFFFFF
    # Long.hashCode folds the upper half onto the lower one.
    if kind.is_("bigint"):
        bits = int(value) & 0xFFFFFFFFFFFFFFFF
        return (bits ^ bits >> 32) & 0xFFFFFFFF
    if kind.is_("date"):
        return int(value.toordinal() - 719_163) & 0xFFFFFFFF  # days since 1970
    if kind.is_text:
        # Hive hashes bytes of UTF-8, which are signed in Java, and not characters.
        code = 0
        for byte in str(value).encode():
            code = (31 * code + (byte - 256 if byte > 127 else byte)) & 0xFFFFFFFF
        return code
    raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not bucket by a column of type {kind}")
