"""CAST and TRY_CAST: which types Trino casts into which, with its rounding and its failures.

`CASTS` holds the pairs of type names that have a rule; JSON's are registered by its family.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import QueryError, mismatch, place, unsupported
from etltctl.local.athena.dialect.parsing import FOREIGN_TYPE
from etltctl.local.athena.dialect.trino_types import (
    PLAIN,
    Type,
    array,
    decimal,
    map_of,
    quoted,
    row,
    zoned,
)
from etltctl.local.athena.dialect.values import Value, member

if TYPE_CHECKING:
    from etltctl.local.athena.dialect.expressions import Expressions

Cast = Callable[[Value, Type, "Expressions"], Value]
CASTS: dict[tuple[str, str], Cast] = {}
NAMES = {
    "INT": "integer",
    "FLOAT": "real",
    "STRUCT": "row",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMPLTZ": "timestamp with time zone",
    "TIMETZ": "time with time zone",
    "TEXT": "string",
    "NCHAR": "nchar",
}


def casts(source: str, *targets: str) -> Callable[[Cast], Cast]:
    """Register the rule of a cast between types by their names."""

    def registered(rule: Cast) -> Cast:
        for one in source.split("|"):
            for target in targets:
                CASTS[one, target] = rule
        return rule

    return registered


def cast(
    value: Value, to: Type, compiler: Expressions, node: exp.Expr | None = None, *, is_try: bool = False
) -> Value:
    """Return the value as the type; with `is_try`, null where the cast fails.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such cast.
    """
    result = _cast(value, to, compiler, node)
    if is_try and result.sql != value.sql:
        return Value(f"TRY({result.sql})", result.type)
    return result


def _cast(value: Value, to: Type, compiler: Expressions, node: exp.Expr | None) -> Value:
    kind = value.type
    if kind == to:
        return value
    if kind.is_("unknown"):
        return coercion.coerced(value, to)
    if (rule := CASTS.get((kind.name, to.name))) is not None:
        return rule(value, to, compiler)
    if kind.name == to.name and kind.is_("array", "map", "row"):
        return _nested(value, to, compiler, node)
    if kind.is_number and to.is_number and coercion.common(kind, to) == to:
        return coercion.coerced(value, to)
    if kind.name == to.name and kind.duckdb == to.duckdb:
        return coercion.coerced(value, to)
    raise mismatch(f"Cannot cast {kind} to {to}", node)


def _nested(value: Value, to: Type, compiler: Expressions, node: exp.Expr | None) -> Value:
    kind = value.type
    if kind.is_("array"):
        inner = _cast(Value("e", kind.element), to.element, compiler, node)
        if inner.sql == "e":
            return Value(value.sql, to)
        return Value(f"list_transform({value.sql}, lambda e: {inner.sql})", to)
    if kind.is_("map"):
        key = _cast(Value("e.key", kind.inner(0)), to.inner(0), compiler, node)
        item = _cast(Value("e.value", kind.inner(1)), to.inner(1), compiler, node)
        entries = f"list_transform(map_entries({value.sql}), lambda e: struct_pack(k := {key.sql}, v := {item.sql}))"
        return Value(f"map_from_entries({entries})", to)
    if len(kind.inners) != len(to.inners):
        raise mismatch(f"Cannot cast {kind} to {to}", node)
    parts = []
    for index, (held, name) in enumerate(zip(kind.field_names, to.field_names, strict=True)):
        field = Value(member(value.sql, held), kind.inner(index))
        cast_field = _cast(field, to.inner(index), compiler, node)
        parts.append(f"{quoted(name)} := {coercion.coerced(cast_field, to.inner(index)).sql}")
    packed = f"struct_pack({', '.join(parts)})"
    return Value(f"(CASE WHEN {value.sql} IS NULL THEN NULL ELSE {packed} END)", to)


def of_node(node: exp.Expr) -> Type:
    """Return the type that a statement names.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such type, NOT_SUPPORTED if the embedded Athena has not.
    """
    if not isinstance(node, exp.DataType):
        raise mismatch(f"Unknown type: {node.sql()}", node)
    if (word := node.meta.get(FOREIGN_TYPE)) is not None:
        raise mismatch(f"Unknown type: {word}", node)
    name = NAMES.get(node.this.name, node.this.name.lower())
    inner = list(node.expressions)
    if name in ("array", "map"):
        kinds = [of_node(item) for item in inner]
        if len(kinds) != {"array": 1, "map": 2}[name]:
            raise mismatch(f"Unknown type: {name}", node)
        return array(kinds[0]) if name == "array" else map_of(kinds[0], kinds[1])
    if name == "row":
        return row(tuple(_field(item) for item in inner))
    numbers = [
        int(item.this.name)
        for item in inner
        if isinstance(item, exp.DataTypeParam) and item.this.name.isdigit()
    ]
    return _sized(name, numbers, node)


def _sized(name: str, numbers: list[int], node: exp.Expr) -> Type:
    if name == "decimal":
        precision, scale = [*numbers, 0][:2] if numbers else (38, 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise QueryError(
                "INVALID_FUNCTION_ARGUMENT",
                f"{place(node)}: DECIMAL precision must be in range [1, 38]: {precision}",
            )
        return decimal(precision, scale)
    if name in ("timestamp", "timestamp with time zone", "time"):
        precision = numbers[0] if numbers else 3
        if precision > 6:
            raise unsupported(f"{name}({precision})")
        return zoned(precision) if name == "timestamp with time zone" else Type(name, (precision,))
    if name in ("varchar", "char"):
        return Type(name, tuple(numbers[:1]) or ((1,) if name == "char" else ()))
    if name in ("time with time zone", "ipaddress"):
        raise unsupported(f"the type {name}")
    if name == "interval":
        raise unsupported("a cast to an interval")
    if name not in PLAIN or numbers:
        raise mismatch(f"Unknown type: {name}", node)
    return Type(name)


def _field(item: exp.Expr) -> tuple[str | None, Type]:
    if isinstance(item, exp.ColumnDef):
        return item.name, of_node(item.args["kind"])
    return None, of_node(item)
