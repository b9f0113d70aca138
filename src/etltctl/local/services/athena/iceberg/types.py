"""The types of Iceberg's columns, for those of Trino and of Hive's statements."""

from __future__ import annotations

from pyiceberg import types
from pyiceberg.catalog.glue import _IcebergSchemaToGlueType
from pyiceberg.schema import Schema, assign_fresh_schema_ids, visit

from etltctl.hive import HiveType, parse_type
from etltctl.local.services.athena.dialect import QueryError, Type
from etltctl.local.services.athena.dialect.trino_types import array, decimal, map_of, row

# Iceberg keeps microseconds.
TO_TRINO: dict[type[types.IcebergType], Type] = {
    types.BooleanType: Type("boolean"), types.IntegerType: Type("integer"), types.LongType: Type("bigint"),
    types.FloatType: Type("real"), types.DoubleType: Type("double"), types.DateType: Type("date"),
    types.TimeType: Type("time", (6,)), types.TimestampType: Type("timestamp", (6,)),
    types.TimestamptzType: Type("timestamp with time zone", (6,)), types.StringType: Type("varchar"),
    types.UUIDType: Type("uuid"), types.FixedType: Type("varbinary"), types.BinaryType: Type("varbinary"),
}  # fmt: skip
OF_TRINO = {
    "boolean": types.BooleanType(), "integer": types.IntegerType(), "bigint": types.LongType(),
    "real": types.FloatType(), "double": types.DoubleType(), "date": types.DateType(), "time": types.TimeType(),
    "timestamp": types.TimestampType(), "timestamp with time zone": types.TimestamptzType(),
    "varchar": types.StringType(), "varbinary": types.BinaryType(),
}  # fmt: skip
OF_HIVE = {
    "boolean": types.BooleanType(), "int": types.IntegerType(), "bigint": types.LongType(),
    "float": types.FloatType(), "double": types.DoubleType(), "date": types.DateType(),
    "timestamp": types.TimestampType(), "string": types.StringType(), "binary": types.BinaryType(),
}  # fmt: skip
# Each name of a nested field needs an id. These are replaced when the schema is complete.
NO_ID = -1


def trino_type(kind: types.IcebergType) -> Type:
    """Return Trino's type of a column.

    Raises:
        QueryError: NOT_SUPPORTED for a type that Athena lacks.
    """
    match kind:
        case types.DecimalType():
            return decimal(kind.precision, kind.scale)
        case types.ListType():
            return array(trino_type(kind.element_type))
        case types.MapType():
            return map_of(trino_type(kind.key_type), trino_type(kind.value_type))
        case types.StructType():
            return row(tuple((field.name, trino_type(field.field_type)) for field in kind.fields))
    if type(kind) not in TO_TRINO:
        raise QueryError("NOT_SUPPORTED", f"Unsupported Iceberg type: {kind}")
    return TO_TRINO[type(kind)]


def kept_type(kind: Type) -> Type:
    """Return the type that a column of Iceberg has for one of a query.

    Raises:
        QueryError: NOT_SUPPORTED in the words of Athena if Iceberg has no such type.
    """
    if kind.is_("timestamp", "timestamp with time zone", "time") and kind.parameters != (6,):
        # Athena does not round a time on its own: the query must say timestamp(6).
        raise QueryError(
            "NOT_SUPPORTED",
            f'Timestamp precision ({kind.number if kind.parameters else 3}) not supported for Iceberg. '
            f'Use "{Type(kind.name, (6,))}" instead.',
        )  # fmt: skip
    return trino_type(_of_trino(kind))


def _of_trino(kind: Type) -> types.IcebergType:
    if kind.is_("decimal"):
        return types.DecimalType(kind.precision, kind.scale)
    if kind.is_("array"):
        return types.ListType(NO_ID, _of_trino(kind.element), element_required=False)
    if kind.is_("map"):
        key, value = map(_of_trino, kind.inners)
        return types.MapType(NO_ID, key, NO_ID, value, value_required=False)
    if kind.is_("row") and kind.fields and all(kind.fields):
        named = zip(kind.field_names, kind.inners, strict=True)
        return types.StructType(
            *(types.NestedField(NO_ID, name, _of_trino(inner), required=False) for name, inner in named)
        )
    if kind.name not in OF_TRINO:
        raise QueryError("NOT_SUPPORTED", f"Type not supported for Iceberg: {kind}")
    return OF_TRINO[kind.name]


def of_hive(text: str) -> types.IcebergType:
    """Return the type of a column for its type in a statement.

    Raises:
        QueryError: NOT_SUPPORTED if Iceberg has no such type.
    """
    return _of_hive(parse_type(text))


def _of_hive(kind: HiveType) -> types.IcebergType:
    parts = {name: _of_hive(part) for name, part in kind.parts.items()}
    match kind.name.partition("(")[0]:
        case "array":
            return types.ListType(NO_ID, parts["element"], element_required=False)
        case "map":
            return types.MapType(NO_ID, parts["key"], NO_ID, parts["value"], value_required=False)
        case "struct":
            return types.StructType(
                *(types.NestedField(NO_ID, name, part, required=False) for name, part in parts.items())
            )
        case "decimal":
            precision, scale = (*kind.numbers, 0)[:2] if kind.numbers else (10, 0)
            return types.DecimalType(precision, scale)
    if kind.name not in OF_HIVE:
        raise QueryError("NOT_SUPPORTED", f"Type not supported for Iceberg: {kind}")
    return OF_HIVE[kind.name]


def schema_of(columns: dict[str, tuple[types.IcebergType, str | None]]) -> Schema:
    """Return the schema of new columns, each with its type and its comment."""
    fields = [
        types.NestedField(index, name, kind, required=False, doc=comment)
        for index, (name, (kind, comment)) in enumerate(columns.items(), 1)
    ]
    return assign_fresh_schema_ids(Schema(*fields))


def schema_of_rows(kinds: dict[str, Type]) -> Schema:
    """Return the schema of the columns of a query."""
    return schema_of({name: (_of_trino(kind), None) for name, kind in kinds.items()})


def hive_text(kind: types.IcebergType) -> str:
    """Return the type of a column as the catalog and Hive's statements word it."""
    return str(visit(kind, _IcebergSchemaToGlueType()))
