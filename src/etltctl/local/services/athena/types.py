"""The DuckDB type that reads a column of a Hive type."""

from __future__ import annotations

from etltctl.hive import HiveType, parse_type
from etltctl.values import quoted_name

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
            return f"STRUCT({', '.join(f'{quoted_name(name)} {part}' for name, part in parts.items())})"
        case "varchar" | "char":
            return "VARCHAR"
        case "decimal":
            digits, scale = (*kind.numbers, 10, 0)[:2] if not kind.numbers else (*kind.numbers, 0)[:2]
            return f"DECIMAL({digits},{scale})"
    if kind.name not in HIVE_TO_DUCKDB:
        raise ValueError(f"unknown type {kind}")
    return HIVE_TO_DUCKDB[kind.name]
