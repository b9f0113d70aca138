"""The part of DESCRIBE FORMATTED and DESCRIBE EXTENDED that says how a table's files are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from etltctl.local.services.athena.dialect import TableName
from etltctl.local.services.athena.statements.hive import padded

Row = list[str]
Shape = Mapping[str, Any]


def formatted(name: TableName, table: Shape, partition: Shape | None, columns: Sequence[Row]) -> list[Row]:
    """Return the rows of DESCRIBE FORMATTED.

    Args:
        name: The name of the table.
        table: The table in the catalog's shape.
        partition: The partition that is described, or None.
        columns: The rows of the columns.
    """
    about = table if partition is None else partition
    stored, serde = about["StorageDescriptor"], about["StorageDescriptor"].get("SerdeInfo") or {}
    # The order of the facts is Hive's, which tools read by position.
    facts: list[tuple[str, Any]] = [("Database:", name.database)]
    if partition is None:
        facts += [("Owner:", table.get("Owner") or "null")]
    else:
        facts[:0] = [("Partition Value:", f"[{', '.join(partition['Values'])}]")]
        facts += [("Table:", name.name)]
    facts += [("CreateTime:", _time(_seconds(about))), ("LastAccessTime:", "UNKNOWN")]
    if partition is None:
        facts += [("Protect Mode:", "None"), ("Retention:", table.get("Retention") or 0)]
    facts += [("Location:", stored.get("Location") or "")]
    if partition is None:
        facts += [("Table Type:", table.get("TableType") or "null")]
    kind = "Table" if partition is None else "Partition"
    storage = [
        ("SerDe Library:", serde.get("SerializationLibrary") or "null"),
        ("InputFormat:", stored.get("InputFormat") or "null"),
        ("OutputFormat:", stored.get("OutputFormat") or "null"),
        ("Compressed:", "Yes" if stored.get("Compressed") else "No"),
        ("Num Buckets:", stored.get("NumberOfBuckets", -1)),
        ("Bucket Columns:", _list(stored.get("BucketColumns"))),
        ("Sort Columns:", _list(stored.get("SortColumns"))),
    ]
    return [
        *columns,
        ["", " ", " "],
        [f"# Detailed {kind} Information", " ", " "],
        *([*padded(key, str(value)), " "] for key, value in facts),
        *_parameters(f"{kind} Parameters:", about.get("Parameters")),
        ["", " ", " "],
        ["# Storage Information", " ", " "],
        *([*padded(key, str(value)), " "] for key, value in storage),
        *_parameters("Storage Desc Params:", serde.get("Parameters")),
    ]


def extended(name: TableName, table: Shape, partition: Shape | None) -> Row:
    """Return the last row of DESCRIBE EXTENDED, which holds the whole object."""
    if partition is not None:
        values = f"values:[{', '.join(partition['Values'])}], dbName:{name.database}, tableName:{name.name}"
        times = f"createTime:{_seconds(partition)}, lastAccessTime:0"
        stored = _stored(partition["StorageDescriptor"])
        text = f"Partition({values}, {times}, sd:{stored}, parameters:{_map(partition.get('Parameters'))})"
        return ["Detailed Partition Information", text, ""]
    # Hive prints its Thrift objects here, null for a member without a value.
    keys = ", ".join(map(_field, table.get("PartitionKeys") or []))
    parts = {
        "tableName": name.name,
        "dbName": name.database,
        "owner": table.get("Owner") or "null",
        "createTime": _seconds(table),
        "lastAccessTime": 0,
        "retention": table.get("Retention") or 0,
        "sd": _stored(table["StorageDescriptor"]),
        "partitionKeys": f"[{keys}]",
        "parameters": _map(table.get("Parameters")),
        "viewOriginalText": "null",
        "viewExpandedText": "null",
        "tableType": table.get("TableType") or "null",
    }
    text = ", ".join(f"{key}:{value}" for key, value in parts.items())
    return ["Detailed Table Information", f"Table({text})", ""]


def _stored(stored: Shape) -> str:
    serde = stored.get("SerdeInfo") or {}
    library = serde.get("SerializationLibrary")
    parts = {
        "cols": f"[{', '.join(map(_field, stored.get('Columns') or []))}]",
        "location": stored.get("Location"),
        "inputFormat": stored.get("InputFormat"),
        "outputFormat": stored.get("OutputFormat"),
        "compressed": str(bool(stored.get("Compressed"))).lower(),
        "numBuckets": stored.get("NumberOfBuckets", -1),
        "serdeInfo": f"SerDeInfo(name:null, serializationLib:{library}, parameters:{_map(serde.get('Parameters'))})",
        "bucketCols": _list(stored.get("BucketColumns")),
        "sortCols": _list(stored.get("SortColumns")),
        "parameters": _map(stored.get("Parameters")),
        "storedAsSubDirectories": "false",
    }
    return f"StorageDescriptor({', '.join(f'{key}:{value}' for key, value in parts.items())})"


def _field(column: Shape) -> str:
    return f"FieldSchema(name:{column['Name']}, type:{column['Type']}, comment:{column.get('Comment') or 'null'})"


def _parameters(title: str, parameters: Shape | None) -> list[Row]:
    rows = [["", *padded(key, str(value))] for key, value in sorted((parameters or {}).items())]
    return [[title, " ", " "], *rows] if rows else []


def _map(parameters: Shape | None) -> str:
    return f"{{{', '.join(f'{key}={value}' for key, value in (parameters or {}).items())}}}"


def _list(names: Sequence[Any] | None) -> str:
    return f"[{', '.join(str(name) for name in names or [])}]"


def _seconds(about: Shape) -> int:
    return int(about.get("CreateTime") or about.get("CreationTime") or 0)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
