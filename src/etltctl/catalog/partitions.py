"""Registered partitions of a table: what differs is created, updated and deleted in batches, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from etltctl.aws import Aws, translated
from etltctl.catalog.tables import PARQUET, Table
from etltctl.errors import ServiceError

T = TypeVar("T")

CREATED_AT_ONCE = 100
DELETED_AT_ONCE = 25
THERE, GONE = "AlreadyExistsException", "EntityNotFoundException"

Values = tuple[str, ...]


@dataclass(frozen=True)
class PartitionChanges:
    """How many partitions were created, brought in line and deleted."""

    created: int = 0
    updated: int = 0
    deleted: int = 0


NO_CHANGES = PartitionChanges()


@dataclass(frozen=True)
class Partitions:
    """The registered partitions of one table."""

    aws: Aws
    table: Table

    def put(self, wanted: Mapping[Values, str]) -> PartitionChanges:
        """Makes the catalog hold these partitions, values → location, with the table's columns.

        Every batch's answer is checked; raises ServiceError naming the first partition that was refused.
        """
        new, other, gone = self._differences(wanted)
        columns = self._columns()
        inputs = {values: self._input(values, wanted[values], columns) for values in (*new, *other)}
        for batch in _batches(new, CREATED_AT_ONCE):
            self._send("batch_create_partition", PartitionInputList=[inputs[values] for values in batch])
        for batch in _batches(other, CREATED_AT_ONCE):
            entries = [{"PartitionValueList": list(v), "PartitionInput": inputs[v]} for v in batch]
            self._send("batch_update_partition", Entries=entries)
        for batch in _batches(gone, DELETED_AT_ONCE):
            self._send("batch_delete_partition", PartitionsToDelete=[{"Values": list(v)} for v in batch])
        return PartitionChanges(len(new), len(other), len(gone))

    def differ(self, wanted: Mapping[Values, str]) -> bool:
        """Return whether the catalog holds other partitions than these."""
        return any(self._differences(wanted))

    def _differences(self, wanted: Mapping[Values, str]) -> tuple[list[Values], list[Values], list[Values]]:
        """Return the values that are missing, those of partitions that are others, and those that are too many."""
        found, columns = self._found(), self._columns()
        new = [values for values in wanted if values not in found]
        other = [
            values
            for values, location in wanted.items()
            if values in found and not _is_so(found[values], location, columns)
        ]
        return new, other, [values for values in found if values not in wanted]

    def _columns(self) -> list[dict[str, str]]:
        return [{"Name": name, "Type": kind} for name, kind in self.table.columns.items()]

    def _found(self) -> dict[Values, Mapping[str, Any]]:
        with translated("glue", table=self.table.full_name):
            pages = self.aws.client("glue").get_paginator("get_partitions").paginate(**self._place())
            return {tuple(found["Values"]): found for page in pages for found in page["Partitions"]}

    def _send(self, operation: str, **batch: Any) -> None:
        """Sends a batch and reads the errors in its answer; what was done by a call sent twice is none."""
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
                    hint="what is missing is registered by the next etltctl athena refresh",
                )

    def _input(self, values: Values, location: str, columns: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        return {
            "Values": list(values),
            "StorageDescriptor": {**PARQUET, "Columns": columns, "Location": location},
        }

    def _place(self) -> dict[str, str]:
        return {"DatabaseName": self.table.database, "TableName": self.table.name}


def _is_so(found: Mapping[str, Any], location: str, columns: Sequence[Mapping[str, str]]) -> bool:
    described = found["StorageDescriptor"]
    listed = [{"Name": column["Name"], "Type": column["Type"]} for column in described.get("Columns", [])]
    return described["Location"] == location and listed == list(columns)


def _batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
