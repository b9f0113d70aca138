"""Partitions of a table: computed by Athena from the table's parameters, or registered one by one.

With partition projection, one update of the parameters and of the location switches every partition at once. Source:
Athena's partition projection (`projection.*`, `storage.location.template`). Registered partitions are created, updated
and deleted in batches, and only those that differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from etltctl.aws import Aws, translated
from etltctl.catalog.tables import PARQUET, Described, Table
from etltctl.errors import NextStep, ServiceError, command
from etltctl.hive import DEFAULT_PARTITION

T = TypeVar("T")

CREATED_AT_ONCE = 100  # Glue's limits of the batch calls
DELETED_AT_ONCE = 25
THERE, GONE = "AlreadyExistsException", "EntityNotFoundException"

INTEGERS = ("int", "bigint")
SPARSE = 20  # numbers in a range for each value that exists: Athena looks for files behind every one
ENABLED = "projection.enabled"

Values = tuple[str, ...]


def projection(
    location: str, partitions: Mapping[Values, str], names: Sequence[str], types: Mapping[str, str]
) -> dict[str, str] | None:
    """Return the parameters that make Athena see exactly these partitions.

    A list of values is separated by commas, and Athena puts each value into the path as it is. So it cannot hold a
    value with a comma, one that is escaped in the path, or null.

    Args:
        location: The table's folder.
        partitions: The location of each partition by its values.
        names: The partition columns as the paths spell them.
        types: The Hive types of the partition columns, by name in lower case.

    Returns:
        The parameters; None if no parameters say exactly these partitions.
    """
    template = f"{location}{''.join(f'{name}=${{{name.lower()}}}/' for name in names)}"
    columns = {name.lower(): sorted({v[number] for v in partitions}) for number, name in enumerate(names)}
    parameters = {ENABLED: "true", "storage.location.template": template}
    # The template must lead to every folder as it is: Athena does not escape a value as Hive's writers do.
    for values, place in partitions.items():
        filled = "".join(f"{name}={value}/" for name, value in zip(names, values, strict=True))
        if place != f"{location}{filled}" or any("," in value for value in values):
            return None
    for name, seen in columns.items():
        if DEFAULT_PARTITION in seen or "" in seen:
            return None
        if types[name] in INTEGERS:
            # A range is one parameter of fixed length, whereas a list grows with each partition; Glue bounds its
            # length.
            numbers = sorted(map(int, seen))
            if numbers[-1] - numbers[0] > SPARSE * len(numbers):
                return None
            parameters[f"projection.{name}.type"] = "integer"
            parameters[f"projection.{name}.range"] = f"{numbers[0]},{numbers[-1]}"
        else:
            parameters[f"projection.{name}.type"] = "enum"
            parameters[f"projection.{name}.values"] = ",".join(seen)
    return parameters


def is_projected(described: Described) -> bool:
    """Return whether Athena computes the table's partitions and ignores registered ones."""
    return str(described.get("Parameters", {}).get(ENABLED, "")).lower() == "true"


@dataclass(frozen=True)
class PartitionChanges:
    """How many partitions were created, updated and deleted."""

    created: int = 0
    updated: int = 0
    deleted: int = 0


NO_CHANGES = PartitionChanges()


@dataclass(frozen=True)
class Partitions:
    """The registered partitions of one table."""

    aws: Aws
    table: Table

    def put(self, locations: Mapping[Values, str]) -> PartitionChanges:
        """Make the catalog hold exactly these partitions, with the table's columns.

        Args:
            locations: The location of each partition by its values.

        Raises:
            ServiceError: Glue refused a partition of a batch; the error names the first one.
        """
        # New partitions come first and old ones go last: a process that dies in between leaves too many, not too
        # few.
        new, other, gone = self._differences(locations)
        columns = self._columns()
        inputs = {values: self._input(values, locations[values], columns) for values in (*new, *other)}
        for batch in _batches(new, CREATED_AT_ONCE):
            self._send("batch_create_partition", PartitionInputList=[inputs[values] for values in batch])
        for batch in _batches(other, CREATED_AT_ONCE):
            entries = [{"PartitionValueList": list(v), "PartitionInput": inputs[v]} for v in batch]
            self._send("batch_update_partition", Entries=entries)
        for batch in _batches(gone, DELETED_AT_ONCE):
            self._send("batch_delete_partition", PartitionsToDelete=[{"Values": list(v)} for v in batch])
        return PartitionChanges(len(new), len(other), len(gone))

    def differ(self, locations: Mapping[Values, str]) -> bool:
        """Return whether the catalog holds other partitions than these, which are given as for `put`."""
        return any(self._differences(locations))

    def _differences(
        self, locations: Mapping[Values, str]
    ) -> tuple[list[Values], list[Values], list[Values]]:
        """Return the values that are missing, those of partitions that differ, and those that are too many."""
        current, columns = self._current(), self._columns()
        new = [values for values in locations if values not in current]
        other = [
            values
            for values, location in locations.items()
            if values in current and not _is_same(current[values], location, columns)
        ]
        return new, other, [values for values in current if values not in locations]

    def _columns(self) -> list[dict[str, str]]:
        return [{"Name": name, "Type": kind} for name, kind in self.table.columns.items()]

    def _current(self) -> dict[Values, Mapping[str, Any]]:
        with translated("glue", table=self.table.full_name):
            pages = self.aws.client("glue").get_paginator("get_partitions").paginate(**self._place())
            return {tuple(each["Values"]): each for page in pages for each in page["Partitions"]}

    def _send(self, operation: str, **batch: Any) -> None:
        """Send a batch and read the errors in its answer.

        A call whose answer was lost is sent again. Then the second one finds the work done, which is not an error.
        """
        with translated("glue", table=self.table.full_name):
            answer = getattr(self.aws.client("glue"), operation)(**self._place(), **batch)
        for error in answer.get("Errors", []):
            detail = error.get("ErrorDetail", {})
            if detail.get("ErrorCode") not in (THERE, GONE):
                values = error.get("PartitionValues") or error.get("PartitionValueList") or []
                raise ServiceError(
                    f"glue refused partition {'/'.join(values)} of {self.table.full_name}: "
                    f"{detail.get('ErrorMessage', '')} ({detail.get('ErrorCode', '')})",
                    code=str(detail.get("ErrorCode", "")),
                    hint=NextStep("what is missing is registered by the next ", command("athena", "refresh")),
                )

    def _input(self, values: Values, location: str, columns: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        return {
            "Values": list(values),
            "StorageDescriptor": {**PARQUET, "Columns": columns, "Location": location},
        }

    def _place(self) -> dict[str, str]:
        return {"DatabaseName": self.table.database, "TableName": self.table.name}


def _is_same(current: Mapping[str, Any], location: str, columns: Sequence[Mapping[str, str]]) -> bool:
    described = current["StorageDescriptor"]
    held = [{"Name": column["Name"], "Type": column["Type"]} for column in described.get("Columns", [])]
    return described["Location"] == location and held == list(columns)


def _batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
