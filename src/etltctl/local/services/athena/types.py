"""Types of columns in the catalog: the DuckDB type that reads one, and the Hive type that keeps one of Trino."""

from __future__ import annotations

from etltctl.hive import HiveType, parse_type
from etltctl.local.services.athena.dialect import QueryError, Type
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

TO_HIVE = {"varchar": "string", "integer": "int", "real": "float", "varbinary": "binary"}
PLAIN = ("boolean", "tinyint", "smallint", "bigint", "double", "date", *TO_HIVE)


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


def hive_type(kind: Type) -> str:
    """Return the Hive type that keeps a type of Trino.

    Raises:
        QueryError: NOT_SUPPORTED if Hive has no such type.
    """
    if kind.is_("decimal"):
        return f"decimal({kind.precision},{kind.scale})"
    # Hive has lengths for varchar and char, and a name for a text without one.
    if kind.is_text and kind.parameters:
        return f"{kind.name}({kind.number})"
    if kind.is_("timestamp"):
        return "timestamp"
    if kind.is_("array", "map"):
        return f"{kind.name}<{','.join(map(hive_type, kind.inners))}>"
    if kind.is_("row"):
        if not kind.fields or not all(kind.fields):
            raise QueryError(
                "NOT_SUPPORTED",
                f"Anonymous row type is not supported in Hive. Please give each field a name: {kind}",
            )
        named = zip(kind.field_names, kind.inners, strict=True)
        return f"struct<{','.join(f'{name}:{hive_type(inner)}' for name, inner in named)}>"
    if kind.name not in PLAIN:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")
    return TO_HIVE.get(kind.name, kind.name)


def kept_type(kind: Type) -> Type:
    """Return the type that a column of a Hive table has: a timestamp has milliseconds there."""
    if kind.is_("timestamp"):
        return Type("timestamp", (3,))
    # A timestamp may also stand inside an array, a map or a row.
    parameters = tuple(kept_type(one) if isinstance(one, Type) else one for one in kind.parameters)
    return Type(kind.name, parameters, kind.fields)
