"""The DuckDB type that reads a column of a Hive type."""

from __future__ import annotations

import re

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
        ValueError: if Hive has no such type.
    """
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
