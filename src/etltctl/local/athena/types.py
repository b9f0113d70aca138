"""The three names of every type: Hive's in the catalog, DuckDB's in the engine, Athena's in a result."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

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
    """DuckDB's name of a Hive type; raises ValueError for one nobody knows."""
    hive = hive.strip().lower()
    if hive in HIVE_TO_DUCKDB:
        return HIVE_TO_DUCKDB[hive]
    if re.fullmatch(r"(varchar|char)\(\d+\)", hive):
        return "VARCHAR"
    if re.fullmatch(r"decimal\(\d+,\s*\d+\)", hive):
        return hive.upper()
    if inner := re.fullmatch(r"array<(.*)>", hive):
        return f"{duckdb_type(inner[1])}[]"
    if inner := re.fullmatch(r"map<(.*)>", hive):
        key, value = _split(inner[1])
        return f"MAP({duckdb_type(key)}, {duckdb_type(value)})"
    if inner := re.fullmatch(r"struct<(.*)>", hive):
        fields = (field.split(":", 1) for field in _split(inner[1]))
        return f"STRUCT({', '.join(f'{name.strip()} {duckdb_type(kind)}' for name, kind in fields)})"
    raise ValueError(f"unknown type {hive}")


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


def _split(text: str) -> list[str]:
    """Splits at the commas that are not inside brackets."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "<(" and 1) or (-1 if character in ">)" else 0)
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]
