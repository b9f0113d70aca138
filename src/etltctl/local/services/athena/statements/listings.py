"""SHOW: databases, tables, columns."""

from __future__ import annotations

import re
from dataclasses import replace

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.engine import Answer, Column
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.tables import CatalogTable


@statement("SHOW DATABASES", "SHOW SCHEMAS", kind="UTILITY", subtype="SHOW_DATABASES")
@statement("SHOW TABLES", kind="UTILITY", subtype="SHOW_TABLES")
@statement("SHOW COLUMNS", kind="UTILITY", subtype="SHOW_COLUMNS")
@statement("DESCRIBE", "DESC", kind="UTILITY", subtype="DESCRIBE_TABLE")
def show(execution: Execution) -> Answer:
    """List what the catalog has."""
    database, lake = execution.database, execution.lake
    catalog = lake.catalog
    words = execution.sql.rstrip().rstrip(";").split()
    text = " ".join(words)
    if re.fullmatch(r"(?i)show (databases|schemas)", text):
        return Answer([("database_name", "varchar", 0, 0)], [[name] for name in catalog.get_databases()], 0)
    if match := re.fullmatch(r"(?i)show tables(?: (?:in|from) (\S+))?", text):
        schema = (match[1] or database).strip('`"')
        rows = [table for table in catalog.get_tables(schema) if lake.shows(schema, table)]
        return Answer([("tab_name", "varchar", 0, 0)], [[table["Name"]] for table in rows])
    if match := re.fullmatch(r"(?i)(?:describe|desc|show columns (?:in|from)) (\S+)", text):
        table = match[1].replace("`", "").replace('"', "").lower()
        name = TableName(*table.split(".")) if "." in table else TableName(database, table)
        described = catalog.get_table(name.database, name.name)
        if described is None:
            raise QueryError("TABLE_NOT_FOUND", f"Table {name.database}.{name.name} does not exist")
        visible = replace(shown := CatalogTable(name, described, []), parts=lake.parts_of(shown)).visible
        rows = [*described["StorageDescriptor"]["Columns"], *(described.get("PartitionKeys") or [])]
        rows = [column for column in rows if column["Name"].lower() in visible]
        columns: list[Column] = [("col_name", "varchar", 0, 0), ("data_type", "varchar", 0, 0)]
        return Answer(columns, [[column["Name"], column["Type"]] for column in rows])
    raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not model {' '.join(words[:2]).upper()}")
