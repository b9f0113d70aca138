"""Databases and tables of the catalog, written only where they differ from what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import BlockedError, ServiceError

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
# What of GetTable's answer UpdateTable takes back; it refuses the rest, such as the times.
TABLE_INPUT = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType")
DATABASE_INPUT = ("Description", "LocationUri", "Parameters", "TargetDatabase", "FederatedDatabase")
STAGING = "etltctl_audit_"  # begins the name of every table that stands for a version that is being looked at
LOST = frozenset({"ConcurrentModificationException", "AlreadyExistsException"})

Described = Mapping[str, Any]  # a table in Glue's own words


@dataclass(frozen=True)
class Table:
    """A table as the catalog should hold it; columns and partitions map names to Hive types.

    `registered` are the partitions that have to be registered one by one, values → location, because Athena cannot
    compute them from the table's parameters.
    """

    database: str
    name: str
    location: str
    columns: Mapping[str, str]
    partitions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    registered: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`database.name`."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True)
class Catalog:
    """The Data Catalog of one account and region."""

    aws: Aws

    def ensure_database(self, name: str) -> None:
        """Creates the database unless it is there."""
        try:
            with translated("glue", database=name):
                self.aws.client("glue").create_database(DatabaseInput={"Name": name})
        except ServiceError as error:
            if error.code != "AlreadyExistsException":
                raise

    def database(self, name: str) -> dict[str, Any] | None:
        """The database as Glue describes it, or None."""
        try:
            with translated("glue", database=name):
                answer = self.aws.client("glue").get_database(Name=name)
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return None
            raise
        return dict(answer["Database"])

    def govern_new_tables(self, name: str) -> None:
        """Gives nobody anything on tables that are made in the database from now on."""
        current = self.database(name) or {}
        kept = {key: current[key] for key in DATABASE_INPUT if current.get(key) is not None}
        wanted = {**kept, "Name": name, "CreateTableDefaultPermissions": []}
        with translated("glue", database=name):
            self.aws.client("glue").update_database(Name=name, DatabaseInput=wanted)

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        """The table as Glue describes it, or None."""
        try:
            with translated("glue", table=f"{database}.{name}"):
                answer = self.aws.client("glue").get_table(DatabaseName=database, Name=name)
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return None
            raise
        return dict(answer["Table"])

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Every table of the database, by name; none if there is no such database."""
        try:
            with translated("glue", database=database):
                pages = self.aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
                found = [table for page in pages for table in page["TableList"]]
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return []
            raise
        return sorted(found, key=lambda table: str(table["Name"]))

    def put(self, table: Table, current: Described | None) -> str:
        """Makes the catalog hold this table with one call; says `created`, `updated` or `unchanged`.

        `current` is the table as it was read: an update is a compare-and-swap on its version, so of two writers one
        wins. Parameters that somebody else set are kept, and what they said of columns. A call that was sent again
        because its answer was lost is no conflict: the table is read once more and compared. Raises BlockedError if
        somebody else was faster.
        """
        wanted = table_input(table, current or {})
        if current is not None and _holds(current, wanted):
            return "unchanged"
        try:
            self._write(table.database, wanted, current)
        except ServiceError as error:
            if current is None and error.code == "EntityNotFoundException":
                self.ensure_database(table.database)
                return self.put(table, current)
            if error.code not in LOST:
                raise
            now = self.table(table.database, table.name)
            if now is None or not _holds(now, wanted):
                raise _overtaken(table, now or {}) from error
        return "created" if current is None else "updated"

    def _write(self, database: str, wanted: Mapping[str, Any], current: Described | None) -> None:
        glue = self.aws.client("glue")
        with translated("glue", table=f"{database}.{wanted['Name']}"):
            if current is None:
                glue.create_table(DatabaseName=database, TableInput=wanted)
                return
            version = {"VersionId": current["VersionId"]} if "VersionId" in current else {}
            glue.update_table(DatabaseName=database, TableInput=wanted, SkipArchive=True, **version)

    def stage(self, table: Table) -> None:
        """Makes a table that stands for a version nobody shall see yet; its name begins with `STAGING`."""
        _require_staging(table.name)
        self.put(table, self.table(table.database, table.name))

    def unstage_older(self, database: str, than: datetime) -> None:
        """Removes such tables of the database that a process which died has left behind, and no other."""
        with translated("glue", database=database):
            pages = self.aws.client("glue").get_paginator("get_tables")
            asked = pages.paginate(DatabaseName=database, Expression=f"{STAGING}*")
            found = [table for page in asked for table in page["TableList"]]
        for table in found:
            if table["Name"].startswith(STAGING) and table.get("CreateTime", than) < than:
                self.unstage(database, table["Name"])

    def unstage(self, database: str, name: str) -> None:
        """Removes such a table again, and refuses to remove any other."""
        _require_staging(name)
        try:
            with translated("glue", table=f"{database}.{name}"):
                self.aws.client("glue").delete_table(DatabaseName=database, Name=name)
        except ServiceError as error:
            if error.code != "EntityNotFoundException":
                raise


def _holds(current: Described, wanted: Mapping[str, Any]) -> bool:
    return dict(wanted) == {name: current[name] for name in wanted if name in current}


def _require_staging(name: str) -> None:
    if not name.startswith(STAGING):
        raise ValueError(f"{name} is not a table that stands for a version")


def _overtaken(table: Table, now: Described) -> BlockedError:
    by = now.get("Parameters", {}).get("etltctl_run_id") or "somebody else"
    return BlockedError(
        f"{table.full_name} was changed by {by} in the same moment; it stays as they left it",
        hint="look at it with etltctl athena describe, then try again",
        location=now.get("StorageDescriptor", {}).get("Location", ""),
    )


def table_input(table: Table, current: Described) -> dict[str, Any]:
    """The table in Glue's own words, with what `current` holds beyond it."""
    kept = {name: current[name] for name in TABLE_INPUT if name in current}
    foreign = {
        name: value
        for name, value in current.get("Parameters", {}).items()
        if not name.startswith(("projection.", "storage.location."))
    }
    described = kept.get("StorageDescriptor", {})
    return {
        **kept,
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {**foreign, "classification": "parquet", "EXTERNAL": "TRUE", **table.parameters},
        "PartitionKeys": _columns(table.partitions, kept.get("PartitionKeys", [])),
        "StorageDescriptor": {
            **described,
            **PARQUET,
            "Columns": _columns(table.columns, described.get("Columns", [])),
            "Location": table.location,
        },
    }


def _columns(columns: Mapping[str, str], current: Sequence[Described]) -> list[dict[str, Any]]:
    """The columns, each with the comment and the parameters that the catalog has for one of its name."""
    said = {column["Name"]: column for column in current}
    return [{**said.get(name, {}), "Name": name, "Type": kind} for name, kind in columns.items()]
