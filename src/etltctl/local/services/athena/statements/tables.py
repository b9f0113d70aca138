"""Tables: CREATE EXTERNAL TABLE and DROP TABLE."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from etltctl.hive import is_iceberg
from etltctl.local.services.athena.dialect import MalformedQueryError, QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements import iceberg_tables
from etltctl.local.services.athena.statements.databases import DDL_TASK
from etltctl.local.services.athena.statements.formats import Format
from etltctl.local.services.athena.statements.hive import (
    NOTHING,
    database_of,
    failed,
    is_view,
    no_database,
    no_table,
)
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement

LOCATION = re.compile(r"s3://[^/]+(/.*)?")


@dataclass
class Clauses:
    """What stands after the name of a new table."""

    columns: list[dict[str, str]] = field(default_factory=list)
    keys: list[dict[str, str]] = field(default_factory=list)
    comment: str | None = None
    location: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    format: Format = field(default_factory=Format)
    buckets: tuple[list[str], int] = ([], -1)

    def read(self, reader: Reader) -> None:
        """Read the clauses up to the end of the statement. Hive takes them in any order."""
        if reader.next.text == "(":
            self.columns = reader.columns()
        while reader.next.kind != "end" and reader.next.text != ";":
            if not (self._read_one(reader) or self.format.read(reader)):
                raise reader.mismatch("COMMENT", "PARTITIONED", "ROW", "STORED", "LOCATION", "TBLPROPERTIES")
        reader.end()

    def _read_one(self, reader: Reader) -> bool:
        if reader.accept("COMMENT"):
            self.comment = reader.text()
        elif reader.accept("PARTITIONED", "BY"):
            self.keys = reader.columns()
        elif reader.accept("CLUSTERED", "BY"):
            self.buckets = _buckets(reader)
        elif reader.accept("LOCATION"):
            self.location = reader.text()
        elif reader.accept("TBLPROPERTIES"):
            self.properties |= reader.properties()
        else:
            return False
        return True

    def described(self, name: str) -> dict[str, Any]:
        """Return the table as the catalog keeps it."""
        # Hive keeps the comment among the properties, not in Glue's Description.
        comment = {} if self.comment is None else {"comment": self.comment}
        parameters = {"EXTERNAL": "TRUE", **comment, "transient_lastDdlTime": str(int(time.time()))}
        bucket_columns, count = self.buckets
        stored = {**self.format.described(), "BucketColumns": bucket_columns, "NumberOfBuckets": count}
        return {
            "Name": name,
            "Owner": "hadoop",  # what every table that Athena creates has
            "Retention": 0,
            "StorageDescriptor": {"Columns": self.columns, "Location": self.location, **stored},
            "PartitionKeys": self.keys,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {**parameters, **self.properties},
        }


@statement("CREATE EXTERNAL TABLE", kind="DDL", subtype="CREATE_TABLE")
def create_external_table(execution: Execution) -> Answer:
    """Create a table over files that are, or will be, at its location."""
    reader = Reader(execution.sql)
    reader.expect("CREATE", "EXTERNAL", "TABLE")
    is_optional = reader.accept("IF", "NOT", "EXISTS")
    name, clauses = reader.table(execution.database), Clauses()
    clauses.read(reader)
    _check(clauses)
    catalog = execution.lake.catalog
    if database_of(execution, name.database) is None:
        raise no_database(name.database)
    # Athena does not compare the table that is there with the one that is asked for.
    if catalog.get_table(name.database, name.name) is not None:
        if is_optional:
            return NOTHING
        raise failed(f"{DDL_TASK} AlreadyExistsException(message:Table {name.name} already exist)")
    described = clauses.described(name.name)
    catalog.call("AWSGlue.CreateTable", {"DatabaseName": name.database, "TableInput": described})
    return NOTHING


@statement("DROP TABLE", kind="DDL", subtype="DROP_TABLE")
def drop_table(execution: Execution) -> Answer:
    """Drop a table. Its files stay, but those of a table of Iceberg go."""
    reader = Reader(execution.sql)
    reader.expect("DROP", "TABLE")
    is_optional = reader.accept("IF", "EXISTS")
    name = reader.table(execution.database)
    reader.accept("PURGE")  # Hive's word for "not into the trash", which S3 does not have
    reader.end()
    catalog = execution.lake.catalog
    table = catalog.get_table(name.database, name.name)
    if table is None:
        if is_optional:
            return NOTHING
        raise no_table(name)
    if is_iceberg(table):
        return iceberg_tables.drop(execution, name)
    if is_view(table):
        raise failed(f"{DDL_TASK} Cannot drop a view with DROP TABLE")
    catalog.call("AWSGlue.DeleteTable", {"DatabaseName": name.database, "Name": name.name})
    return NOTHING


def _buckets(reader: Reader) -> tuple[list[str], int]:
    reader.expect("(")
    columns = [reader.name()]
    while reader.accept(","):
        columns.append(reader.name())
    reader.expect(")", "INTO")
    count = reader.literal()
    reader.expect("BUCKETS")
    # Buckets are only described here: nothing that reads or writes the table uses them.
    return columns, int(count) if count.isdigit() else -1


def _check(clauses: Clauses) -> None:
    """Refuse a table that Athena refuses, before the catalog is asked.

    Raises:
        QueryError: There is no location, or a column stands twice.
    """
    # The location is checked first: Athena refuses a table without one before it reads the rest.
    if not clauses.location:
        raise MalformedQueryError("No location was specified for table. An S3 location must be specified")
    if not LOCATION.fullmatch(clauses.location):
        raise QueryError(
            "INVALID_PROPERTY", f"'{clauses.location}' is not a location on S3: s3://bucket/prefix/"
        )
    if clauses.properties.get("table_type", "").upper() == "ICEBERG":
        raise failed("External keyword not supported for table type ICEBERG")
    names = [column["Name"] for column in clauses.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise failed(f"SemanticException [Error 10036]: Duplicate column name: {twice}")
    if any(key["Name"] in names for key in clauses.keys):
        raise failed("SemanticException [Error 10035]: Column repeated in partitioning columns")
