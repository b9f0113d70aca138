"""Glue Data Catalog: databases and tables, written only where they differ from what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws, translated
from etltctl.errors import BlockedError, ServiceError

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
# What of GetTable's answer UpdateTable takes back; it refuses the rest, such as the times.
TABLE_INPUT = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType")
DATABASE_INPUT = ("Description", "LocationUri", "Parameters", "TargetDatabase", "FederatedDatabase")


@dataclass(frozen=True)
class Table:
    """A table as the catalog should hold it; columns and partitions map names to Hive types."""

    database: str
    name: str
    location: str
    columns: Mapping[str, str]
    partitions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

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

    def put(self, table: Table) -> str:
        """Makes the catalog hold this table with one call; says `created`, `updated` or `unchanged`.

        An update is a compare-and-swap on the version that was read, so two writers cannot both win; parameters
        that somebody else set are kept.
        """
        current = self.table(table.database, table.name)
        if current is None:
            with translated("glue", table=table.full_name):
                self.aws.client("glue").create_table(
                    DatabaseName=table.database, TableInput=_table_input(table, {})
                )
            return "created"
        wanted = _table_input(table, current)
        if wanted == {name: current[name] for name in wanted if name in current}:
            return "unchanged"
        version = {"VersionId": current["VersionId"]} if "VersionId" in current else {}
        with translated("glue", table=table.full_name):
            self.aws.client("glue").update_table(
                DatabaseName=table.database, TableInput=wanted, SkipArchive=True, **version
            )
        return "updated"


def _table_input(table: Table, current: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: current[name] for name in TABLE_INPUT if name in current}
    foreign = {
        name: value
        for name, value in current.get("Parameters", {}).items()
        if not name.startswith(("projection.", "storage.location."))
    }
    return {
        **kept,
        "Name": table.name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {**foreign, "classification": "parquet", "EXTERNAL": "TRUE", **table.parameters},
        "PartitionKeys": _columns(table.partitions),
        "StorageDescriptor": {
            **kept.get("StorageDescriptor", {}),
            **PARQUET,
            "Columns": _columns(table.columns),
            "Location": table.location,
        },
    }


def _columns(columns: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in columns.items()]


def hive_columns(schema: pa.Schema, table: str) -> dict[str, str]:
    """Column names, lower-cased as Glue keeps them, and their Hive types.

    Raises BlockedError for a type Athena cannot read and for names that differ only in case.
    """
    columns: dict[str, str] = {}
    for column in schema:
        name = column.name.lower()
        if name in columns:
            raise BlockedError(
                f"{table} has two columns called {name} in different case",
                hint="rename one of them in the job: the catalog keeps names in lower case",
            )
        columns[name] = hive_type(column.type, f"{table}.{name}")
    return columns


def hive_type(kind: pa.DataType, column: str) -> str:
    """The Hive type Athena reads this Parquet type as."""
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return hive_type(kind.value_type, column)
    if pt.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pt.is_list(kind) or pt.is_large_list(kind):
        return f"array<{hive_type(kind.value_type, column)}>"
    if pt.is_map(kind):
        return f"map<{hive_type(kind.key_type, column)},{hive_type(kind.item_type, column)}>"
    if pt.is_struct(kind):
        fields = (f"{child.name.lower()}:{hive_type(child.type, column)}" for child in kind)
        return f"struct<{','.join(fields)}>"
    if pt.is_timestamp(kind):
        return "timestamp"
    try:
        return SCALARS[str(kind)]
    except KeyError as error:
        raise BlockedError(
            f"{column} has the Parquet type {kind}, which Athena cannot read",
            hint="cast it in the job, for example to bigint or string",
        ) from error


SCALARS = {
    "int8": "tinyint",
    "int16": "smallint",
    "uint8": "smallint",
    "int32": "int",
    "uint16": "int",
    "int64": "bigint",
    "uint32": "bigint",
    "float": "float",
    "double": "double",
    "bool": "boolean",
    "string": "string",
    "large_string": "string",
    "binary": "binary",
    "large_binary": "binary",
    "date32[day]": "date",
}


def projection(
    location: str, partitions: Mapping[str, Sequence[str]], types: Mapping[str, str]
) -> dict[str, str]:
    """Table parameters that let Athena compute the partitions from the location, with no partition calls.

    One update of these parameters and the location switches every partition at once. Source: Athena's partition
    projection (`projection.*`, `storage.location.template`).
    """
    parameters = {"projection.enabled": "true"}
    for name, values in partitions.items():
        if types[name] == "int":
            numbers = sorted(int(value) for value in values)
            parameters[f"projection.{name}.type"] = "integer"
            parameters[f"projection.{name}.range"] = f"{numbers[0]},{numbers[-1]}"
        else:
            parameters[f"projection.{name}.type"] = "enum"
            parameters[f"projection.{name}.values"] = ",".join(sorted(values))
    template = "".join(f"{name}=${{{name}}}/" for name in partitions)
    return {**parameters, "storage.location.template": f"{location}{template}"}
