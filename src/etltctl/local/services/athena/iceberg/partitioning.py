"""Partition transforms: as statements write them, and the rows of each partition."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.partitioning import _to_partition_representation as physical
from pyiceberg.schema import Schema
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    TruncateTransform,
    VoidTransform,
    YearTransform,
)
from pyiceberg.typedef import Record

from etltctl.local.services.athena.dialect import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_PARTITIONS = 100  # that one statement of Athena writes
TIMES: dict[str, Transform[Any, Any]] = {
    "year": YearTransform(), "month": MonthTransform(), "day": DayTransform(), "hour": HourTransform(),
}  # fmt: skip
SIZED: dict[str, Callable[[int], Transform[Any, Any]]] = {
    "bucket": BucketTransform,
    "truncate": TruncateTransform,
}
ENDS = {"truncate": "trunc"}  # of the name of a partition field, where it is not the transform's own name
FIELD = re.compile(r'"?(\w+)"?(?:\s*\(\s*(\w+|"\w+")\s*(?:,\s*(\w+|"\w+")\s*)?\))?')


@dataclass(frozen=True)
class Partition:
    """The values of one partition, as the library asks for them when it writes a file."""

    partition: Record
    spec: PartitionSpec
    schema: Schema

    def to_path(self) -> str:
        """Return the folder of the partition's files below that of the data."""
        return self.spec.partition_to_path(self.partition, self.schema)


def spec_of(texts: Sequence[str], schema: Schema) -> PartitionSpec:
    """Return the partition spec of a new table.

    Args:
        texts: A column or a transform each: `c`, `day(c)`, `bucket(16, c)`, `truncate(c, 4)`.
        schema: The columns.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY for a text that is not a transform of a column.
    """
    fields = [_field(text, schema, PARTITION_FIELD_ID_START + index) for index, text in enumerate(texts)]
    names = [field.name for field in fields]
    if len(set(names)) < len(names):
        raise QueryError("INVALID_TABLE_PROPERTY", f"Invalid partition field declaration: {', '.join(texts)}")
    return PartitionSpec(*fields)


def _field(text: str, schema: Schema, number: int) -> PartitionField:
    word, column, size = _parts(text)
    transform: Transform[Any, Any]
    if word in SIZED and size:
        transform = SIZED[word](size)
    elif word in TIMES and not size:
        transform = TIMES[word]
    elif word == "identity" and not size:
        transform = IdentityTransform()
    else:
        raise _invalid(text)
    source = next((field for field in schema.fields if field.name == column), None)
    if source is None:
        raise QueryError("INVALID_TABLE_PROPERTY", f"Column '{column}' not found in schema")
    if not transform.can_transform(source.field_type):
        raise QueryError(
            "INVALID_TABLE_PROPERTY", f"Invalid source type {source.field_type} for transform: {transform}"
        )
    # The names are those of Iceberg's own builder, so that other engines find the same.
    name = column if word == "identity" else f"{column}_{ENDS.get(word, word)}"
    return PartitionField(source.field_id, number, transform, name)


def _parts(text: str) -> tuple[str, str, int]:
    """Return the transform, the column, and the number in it or 0."""
    match = FIELD.fullmatch(text.strip())
    if match is None:
        raise _invalid(text)
    word, *arguments = (part.strip('"').lower() if part else "" for part in match.groups())
    if match[2] is None:
        return "identity", word, 0
    # CREATE TABLE puts the number first, and CREATE TABLE AS the column.
    numbers = [int(part) for part in arguments if part.isdigit()]
    names = [part for part in arguments if part and not part.isdigit()]
    if len(names) != 1 or len(numbers) != (word in SIZED):
        raise _invalid(text)
    return word, names[0], numbers[0] if numbers else 0


def _invalid(text: str) -> QueryError:
    return QueryError("INVALID_TABLE_PROPERTY", f"Invalid partition field declaration: {text}")


def divided(
    rows: pa.Table, spec: PartitionSpec, schema: Schema
) -> Iterator[tuple[Partition | None, pa.Table]]:
    """Yield the rows of each partition.

    The library does the same with a further library of 30 MB, which is left out here.

    Raises:
        QueryError: ICEBERG_TOO_MANY_OPEN_PARTITIONS before any row is written.
    """
    import pyarrow as pa

    if not rows.num_rows:
        return
    if spec.is_unpartitioned():
        yield None, rows
        return
    columns = [_keys(rows, field, schema) for field in spec.fields]
    indices: dict[tuple[Any, ...], list[int]] = {}
    for index, key in enumerate(zip(*columns, strict=True)):
        indices.setdefault(key, []).append(index)
    if len(indices) > MOST_PARTITIONS:
        raise QueryError(
            "ICEBERG_TOO_MANY_OPEN_PARTITIONS",
            f"Exceeded limit of {MOST_PARTITIONS} open writers for partitions.",
        )
    for key, chosen in indices.items():
        yield Partition(Record(*key), spec, schema), rows.take(pa.array(chosen, pa.int64()))


def _keys(rows: pa.Table, field: PartitionField, schema: Schema) -> list[Any]:
    """Return the value of a partition field for each row."""
    if isinstance(field.transform, VoidTransform):
        return [None] * rows.num_rows
    source = schema.find_field(field.source_id)
    transform = field.transform.transform(source.field_type)
    known: dict[Any, Any] = {}
    keys = []
    for value in rows.column(schema.find_column_name(field.source_id)).to_pylist():
        if value not in known:
            known[value] = None if value is None else transform(physical(source.field_type, value))
        keys.append(known[value])
    return keys
