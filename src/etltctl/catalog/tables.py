"""Databases and tables of the catalog, written only where they differ from what they shall be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import BlockedError, NextStep, ServiceError, command
from etltctl.hive import is_iceberg
from etltctl.tabulating import one_line

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
# The part of GetTable's answer that UpdateTable takes back. It refuses the rest, such as the times.
TABLE_INPUT = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType")
DATABASE_INPUT = ("Description", "LocationUri", "Parameters", "TargetDatabase", "FederatedDatabase")
MAX_COMMENT_CHARACTERS = 255  # Glue's limit of a column's comment
MAX_DESCRIPTION_CHARACTERS = 2048  # and of a table's description
STAGING = "etltctl_audit_"  # begins the name of every table that stands for a version under audit
LOST = frozenset({"ConcurrentModificationException", "AlreadyExistsException"})

Described = Mapping[str, Any]  # a table in Glue's own words


@dataclass(frozen=True)
class Table:
    """A table as the catalog should hold it.

    Attributes:
        columns: The Hive types of the columns by their names.
        partitions: The Hive types of the partition columns by their names.
        registered: The location of each partition by its values, for partitions that have to be registered one by
            one because Athena cannot compute them from the table's parameters.
        description: What the table is; empty to keep what the catalog says.
        comments: What the columns mean, by name. A column without one keeps the comment that the catalog has.
    """

    database: str
    name: str
    location: str
    columns: Mapping[str, str]
    partitions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    registered: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    description: str = ""
    comments: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Return the name with its database, as queries spell it."""
        return f"{self.database}.{self.name}"


@dataclass(frozen=True)
class Catalog:
    """The Data Catalog of one account and region."""

    aws: Aws

    def ensure_database(self, name: str) -> None:
        """Create the database unless it is there."""
        try:
            with translated("glue", database=name):
                self.aws.client("glue").create_database(DatabaseInput={"Name": name})
        except ServiceError as error:
            if error.code != "AlreadyExistsException":
                raise

    def database(self, name: str) -> dict[str, Any] | None:
        """Return the database as Glue describes it; None if it is not there."""
        try:
            with translated("glue", database=name):
                answer = self.aws.client("glue").get_database(Name=name)
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return None
            raise
        return dict(answer["Database"])

    def govern_new_tables(self, name: str) -> None:
        """Take away the default permissions on tables that are made in the database from now on.

        By default Lake Formation lets every IAM principal read a new table.
        """
        current = self.database(name) or {}
        kept = {key: current[key] for key in DATABASE_INPUT if current.get(key) is not None}
        database_input = {**kept, "Name": name, "CreateTableDefaultPermissions": []}
        with translated("glue", database=name):
            self.aws.client("glue").update_database(Name=name, DatabaseInput=database_input)

    def table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the table as Glue describes it; None if it is not there."""
        try:
            with translated("glue", table=f"{database}.{name}"):
                answer = self.aws.client("glue").get_table(DatabaseName=database, Name=name)
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return None
            raise
        return dict(answer["Table"])

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return every table of the database, sorted by name; none if there is no such database."""
        try:
            with translated("glue", database=database):
                pages = self.aws.client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
                tables = [table for page in pages for table in page["TableList"]]
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                return []
            raise
        return sorted(tables, key=lambda table: str(table["Name"]))

    def put(self, table: Table, current: Described | None) -> str:
        """Make the catalog hold this table with one call.

        An update names the version that was read, so that Glue can refuse the slower of two writers. Glue does not
        document `UpdateTable` with a `VersionId` for Hive tables. Parameters and comments of columns that others set
        are kept. The SDK resends a call whose answer was lost, and the second
        call meets a conflict with the first; so after a conflict the table is read once more and compared.

        Args:
            table: The table as the catalog shall hold it.
            current: The table as it was read from the catalog; None if it is not there.

        Returns:
            `created`, `updated` or `unchanged`.

        Raises:
            BlockedError: Another writer was faster, or the table is one of Iceberg.
        """
        if current is not None and is_iceberg(current):
            raise _of_iceberg(table, current)
        new = table_input(table, current or {})
        if current is not None and _holds(current, new):
            return "unchanged"
        try:
            self._write(table.database, new, current)
        except ServiceError as error:
            # The database is created only here, so that a publish to an existing one needs no right to create
            # databases.
            if current is None and error.code == "EntityNotFoundException":
                self.ensure_database(table.database)
                return self.put(table, current)
            if error.code not in LOST:
                raise
            now = self.table(table.database, table.name)
            if now is None or not _holds(now, new):
                raise _overtaken(table, now or {}) from error
        return "created" if current is None else "updated"

    def _write(self, database: str, new: Mapping[str, Any], current: Described | None) -> None:
        glue = self.aws.client("glue")
        with translated("glue", table=f"{database}.{new['Name']}"):
            if current is None:
                glue.create_table(DatabaseName=database, TableInput=new)
                return
            # With a VersionId, Glue refuses the update of a table that has another version by now. It does not
            # document this for Hive tables. SkipArchive keeps the list of versions short, which counts for a quota.
            version = {"VersionId": current["VersionId"]} if "VersionId" in current else {}
            glue.update_table(DatabaseName=database, TableInput=new, SkipArchive=True, **version)

    def stage(self, table: Table) -> None:
        """Make a table that stands for a version under audit; its name begins with `STAGING`."""
        _require_staging(table.name)
        self.put(table, self.table(table.database, table.name))

    def unstage_older(self, database: str, than: datetime) -> None:
        """Remove such tables of the database that processes which died have left behind, and no others.

        Args:
            database: The database.
            than: Tables that were created before this time are removed.
        """
        with translated("glue", database=database):
            pages = self.aws.client("glue").get_paginator("get_tables")
            answers = pages.paginate(DatabaseName=database, Expression=f"{STAGING}*")
            tables = [table for page in answers for table in page["TableList"]]
        for table in tables:
            # Glue matches the expression as a pattern, which may let other names through.
            if table["Name"].startswith(STAGING) and table.get("CreateTime", than) < than:
                self.unstage(database, table["Name"])

    def unstage(self, database: str, name: str) -> None:
        """Remove a table that stands for a version under audit.

        Raises:
            ValueError: The table is not such a one.
        """
        _require_staging(name)
        try:
            with translated("glue", table=f"{database}.{name}"):
                self.aws.client("glue").delete_table(DatabaseName=database, Name=name)
        except ServiceError as error:
            if error.code != "EntityNotFoundException":
                raise


def _holds(current: Described, new: Mapping[str, Any]) -> bool:
    return dict(new) == {name: current[name] for name in new if name in current}


def _require_staging(name: str) -> None:
    if not name.startswith(STAGING):
        raise ValueError(f"{name} is not a table that stands for a version")


def _of_iceberg(table: Table, current: Described) -> BlockedError:
    return BlockedError(
        f"{table.full_name} is a table of Iceberg in the catalog, and etltctl writes plain Parquet. "
        "Nothing was changed",
        hint=NextStep(
            "drop it, with its files, if it is not needed: ",
            command("athena", "query", f"drop table {table.full_name}"),
        ),
        location=current.get("StorageDescriptor", {}).get("Location", ""),
    )


def _overtaken(table: Table, now: Described) -> BlockedError:
    by = now.get("Parameters", {}).get("etltctl_run_id") or "another writer"
    return BlockedError(
        f"{table.full_name} was changed by {by} in the same moment; it stays as that writer left it",
        hint=NextStep("look at it: ", command("athena", "describe", "TABLE"), ", then try again"),
        location=now.get("StorageDescriptor", {}).get("Location", ""),
    )


def table_input(table: Table, current: Described) -> dict[str, Any]:
    """Return the table as Glue takes it, together with what the current table holds beyond it."""
    kept = {name: current[name] for name in TABLE_INPUT if name in current}
    foreign = {
        name: value
        for name, value in current.get("Parameters", {}).items()
        # Stale parameters of projection would make Athena compute partitions that the new version lacks.
        if not name.startswith(("projection.", "storage.location."))
    }
    described = kept.get("StorageDescriptor", {})
    # A text of spaces says nothing: it must not take the place of one that says something.
    if description := one_line(table.description, MAX_DESCRIPTION_CHARACTERS):
        kept["Description"] = description
    return {
        **kept,
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {**foreign, "classification": "parquet", "EXTERNAL": "TRUE", **table.parameters},
        "PartitionKeys": _columns(table.partitions, kept.get("PartitionKeys", []), table.comments),
        "StorageDescriptor": {
            **described,
            **PARQUET,
            "Columns": _columns(table.columns, described.get("Columns", []), table.comments),
            "Location": table.location,
        },
    }


def _columns(
    columns: Mapping[str, str], current: Sequence[Described], comments: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the columns with their comments, else with the comment that the catalog has for one of that name."""
    known = {column["Name"]: column for column in current}
    new = {name: {"Comment": line} for name, text in comments.items() if (line := comment_line(text))}
    return [
        {**known.get(name, {}), **new.get(name, {}), "Name": name, "Type": kind}
        for name, kind in columns.items()
    ]


def comment_line(text: str) -> str:
    """Return the comment of a column on one line, within Glue's limit."""
    return one_line(text, MAX_COMMENT_CHARACTERS)
