"""Databases: CREATE, ALTER and DROP DATABASE, SHOW DATABASES. SCHEMA is another word for DATABASE."""

from __future__ import annotations

import re
from typing import Any

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.hive import NOTHING, database_of, failed, no_database, texts
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement

WORDS = ("DATABASE", "SCHEMA")
DDL_TASK = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."


@statement("CREATE DATABASE", "CREATE SCHEMA", kind="DDL", subtype="CREATE_DATABASE")
def create_database(execution: Execution) -> Answer:
    """Create a database."""
    reader = Reader(execution.sql)
    reader.expect("CREATE")
    reader.take()
    is_optional = reader.accept("IF", "NOT", "EXISTS")
    described: dict[str, Any] = {"Name": reader.name()}
    if reader.accept("COMMENT"):
        described["Description"] = reader.text()
    if reader.accept("LOCATION"):
        described["LocationUri"] = _location(reader.text())
    if reader.accept("WITH", "DBPROPERTIES"):
        described["Parameters"] = reader.properties()
    reader.end()
    if database_of(execution, described["Name"]) is not None:
        if is_optional:
            return NOTHING
        raise failed(f"{DDL_TASK} Database {described['Name']} already exists")
    execution.lake.catalog.call("AWSGlue.CreateDatabase", {"DatabaseInput": described})
    return NOTHING


@statement("ALTER DATABASE", "ALTER SCHEMA", kind="DDL", subtype="")
def alter_database(execution: Execution) -> Answer:
    """Set properties of a database, and keep those that are not named."""
    reader = Reader(execution.sql)
    reader.expect("ALTER")
    reader.take()
    name = reader.name()
    reader.expect("SET", "DBPROPERTIES")
    properties = reader.properties()
    reader.end()
    database = database_of(execution, name)
    if database is None:
        raise no_database(name)
    # UpdateDatabase replaces the whole description, so what the statement does not name is sent again.
    kept = ("Name", "Description", "LocationUri", "CreateTableDefaultPermissions")
    described = {key: value for key, value in database.items() if key in kept and value is not None}
    described["Parameters"] = {**(database.get("Parameters") or {}), **properties}
    execution.lake.catalog.call("AWSGlue.UpdateDatabase", {"Name": name, "DatabaseInput": described})
    return NOTHING


@statement("DROP DATABASE", "DROP SCHEMA", kind="DDL", subtype="DROP_DATABASE")
def drop_database(execution: Execution) -> Answer:
    """Drop a database; with CASCADE its tables, too. No file is deleted."""
    reader = Reader(execution.sql)
    reader.expect("DROP")
    reader.take()
    is_optional = reader.accept("IF", "EXISTS")
    name = reader.name()
    # RESTRICT is what DROP DATABASE does anyway.
    cascades = reader.accept("CASCADE") or (reader.accept("RESTRICT") and False)
    reader.end()
    catalog = execution.lake.catalog
    if database_of(execution, name) is None:
        if is_optional:
            return NOTHING
        raise no_database(name)
    tables = [table["Name"] for table in catalog.get_tables(name)]
    if tables and not cascades:
        message = (
            f"InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
        )
        raise failed(f"{DDL_TASK} {message}")
    for table in tables:  # a refusal must not leave some of them dropped
        catalog.require("DROP", name, table)
    for table in tables:
        catalog.call("AWSGlue.DeleteTable", {"DatabaseName": name, "Name": table})
    catalog.call("AWSGlue.DeleteDatabase", {"Name": name})
    return NOTHING


@statement("SHOW DATABASES", "SHOW SCHEMAS", kind="UTILITY", subtype="SHOW_DATABASES")
def show_databases(execution: Execution) -> Answer:
    """List the databases, in the order of their names."""
    reader = Reader(execution.sql)
    reader.expect("SHOW")
    reader.take()
    pattern = reader.text() if reader.accept("LIKE") else ""
    reader.end()
    names = execution.lake.databases()
    return texts("database_name", [name for name in names if _is_like(name, pattern)])


def _is_like(name: str, pattern: str) -> bool:
    """Return whether a regular expression of Java's matches the whole name; `*` alone means every name."""
    # Measured on AWS: `abc*` and `abc%` match no database `abcd`, and `*` alone matches all.
    if pattern in ("", "*"):
        return True
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error as error:
        message = (
            f"MetaException(message:Unable to get databases: java.util.regex.PatternSyntaxException: {error}"
        )
        raise failed(f"{DDL_TASK} {message})") from error


def _location(text: str) -> str:
    if not re.match(r"s3://[^/]+(/|$)", text):
        raise QueryError("INVALID_PROPERTY", f"'{text}' is not a location on S3: s3://bucket/prefix/")
    return text
