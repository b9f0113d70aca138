"""The files of a table: its columns, partitions and rows, read from their listing and their footers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from etltctl.catalog import Described, Table, hive_columns, projection, widened
from etltctl.errors import RETRY, BlockedError, NextStep, command
from etltctl.hive import DEFAULT_PARTITION, partition_folder, partition_of, unescaped
from etltctl.places import version_of
from etltctl.publishing.version_history import FILES, ROWS, SCHEMA, VERSION, WRITTEN, files_hash, schema_hash
from etltctl.s3 import PARQUET, S3, Footer, Footers, S3Object, is_data

INTEGERS = {"int": 32, "bigint": 64}  # bits, the smaller type first


@dataclass(frozen=True)
class InspectedTable:
    """A table as its files make it, its rows, and the footers of its files."""

    table: Table
    rows: int
    footers: Sequence[Footer]


@dataclass(frozen=True)
class Inspector:
    """The reader of tables' files; a file that it has read before is not opened again."""

    s3: S3
    footers: Footers

    def files(self, location: str) -> list[S3Object]:
        """Return the Parquet files below the location that readers see."""
        return parquet_files(location, self.s3.objects(location))

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
        before: Described | None = None,
    ) -> InspectedTable:
        """Return the table that these files make.

        Args:
            name: The table as `layer.table`.
            place: Its database and name in the catalog.
            location: The folder of the files.
            files: The files.
            is_projected: Whether Athena computes the partitions, where that is possible.
            allow_widening: Whether types may differ that engines read differently.
            current: The table whose partition columns keep their types.
            before: The table whose types partition columns take that have no value but null.

        Raises:
            BlockedError: The files disagree, or hold what Athena cannot read.
        """
        footers = self.footers.of(name, files)
        rows = sum(footer.rows for footer in footers)
        columns = merged_columns(name, footers, allow_widening=allow_widening)
        # Hive takes the last columns of a table from its paths, and no file holds them.
        layout = layout_of(name, location, files)
        types = partition_types(name, layout.values, current, before)
        _require_apart(name, columns, types)
        parameters = {
            ROWS: str(rows),
            FILES: files_hash(files),
            SCHEMA: schema_hash(columns, types),
            # The newest file and not the present time: a refresh tomorrow must find the same.
            WRITTEN: max(file.modified for file in files).isoformat(),
        }
        if version := version_of(location):
            parameters[VERSION] = version
        # Projection switches all partitions in one call; registered ones are for paths that it cannot compute.
        computed = None
        if layout.spelt and is_projected:
            computed = projection(location, layout.partitions, layout.spelt, types)
        table = Table(*place, location, columns, types, {**parameters, **(computed or {})})
        if computed is None:
            table = replace(table, registered=layout.partitions)
        return InspectedTable(table, rows, footers)


def _require_apart(table: str, columns: Mapping[str, str], partitions: Mapping[str, str]) -> None:
    for name in partitions:
        if name in columns:
            raise BlockedError(
                f"{table} has the column {name} both in its files and in the names of its folders",
                hint="leave it out of the files where they are written, as Spark's partitionBy does",
            )


def parquet_files(location: str, objects: Iterable[S3Object]) -> list[S3Object]:
    """Return the objects named as Parquet that readers of the location see."""
    return [one for one in objects if one.key.endswith(PARQUET) and is_data(location, one.key)]


def foreign_objects(location: str, objects: Iterable[S3Object]) -> list[S3Object]:
    """Return the objects with content that Athena reads as Parquet although they are not named so."""
    # Athena reads every object below a table's location that is not hidden by its name, whatever its name ends with.
    return [
        one for one in objects if one.size and is_data(location, one.key) and not one.key.endswith(PARQUET)
    ]


def require_parquet_alone(table: str, location: str, objects: Iterable[S3Object]) -> None:
    """Check that a table's folder holds no objects with content that are not named as Parquet.

    Raises:
        BlockedError: It holds such an object.
    """
    others = foreign_objects(location, objects)
    if others:
        count = f"{len(others)} objects" if len(others) > 1 else "an object"
        raise BlockedError(
            f"next to the Parquet files of {table} lies {count} that is not called *.parquet, and Athena reads it "
            f"as Parquet: {others[0].location}",
            # A refresh publishes no version: only the command that was to publish it does.
            hint=NextStep(
                "move it out of the table's folder, then: ",
                RETRY if version_of(location) else command("athena", "refresh"),
            ),
        )


def merged_columns(name: str, footers: Sequence[Footer], *, allow_widening: bool = False) -> dict[str, str]:
    """Return the columns that read all files of a table: all that a file has, each with the widest of its types.

    Args:
        name: The table, to name it in an error.
        footers: The footers of its files.
        allow_widening: Whether types may differ that engines read differently.

    Raises:
        BlockedError: No type reads a column of two files; the error names the types and a file of each.
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
    # A table of thousands of files has a few schemas. Comparing them is cheap; merging each is not.
    distinct: list[Footer] = []
    for footer in footers:
        if not any(footer.schema is other.schema or footer.schema.equals(other.schema) for other in distinct):
            distinct.append(footer)
    return distinct


def _disagreement(
    name: str, column: str, kinds: tuple[str, str], files: tuple[S3Object, S3Object], is_final: bool
) -> BlockedError:
    hint = "move the files of the old kind away, or write them again"
    if not is_final:
        hint += f'; if every reader copes with both, set tables."{name}".allow_widening = true'
    return BlockedError(
        f"the files of {name} disagree about {column}: {kinds[0]} in one, {kinds[1]} in another",
        hint=hint,
        one=files[0].location,
        another=files[1].location,
    )


@dataclass(frozen=True)
class Layout:
    """The partitions in a table's paths: the columns as they are spelt, and each partition's folder by its values.

    Values are unescaped as Hive does. Null and the empty text are `__HIVE_DEFAULT_PARTITION__`.
    """

    spelt: Sequence[str] = ()
    partitions: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, list[str]]:
        """Return the values that each column has, by its name in lower case, in the order of the paths."""
        return {
            name.lower(): list(dict.fromkeys(values[number] for values in self.partitions))
            for number, name in enumerate(self.spelt)
        }


def layout_of(table: str, location: str, files: Iterable[S3Object]) -> Layout:
    """Return the partitions in the paths of the files.

    Raises:
        BlockedError: Readers would not see the rows of every file, because the paths have no partition columns in
            common, a value is missing, or a partition lies in two folders.
    """
    # Hive compares names without regard to case. Projection spells them as the path of the first file does.
    spelt: tuple[str, ...] | None = None
    partitions: dict[tuple[str, ...], str] = {}
    first = ""
    for file in files:
        folder, parts = _partition_folder(location, file)
        names = tuple(unescaped(name) for name, _ in parts)
        if spelt is None:
            spelt, first = names, file.location
        if [name.lower() for name in names] != [name.lower() for name in spelt]:
            raise _unreadable_layout(
                table, "the files lie in folders of different partition columns", first, file
            )
        if any(not value for _, value in parts):
            raise _unreadable_layout(table, "a folder names a partition column without a value", "", file)
        values = tuple(unescaped(value) for _, value in parts)
        if values and partitions.setdefault(values, folder) != folder:
            raise _unreadable_layout(table, "one partition lies in two folders", partitions[values], file)
    return Layout(spelt or (), partitions)


def _partition_folder(location: str, file: S3Object) -> tuple[str, list[tuple[str, str]]]:
    """Return the folder of the file's partition, and the names and raw values of its columns."""
    folder = partition_folder(file.location.removeprefix(location))
    return f"{location}{folder}/", partition_of(folder)


def _unreadable_layout(table: str, why: str, other: str, file: S3Object) -> BlockedError:
    return BlockedError(
        f"{table} cannot be read whole: {why}",
        hint="write the files again, into folders of the same columns, such as year=2024/; the table stays as it is",
        one=other,
        another=file.location,
    )


def partition_types(
    table: str,
    values: Mapping[str, Sequence[str]],
    current: Described | None = None,
    before: Described | None = None,
) -> dict[str, str]:
    """Return the types of the partition columns by their values; null has any type.

    Args:
        table: The table, to name it in an error.
        values: The values of each column.
        current: A table whose types the columns keep.
        before: A table whose types are taken for columns that have no value but null.

    Raises:
        BlockedError: A whole-number column of `current` cannot hold a value.
    """
    known = _known_types(current)
    for name, seen in values.items():
        kind = known.get(name, "")
        if kind in INTEGERS:
            odd = next((value for value in _not_null(seen) if not _fits(value, kind)), None)
            if odd is not None:
                raise BlockedError(
                    f"{table} has the partition {name}={odd}, but {name} is {kind} in the catalog",
                    hint="move that folder away, or make the column a string in the catalog",
                )
    earlier = _known_types(before)
    return {
        name: known.get(name) or (partition_type(seen) if _not_null(seen) else earlier.get(name, "string"))
        for name, seen in values.items()
    }


def partition_type(values: Iterable[str]) -> str:
    """Return `int` or `bigint` if every value but null is a whole number as Athena would write it, else `string`."""
    seen = _not_null(values)
    fitting = (kind for kind in INTEGERS if seen and all(_fits(value, kind) for value in seen))
    return next(fitting, "string")


def _known_types(described: Described | None) -> dict[str, str]:
    return {key["Name"]: key["Type"] for key in (described or {}).get("PartitionKeys") or []}


def _not_null(values: Iterable[str]) -> list[str]:
    return [value for value in values if value != DEFAULT_PARTITION]


def _fits(value: str, kind: str) -> bool:
    # One bit is the sign.
    bits = INTEGERS[kind] - 1
    # `007` and `+1` are whole numbers that Athena would write in another way: such a folder would not be found.
    return bool(re.fullmatch(r"0|-?[1-9]\d*", value)) and -(2**bits) <= int(value) < 2**bits
