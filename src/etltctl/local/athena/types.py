"""The three names of every type: Hive's in the catalog, DuckDB's in the engine, Athena's in a result."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from etltctl.hive_types import HiveType, parse_type

HIVE_TO_DUCKDB = {
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
DUCKDB_TO_ATHENA = {
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",  # DuckDB sums integers into 128 bits, Athena into 64
    "FLOAT": "real",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "VARCHAR": "varchar",
    "BLOB": "varbinary",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "TIME": "time",
    "INTERVAL": "interval day to second",
    "NULL": "unknown",
    '"NULL"': "unknown",
}


def duckdb_type(hive: str) -> str:
    """Return DuckDB's name of a Hive type.

    Raises:
        ValueError: The text is not a Hive type, or one that DuckDB does not have.
    """
    return _duckdb_type(parse_type(hive))


def _duckdb_type(kind: HiveType) -> str:
    parts = {name: _duckdb_type(part) for name, part in kind.parts.items()}
    match kind.name.partition("(")[0]:
        case "array":
            return f"{parts['element']}[]"
        case "map":
            return f"MAP({parts['key']}, {parts['value']})"
        case "struct":
            return f"STRUCT({', '.join(f'{_quoted(name)} {part}' for name, part in parts.items())})"
        case "varchar" | "char":
            return "VARCHAR"
        case "decimal":
            digits, scale = (*kind.numbers, 10, 0)[:2] if not kind.numbers else (*kind.numbers, 0)[:2]
            return f"DECIMAL({digits},{scale})"
    if kind.name not in HIVE_TO_DUCKDB:
        raise ValueError(f"unknown type {kind}")
    return HIVE_TO_DUCKDB[kind.name]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def athena_type(duckdb: str) -> str:
    """Athena's name of a DuckDB type; nested ones by their outermost name."""
    if duckdb in DUCKDB_TO_ATHENA:
        return DUCKDB_TO_ATHENA[duckdb]
    if duckdb.startswith("DECIMAL"):
        return "decimal"
    if duckdb.endswith("]"):
        return "array"
    return {"S": "row", "M": "map"}.get(duckdb[:1], "varchar")


def as_text(value: Any) -> str | None:
    """A value as Athena writes it; None for null."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d}"
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case list() | tuple():
            return f"[{', '.join(as_text(item) or 'null' for item in value)}]"
        case dict():
            return "{" + ", ".join(f"{name}={as_text(item) or 'null'}" for name, item in value.items()) + "}"
        case bytes():
            return value.hex(" ")
    return str(value)
