"""DESCRIBE, SHOW CREATE TABLE and SHOW CREATE VIEW: how a table or a view is defined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.hive import is_iceberg
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.names import CATALOG
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements import iceberg_definitions
from etltctl.local.services.athena.statements.databases import DDL_TASK
from etltctl.local.services.athena.statements.details import extended, formatted
from etltctl.local.services.athena.statements.formats import DELIMITERS, LAZY_SIMPLE
from etltctl.local.services.athena.statements.hive import (
    columns_of,
    failed,
    is_view,
    joined,
    keys_of,
    padded,
    table_of,
    texts,
)
from etltctl.local.services.athena.statements.partitions import partition_of_table
from etltctl.local.services.athena.statements.reader import Reader
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.views import definition_of
from etltctl.values import quoted_name

COLUMNS = ("col_name", "data_type", "comment")
# The parts of a partitioned table's description have these rows between them.
EMPTY = ["", " ", " "]
HEADER = padded("# col_name", "data_type", "comment")


@statement("DESCRIBE", "DESC", kind="UTILITY", subtype="DESCRIBE_TABLE")
def describe(execution: Execution) -> Answer:
    """Return the columns of a table or a view, and, if it is asked for, how its files are kept."""
    reader = Reader(execution.sql)
    reader.take()
    detail = (
        reader.take().word if reader.next.word in ("EXTENDED", "FORMATTED") and _is_prefix(reader) else ""
    )
    name = reader.table(execution.database)
    partition = reader.partition() if reader.accept("PARTITION") else None
    column = reader.name() if reader.next.kind in ("word", "quoted") else ""
    if column and (detail or reader.accept(".")):
        raise unsupported("DESCRIBE of a part of a column, or with EXTENDED or FORMATTED of one")
    reader.end()
    table = table_of(execution, name, takes_iceberg=True)
    if column and not (is_view(table) or is_iceberg(table)):
        return _described_column(column, columns_of(execution, name, table))
    if is_view(table):
        return described_view(table)
    if is_iceberg(table):
        return iceberg_definitions.describe(execution, name, execution.lake.columns_of(name.database, table))
    stored = None if partition is None else partition_of_table(execution, name, table, partition)
    columns = columns_of(execution, name, table)
    if detail == "FORMATTED":
        rows = formatted(name, table, stored, _rows(columns, table, with_header=True))
    elif detail == "EXTENDED":
        rows = [*_rows(columns, table), EMPTY, extended(name, table, stored)]
    else:
        rows = _rows(columns, table)
    return joined(COLUMNS, rows)


def _described_column(name: str, columns: Sequence[Mapping[str, str]]) -> Answer:
    """Return the answer of DESCRIBE for one column."""
    known = next((column for column in columns if column["Name"].lower() == name), None)
    if known is None:
        names = ", ".join(f"{number}:{column['Name']}" for number, column in enumerate(columns))
        raise failed(f"{DDL_TASK} cannot find field {name} from [{names}]")
    # Hive asks the table's SerDe here, which leaves its mark where a column has no comment.
    return joined(COLUMNS, [_row({**known, "Comment": known.get("Comment") or "from deserializer"})])


def described_view(view: Mapping[str, Any]) -> Answer:
    """Return the answer of DESCRIBE and SHOW COLUMNS for a view: the columns with Trino's types."""
    columns = [[column["name"], column["type"]] for column in definition_of(view)["columns"]]
    answer = joined(("column", "type"), columns, "varchar")
    return Answer(answer.columns, answer.rows, subtype="DESC_VIEW")


@statement("SHOW CREATE TABLE", kind="UTILITY", subtype="SHOW_CREATE_TABLE")
def show_create_table(execution: Execution) -> Answer:
    """Return the statement that creates the table, one row a line."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", "CREATE", "TABLE")
    # The statement repeats the name as the caller wrote it, with or without the database.
    start = reader.next.at
    name = reader.table(execution.database)
    written = execution.sql[start : reader.next.at].replace("`", "").strip().lower()
    written = written.removeprefix(f"{CATALOG}.")
    reader.end()
    table = table_of(execution, name, takes_iceberg=True)
    if is_view(table):
        raise failed(f"SemanticException {name.database}.{name.name} is a view; use SHOW CREATE VIEW")
    if is_iceberg(table):
        return iceberg_definitions.show_create(execution, name, f"{name.database}.{name.name}")
    return texts("createtab_stmt", _create_table(written, table))


@statement("SHOW CREATE VIEW", kind="UTILITY", subtype="SHOW_CREATE_VIEW")
def show_create_view(execution: Execution) -> Answer:
    """Return the statement that creates the view, one row a line."""
    reader = Reader(execution.sql)
    reader.expect("SHOW", "CREATE", "VIEW")
    name = reader.table(execution.database)
    reader.end()
    view = table_of(execution, name)
    if not is_view(view):
        raise failed(f"SemanticException {name.database}.{name.name} is a table; use SHOW CREATE TABLE")
    query = definition_of(view)["originalSql"]
    text = f"CREATE VIEW {quoted_name(name.database)}.{quoted_name(name.name)} AS \n{query}"
    return texts("create view", text.split("\n"), "varchar")


def _is_prefix(reader: Reader) -> bool:
    """Return whether another name follows, so that EXTENDED or FORMATTED is not the name of the table."""
    return reader.after_next.kind in ("word", "quoted")


def _rows(
    columns: Sequence[Mapping[str, str]], table: dict[str, Any], *, with_header: bool = False
) -> list[list[str]]:
    """Return a row a column; the partition columns stand there twice, the second time below a heading."""
    keys = keys_of(table)
    rows = [[HEADER[0], HEADER[1], HEADER[2]], EMPTY] if with_header else []
    shown = [column for column in columns if column["Name"].lower() not in keys] if with_header else columns
    rows += [_row(column) for column in shown]
    partitioned = [_row(column) for column in columns if column["Name"].lower() in keys]
    if partitioned:
        rows += [EMPTY, ["# Partition Information", " ", " "], HEADER, EMPTY, *partitioned]
    return rows


def _row(column: Mapping[str, str]) -> list[str]:
    # A tab in a comment ends it here, because Hive joins the cells by tabs.
    comment = column.get("Comment") or ""
    return padded(column["Name"], column["Type"], comment) if "\t" not in comment else [
        *padded(column["Name"], column["Type"]), comment.partition("\t")[0]
    ]  # fmt: skip


def _create_table(written: str, table: dict[str, Any]) -> list[str]:
    stored = table["StorageDescriptor"]
    parameters = dict(table.get("Parameters") or {})
    # Both stand in clauses of the statement. Hive leaves them out of TBLPROPERTIES.
    comment = parameters.pop("comment", None)
    is_external = (
        parameters.pop("EXTERNAL", "").upper() == "TRUE" or table.get("TableType") == "EXTERNAL_TABLE"
    )
    lines = [
        f"CREATE {'EXTERNAL ' if is_external else ''}TABLE `{written}`(",
        *_column_lines(stored["Columns"]),
    ]
    if comment is not None:
        lines.append(f"COMMENT {_quoted(comment)}")
    if table.get("PartitionKeys"):
        lines += ["PARTITIONED BY ( ", *_column_lines(table["PartitionKeys"])]
    if stored.get("BucketColumns"):
        lines += ["CLUSTERED BY ( ", *_listed([f"  {name}" for name in stored["BucketColumns"]])]
        lines.append(f"INTO {stored['NumberOfBuckets']} BUCKETS")
    lines += _row_format(stored.get("SerdeInfo") or {})
    lines += ["STORED AS INPUTFORMAT ", f"  {_quoted(stored.get('InputFormat') or '')} "]
    lines += ["OUTPUTFORMAT ", f"  {_quoted(stored.get('OutputFormat') or '')}"]
    lines += ["LOCATION", f"  {_quoted(stored['Location'])}"]
    return [*lines, "TBLPROPERTIES (", *_property_lines(parameters)] if parameters else lines


def _row_format(serde: Mapping[str, Any]) -> list[str]:
    library, properties = serde.get("SerializationLibrary") or "", dict(serde.get("Parameters") or {})
    # Hive's own order of the clauses; its parser accepts no other.
    words = {name: " ".join(clause) for clause, name in DELIMITERS}
    # A default that the statement creates again by itself is not written.
    if properties.get("serialization.format") in ("1", properties.get("field.delim")):
        properties.pop("serialization.format")
    if library == LAZY_SIMPLE and properties and properties.keys() <= words.keys():
        clauses = [f"  {words[name]} {_quoted(properties[name])} " for name in words if name in properties]
        return ["ROW FORMAT DELIMITED ", *clauses]
    lines = ["ROW FORMAT SERDE ", f"  {_quoted(library)} "]
    if properties:
        *most, last = _property_lines(properties)
        lines += ["WITH SERDEPROPERTIES ( ", *most, f"{last} "]
    return lines


def _column_lines(columns: Sequence[Mapping[str, str]]) -> list[str]:
    lines = []
    for column in columns:
        comment = f" COMMENT {_quoted(column['Comment'])}" if column.get("Comment") else ""
        lines.append(f"  `{column['Name']}` {column['Type']}{comment}")
    return _listed(lines)


def _property_lines(properties: Mapping[str, str]) -> list[str]:
    return _listed([f"  {_quoted(name)}={_quoted(value)}" for name, value in sorted(properties.items())])


def _listed(lines: Sequence[str]) -> list[str]:
    """Return the lines with Hive's comma and space after each but the last, which closes the bracket."""
    return [*(f"{line}, " for line in lines[:-1]), f"{lines[-1]})"]


def _quoted(text: str) -> str:
    """Return a text as Hive writes it, so that it is read back as the same text."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return "'" + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in escaped) + "'"
