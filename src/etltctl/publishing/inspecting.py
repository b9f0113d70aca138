"""What the files of a table say: columns, partitions and rows, from their listing and their footers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from etltctl.catalog import Described, Table, hive_columns, projection, widened
from etltctl.errors import BlockedError
from etltctl.publishing.history import FILES, ROWS, SCHEMA, VERSION, WRITTEN
from etltctl.publishing.places import version_of
from etltctl.s3 import S3, Footer, Footers, S3Object, is_data


@dataclass(frozen=True)
class Found:
    """A table as its files say that it is, its rows, every partition's location by its values, its files' footers."""

    table: Table
    rows: int
    partitions: Mapping[tuple[str, ...], str]
    footers: Sequence[Footer]


@dataclass(frozen=True)
class Inspector:
    """Looks at the files of tables; files it has seen before are not opened again."""

    s3: S3
    footers: Footers

    def files(self, location: str) -> list[S3Object]:
        """The Parquet files below the location that readers see."""
        return [
            found
            for found in self.s3.objects(location)
            if found.key.endswith(".parquet") and is_data(location, found.key)
        ]

    def inspect(
        self,
        name: str,
        place: tuple[str, str],
        location: str,
        files: Sequence[S3Object],
        *,
        is_projected: bool,
        allow_widening: bool = False,
        current: Described | None = None,
    ) -> Found:
        """The table that these files make; `place` is its database and name.

        Raises BlockedError where the files disagree, or hold what Athena cannot read.
        """
        footers = self.footers.of(name, files)
        rows = sum(footer.rows for footer in footers)
        columns = merged_columns(name, footers, allow_widening=allow_widening)
        values = partition_values(location, files)
        types = partition_types(name, values, current)
        parameters = {
            ROWS: str(rows),
            FILES: files_hash(files),
            SCHEMA: schema_hash(columns, types),
            WRITTEN: max(file.modified for file in files).isoformat(),
        }
        if version := version_of(location):
            parameters[VERSION] = version
        if values and is_projected:
            parameters |= projection(location, values, types)
        table = Table(*place, location, columns, types, parameters)
        return Found(table, rows, partition_locations(location, files), footers)


def merged_columns(name: str, footers: Sequence[Footer], *, allow_widening: bool = False) -> dict[str, str]:
    """The columns that read all files of a table: the union of theirs, each with the widest of its types.

    Raises BlockedError naming the column, the types and a file of each where no type reads both.
    """
    merged: dict[str, str] = {}
    seen: dict[str, S3Object] = {}
    for footer in _one_a_schema(footers):
        for column, kind in hive_columns(footer.schema, name).items():
            both = widened(merged.get(column, kind), kind)
            if both is None or not (both.is_safe or allow_widening):
                raise _disagreement(
                    name, column, (merged[column], kind), (seen[column], footer.object), both is None
                )
            merged[column] = both.type
            seen[column] = footer.object
    return merged


def _one_a_schema(footers: Iterable[Footer]) -> list[Footer]:
    found: list[Footer] = []
    for footer in footers:
        if not any(footer.schema is other.schema or footer.schema.equals(other.schema) for other in found):
            found.append(footer)
    return found


def _disagreement(
    name: str, column: str, kinds: tuple[str, str], files: tuple[S3Object, S3Object], is_final: bool
) -> BlockedError:
    hint = "move the files of the old kind away, or write them anew"
    if not is_final:
        hint += f'; if you know that every reader copes, set tables."{name}".allow_widening = true'
    return BlockedError(
        f"the files of {name} disagree about {column}: {kinds[0]} in one, {kinds[1]} in another",
        hint=hint,
        one=files[0].location,
        another=files[1].location,
    )


def files_hash(files: Iterable[S3Object]) -> str:
    """The same for the same files, by their keys and ETags."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.key}\0{file.etag}\n".encode())
    return digest.hexdigest()[:32]


def schema_hash(columns: Mapping[str, str], partitions: Mapping[str, str]) -> str:
    """The same for the same columns and partition columns, in whatever order."""
    listed = sorted(columns.items()) + sorted(partitions.items())
    return hashlib.sha256(repr(listed).encode()).hexdigest()[:16]


def partition_values(location: str, files: Iterable[S3Object]) -> dict[str, list[str]]:
    """The partition columns in the paths below the location, in order, with the values seen."""
    values: dict[str, dict[str, None]] = {}
    for found in files:
        for name, value in _parts(location, found):
            values.setdefault(name, {})[value] = None
    return {name: list(seen) for name, seen in values.items()}


def partition_locations(location: str, files: Iterable[S3Object]) -> dict[tuple[str, ...], str]:
    """Where each partition lies, by its values."""
    found: dict[tuple[str, ...], str] = {}
    for file in files:
        if parts := _parts(location, file):
            found[tuple(unquote(value) for _, value in parts)] = file.location.rpartition("/")[0] + "/"
    return found


def _parts(location: str, file: S3Object) -> list[tuple[str, str]]:
    below = file.location.removeprefix(location).split("/")[:-1]
    return [
        (name.lower(), value) for name, is_part, value in (part.partition("=") for part in below) if is_part
    ]


def partition_types(
    table: str, values: Mapping[str, Sequence[str]], current: Described | None = None
) -> dict[str, str]:
    """The types of the partition columns: the catalog's where it has them, else by the values.

    Raises BlockedError for a value that a whole-number column of the catalog cannot hold.
    """
    listed = current.get("PartitionKeys", []) if current else []
    known = {column["Name"]: column["Type"] for column in listed}
    for name, seen in values.items():
        if known.get(name) in ("int", "bigint") and partition_type(seen) != "int":
            odd = next(value for value in seen if partition_type([value]) != "int")
            raise BlockedError(
                f"{table} has the partition {name}={odd}, but {name} is {known[name]} in the catalog",
                hint="move that folder away, or make the column a string in the catalog",
            )
    return {name: known.get(name) or partition_type(seen) for name, seen in values.items()}


def partition_type(values: Iterable[str]) -> str:
    """`int` if every value is a whole number written as Athena would write it, else `string`."""
    return "int" if all(re.fullmatch(r"0|-?[1-9]\d*", value) for value in values) else "string"
