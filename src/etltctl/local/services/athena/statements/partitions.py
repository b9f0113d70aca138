"""Partitions: ALTER TABLE … ADD, DROP and RENAME PARTITION, MSCK REPAIR TABLE, SHOW PARTITIONS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from etltctl.hive import folder_of, partition_of, unescaped
from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.databases import DDL_TASK
from etltctl.local.services.athena.statements.hive import failed, keys_of, table_of, texts
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement

AT_ONCE = {"BatchCreatePartition": 100, "BatchDeletePartition": 25}  # partitions a call, Glue's own limits
Stored = dict[str, Any]


@dataclass(frozen=True)
class Altered:
    """What an ALTER TABLE changes.

    Attributes:
        execution: The statement.
        name: The name of the table.
        table: The table in the catalog's shape.
        partition: The values after the first PARTITION; empty if it changes the table.
    """

    execution: Execution
    name: TableName
    table: dict[str, Any]
    partition: dict[str, str]


Action = Callable[[Altered], None]


def read_action(reader: Reader, *, has_partition: bool) -> Action:
    """Read an action of ALTER TABLE on partitions up to the end, and return what performs it.

    Args:
        reader: The statement from the action on.
        has_partition: Whether a partition stands before the action.

    Raises:
        MalformedQueryError: Athena's grammar does not have the action.
    """
    if has_partition:
        reader.expect("RENAME", "TO", "PARTITION")
        to = reader.partition()
        reader.end()
        return lambda altered: _rename(altered, to)
    if reader.accept("ADD"):
        return _read_add(reader)
    if reader.accept("DROP"):
        return _read_drop(reader)
    raise reader.mismatch("ADD", "DROP", "PARTITION", "REPLACE", "SET")


def _read_add(reader: Reader) -> Action:
    is_optional = reader.accept("IF", "NOT", "EXISTS")
    if reader.next.word != "PARTITION":
        raise reader.mismatch("PARTITION", "COLUMNS")
    parts: list[tuple[dict[str, str], str]] = []
    while reader.accept("PARTITION"):
        parts.append((reader.partition(), location(reader) if reader.accept("LOCATION") else ""))
    reader.end()
    return lambda altered: _add(altered, parts, is_optional=is_optional)


def _add(altered: Altered, parts: Sequence[tuple[dict[str, str], str]], *, is_optional: bool) -> None:
    execution, name, table = altered.execution, altered.name, altered.table
    # A partition gets a copy of the table's columns and format. A later change of the table does not reach it.
    stored, inputs = table["StorageDescriptor"], []
    known = {tuple(one["Values"]) for one in execution.lake.catalog.get_partitions(name.database, name.name)}
    for part, place in parts:
        values = _whole(table, part)
        if tuple(values.values()) not in known:
            described = {**stored, "Location": place or _below(stored, values)}
            inputs.append({"Values": list(values.values()), "StorageDescriptor": described})
        elif not is_optional:
            raise failed(f"{DDL_TASK} AlreadyExistsException(message:Partition already exists.)")
    _create(execution, name, inputs)


def _create(execution: Execution, name: TableName, inputs: Sequence[dict[str, Any]]) -> None:
    for few in _batches(inputs, "BatchCreatePartition"):
        _call(execution, "BatchCreatePartition", name, PartitionInputList=few)


def _read_drop(reader: Reader) -> Action:
    is_optional = reader.accept("IF", "EXISTS")
    reader.expect("PARTITION")
    parts = [reader.partition()]
    while reader.accept(","):
        reader.expect("PARTITION")
        parts.append(reader.partition())
    reader.end()
    return lambda altered: _drop(altered, parts, is_optional=is_optional)


def _drop(altered: Altered, parts: Sequence[dict[str, str]], *, is_optional: bool) -> None:
    execution, name, table = altered.execution, altered.name, altered.table
    # All parts are checked before the first is dropped. Two of them may name one partition.
    dropped: dict[tuple[str, ...], None] = {}
    for part in parts:
        matching = _matching(execution, name, table, part)
        if not matching and not is_optional:
            words = ", ".join(f"{key} = '{value}'" for key, value in part.items())
            raise failed(f"SemanticException [Error 10006]: Partition not found ({words})")
        dropped |= dict.fromkeys(tuple(one["Values"]) for one in matching)
    for few in _batches([{"Values": list(values)} for values in dropped], "BatchDeletePartition"):
        _call(execution, "BatchDeletePartition", name, PartitionsToDelete=few)


def _rename(altered: Altered, to: dict[str, str]) -> None:
    values = _whole(altered.table, to)
    if _matching(altered.execution, altered.name, altered.table, values):
        raise failed(f"{DDL_TASK} AlreadyExistsException(message:Partition already exists.)")
    # The files of an external table stay where they are.
    update(altered, lambda stored: stored, list(values.values()))


def update(altered: Altered, change: Callable[[Stored], Stored], values: list[str] | None = None) -> None:
    """Change the partition in the catalog that an ALTER TABLE names.

    Args:
        altered: The table and its partition.
        change: Returns the new StorageDescriptor of the old one.
        values: The partition's new values, if they change.
    """
    execution, name = altered.execution, altered.name
    old = partition_of_table(execution, name, altered.table, altered.partition)
    new = {
        "Values": values or old["Values"],
        "StorageDescriptor": change(old["StorageDescriptor"]),
        "Parameters": old.get("Parameters") or {},
    }
    _call(execution, "UpdatePartition", name, PartitionValueList=old["Values"], PartitionInput=new)


def partition_of_table(
    execution: Execution, name: TableName, table: dict[str, Any], partition: dict[str, str]
) -> dict[str, Any]:
    """Return the registered partition that has these values.

    Raises:
        QueryError: There is none, or a value is missing.
    """
    matching = _matching(execution, name, table, _whole(table, partition))
    if not matching:
        words = ", ".join(f"{key} = '{value}'" for key, value in partition.items())
        raise failed(f"SemanticException [Error 10006]: Partition not found ({words})")
    return matching[0]


@statement("MSCK REPAIR TABLE", kind="DDL", subtype="MSCK_REPAIR")
def repair(execution: Execution) -> Answer:
    """Add a partition for every folder named `column=value` below the table's location. None is taken away."""
    reader = Reader(execution.sql)
    reader.expect("MSCK", "REPAIR", "TABLE")
    name = reader.table(execution.database)
    reader.end()
    # Measured on AWS: a missing table, or an empty location, is a success with a line that says so.
    table = execution.lake.catalog.get_table(name.database, name.name)
    if table is None or not execution.lake.shows(name.database, table):
        return Answer([], [[f"Tables not in metastore:\t{name.name}"]])
    table_of(execution, name)  # refuses a table of Iceberg
    folders = dict.fromkeys(_folders(execution, table))
    if not folders:
        return Answer([], [[f"Tables missing on filesystem:\t{name.name}"]])
    keys = keys_of(table)
    if not keys:
        return Answer([], [])
    # Partitions are compared by their names, as Hive does, wherever their locations are.
    known = {
        folder_of(dict(zip(keys, one["Values"], strict=True)))
        for one in execution.lake.catalog.get_partitions(name.database, name.name)
    }
    new = sorted(folder for folder in folders if folder.count("/") == len(keys) - 1 and folder not in known)
    # A folder with other names, or in another order, is only reported. Athena does not add it either.
    added = [folder for folder in new if [key for key, _ in partition_of(folder)] == keys]
    stored = table["StorageDescriptor"]
    place = stored["Location"].rstrip("/")
    _create(execution, name, [
        {"Values": [unescaped(value) for _, value in partition_of(folder)],
         "StorageDescriptor": {**stored, "Location": f"{place}/{folder}"}}
        for folder in added
    ])  # fmt: skip
    lines = (
        ["\t".join(["Partitions not in metastore:", *(f"{name.name}:{one}" for one in new)])] if new else []
    )
    gone = sorted(known - folders.keys())
    if gone:
        lines.append(
            "\t".join(["Partitions missing from filesystem:", *(f"{name.name}:{one}" for one in gone)])
        )
    lines += [f"Repair: Added partition to metastore {name.name}:{folder}" for folder in added]
    return Answer([], [[line] for line in lines])


@statement("SHOW PARTITIONS", kind="UTILITY", subtype="SHOW_PARTITIONS")
def show_partitions(execution: Execution) -> Answer:
    """List the registered partitions, in the order of their names."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", "PARTITIONS")
    name = reader.table(execution.database)
    reader.end()
    table = table_of(execution, name)
    keys = keys_of(table)
    if not keys:
        raise failed(f"{DDL_TASK} Table {name.name} is not a partitioned table")
    registered = execution.lake.catalog.get_partitions(name.database, name.name)
    return texts(
        "partition", sorted(folder_of(dict(zip(keys, one["Values"], strict=True))) for one in registered)
    )


def location(reader: Reader) -> str:
    """Read a text that is a location on S3."""
    text = reader.text()
    if not re.match(r"s3://[^/]+(/|$)", text):
        raise QueryError("INVALID_PROPERTY", f"'{text}' is not a location on S3: s3://bucket/prefix/")
    return text


def _folders(execution: Execution, table: dict[str, Any]) -> Iterator[str]:
    """Yield the folders that hold files below the table's location, as deep as partitions are."""
    bucket, _, prefix = table["StorageDescriptor"]["Location"].removeprefix("s3://").partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix else ""
    depth = len(keys_of(table))
    for info in execution.lake.directory.list_objects(bucket, prefix):
        parts = info.key.removeprefix(prefix).split("/")[:-1]
        # Writers keep their unfinished work in such folders, and no reader looks there.
        if not any(part.startswith(("_", ".")) for part in parts):
            yield "/".join(parts[:depth])


def _whole(table: dict[str, Any], partition: dict[str, str]) -> dict[str, str]:
    """Return the value of each partition column, in order."""
    keys = keys_of(table)
    _check_columns(keys, partition)
    if len(partition) != len(keys):
        words = ", ".join(f"{key}={value}" for key, value in partition.items())
        raise failed(
            f"SemanticException partition spec {{{words}}} doesn't contain all ({len(keys)}) partition columns"
        )
    return {key: partition[key] for key in keys}


def _matching(
    execution: Execution, name: TableName, table: dict[str, Any], partition: dict[str, str]
) -> list[dict[str, Any]]:
    """Return the registered partitions that have these values."""
    keys = keys_of(table)
    _check_columns(keys, partition)
    return [
        one
        for one in execution.lake.catalog.get_partitions(name.database, name.name)
        if partition.items() <= dict(zip(keys, one["Values"], strict=True)).items()
    ]


def _check_columns(keys: Sequence[str], partition: dict[str, str]) -> None:
    words = ", ".join(f"{key}={value}" for key, value in partition.items())
    if not keys:
        raise failed(f"SemanticException table is not partitioned but partition spec exists: {{{words}}}")
    if unknown := next((key for key in partition if key not in keys), None):
        raise failed(
            f"SemanticException [Error 10098]: Non-Partition column appears in the partition specification:  {unknown}"
        )


def _below(stored: Stored, values: dict[str, str]) -> str:
    return f"{stored['Location'].rstrip('/')}/{folder_of(values)}"


def _call(execution: Execution, operation: str, name: TableName, **members: Any) -> None:
    """Perform Glue's operation on partitions, whose errors may be in the body of a success."""
    body = {"DatabaseName": name.database, "TableName": name.name, **members}
    answer = execution.lake.catalog.call(f"AWSGlue.{operation}", body)
    # The batch operations answer 200 and list what failed.
    for error in answer.get("Errors") or []:
        detail = error.get("ErrorDetail") or {}
        raise failed(f"{DDL_TASK} {detail.get('ErrorCode')}(message:{detail.get('ErrorMessage')})")


def _batches(items: Sequence[dict[str, Any]], operation: str) -> Iterator[list[dict[str, Any]]]:
    size = AT_ONCE[operation]
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
