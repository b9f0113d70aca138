"""Conversions between types: those that Trino makes without a CAST (coercions), CAST and TRY_CAST.

`CASTS` holds a rule for each pair of type names. `cast_rules`, `datetime_casts` and `functions.json_casts` register
theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import mismatch
from etltctl.local.services.athena.dialect.trino_types import (
    DIGITS,
    INTEGERS,
    Type,
    array,
    decimal,
    map_of,
    timestamp,
    varchar,
    zoned,
)
from etltctl.local.services.athena.dialect.values import Value, member
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions

# Trino coerces a number to a type further right, never to one further left.
ORDER = (*INTEGERS, "decimal", "real", "double")


def common_type(left: Type, right: Type) -> Type | None:
    """Return the type that Trino coerces both types to; None if there is none."""
    # The zone is not part of the type. It stays known only if both sides have the same.
    if left == right:
        return left if left.zone == right.zone else Type(left.name, left.parameters, left.fields)
    if left.is_("unknown") or right.is_("unknown"):
        return right if left.is_("unknown") else left
    if left.is_number and right.is_number:
        return _common_number(left, right)
    if left.is_text and right.is_text:
        return _common_text(left, right)
    if left.name == right.name and left.is_("array", "map", "row"):
        return _common_nested(left, right)
    return _common_time(left, right)


def is_coercible(kind: Type, to: Type) -> bool:
    """Return whether Trino coerces one type to the other."""
    if kind.is_text and to.name == "varchar" and not to.parameters:
        return True
    if to.name in ("timestamp", "timestamp with time zone", "time") and kind.name == to.name:
        return True  # functions take every precision
    # A parameter `decimal` of a signature takes every precision and scale.
    if kind.is_exact and to.name == "decimal" and not to.parameters:
        return True
    if kind.is_("array", "map") and kind.name == to.name:
        return all(is_coercible(a, b) for a, b in zip(kind.inners, to.inners, strict=True))
    return common_type(kind, to) == to


def coercion_cost(kind: Type, to: Type) -> int:
    """Return how far a type is from the one that it is coerced to: 0 for the same."""
    if kind == to or (kind.name == to.name and not kind.is_("decimal", "array", "map", "row")):
        return 0
    if kind.name in ORDER and to.name in ORDER:
        return 1 + abs(ORDER.index(to.name) - ORDER.index(kind.name))
    return 1


def coerced(value: Value, to: Type) -> Value:
    """Return the value as a type that Trino coerces it to.

    Args:
        value: the value.
        to: a type for which `is_coercible` is true. Without parameters it takes those of the value's type.
    """
    kind = value.type
    if kind.duckdb == to.duckdb and not kind.is_("unknown"):
        if kind.name == to.name and not to.parameters:
            return value  # varchar(3) as varchar keeps its length and its constant
        retyped = Type(to.name, to.parameters, to.fields, kind.zone or to.zone)
        return Value(_padded(value.sql, kind, to), retyped, value.constant, value.parts)
    if to.is_("decimal") and not to.parameters:
        return coerced(value, decimal(kind.precision, kind.scale)) if kind.is_exact else value
    if to.is_zoned and not kind.is_("unknown"):
        return zoned_of(coerced(value, timestamp(to.number)).sql, "'UTC'", to.number, "UTC")
    if kind.is_("array") and holds_zoned(to):
        # DuckDB cannot cast a timestamp into the struct of a zoned one, so each element is converted.
        inner = coerced(Value("e", kind.element), to.element)
        return Value(f"list_transform({value.sql}, lambda e: {inner.sql})", to)
    return Value(f"CAST({value.sql} AS {to.duckdb})", to, value.constant)


def zoned_of(instant: str, zone: str, precision: int = 3, static: str | None = None) -> Value:
    """Return a timestamp with time zone.

    Args:
        instant: the SQL of the instant in UTC.
        zone: the SQL of the zone's name.
        precision: the count of digits of a second's fraction.
        static: the zone's name, if it is known before the query runs.
    """
    # A struct of nulls is not null in DuckDB, so the null is made one level up.
    null = f'CASE WHEN {instant} IS NULL THEN NULL ELSE struct_pack("at" := {instant}, "zone" := {zone}) END'
    return Value(f"({null})", zoned(precision, static), parts=(instant, zone))


def holds_zoned(kind: Type) -> bool:
    """Return whether the type is a timestamp with time zone or has one inside."""
    return kind.is_zoned or any(holds_zoned(inner) for inner in kind.inners)


def _padded(sql: str, kind: Type, to: Type) -> str:
    # `cast('a' as char(3))` has two spaces at its end, which show when it is joined or printed.
    if to.is_("char") and to.parameters and kind != to:
        return f"rpad({sql}, greatest({to.number}, length({sql}))::INTEGER, ' ')"
    return sql


def _common_number(left: Type, right: Type) -> Type:
    if left.is_floating or right.is_floating:
        return max(left, right, key=lambda kind: ORDER.index(kind.name))
    if left.is_integer and right.is_integer:
        return max(left, right, key=lambda kind: DIGITS[kind.name])
    # The common decimal has room for the longer whole part and for the longer fraction.
    scale = max(left.scale, right.scale)
    return decimal(max(left.precision - left.scale, right.precision - right.scale) + scale, scale)


def _common_text(left: Type, right: Type) -> Type:
    if left.name == right.name == "varchar":
        if left.parameters and right.parameters:
            return varchar(max(left.number, right.number))
        return Type("varchar")
    if left.parameters and right.parameters:
        # A char meets a varchar as char, by the greater length.
        return Type("char", (max(left.number, right.number),))
    return Type("varchar")


def _common_nested(left: Type, right: Type) -> Type | None:
    if len(left.inners) != len(right.inners):
        return None
    inners = [common_type(a, b) for a, b in zip(left.inners, right.inners, strict=True)]
    known = [inner for inner in inners if inner is not None]
    if len(known) != len(inners):
        return None
    if left.is_("array"):
        return array(known[0])
    if left.is_("map"):
        return map_of(known[0], known[1])
    fields = left.fields if left.fields == right.fields else ()
    return Type("row", tuple(known), fields)


def _common_time(left: Type, right: Type) -> Type | None:
    rank = {"date": 0, "timestamp": 1, "timestamp with time zone": 2}
    if left.name == right.name == "time":
        return Type("time", (max(left.number, right.number),))
    if left.name not in rank or right.name not in rank:
        return None
    precision = max(kind.number for kind in (left, right) if kind.parameters)
    winner = max(left, right, key=lambda kind: rank[kind.name])
    if not winner.is_zoned:
        return timestamp(precision)
    # A date or timestamp becomes one in the session's zone, which is UTC on Athena.
    zones = {kind.zone if kind.is_zoned else "UTC" for kind in (left, right)}
    return zoned(precision, zones.pop() if len(zones) == 1 else None)


def common_type_of(values: Sequence[Value], what: str, node: exp.Expr | None) -> Type:
    """Return the common type of the values.

    Args:
        values: at least one value.
        what: the subject of the error, such as "All CASE results".
        node: the place of the error.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no common type of them.
    """
    kind: Type | None = values[0].type
    for value in values[1:]:
        before, kind = kind, common_type(kind, value.type) if kind is not None else None
        if kind is None:
            raise mismatch(
                f"{what} must be the same type or coercible to a common type. Cannot find common type between "
                f"{before} and {value.type}, all types (without duplicates): "
                f"[{', '.join(dict.fromkeys(str(v.type) for v in values))}]",
                node,
            )
    assert kind is not None
    return kind


Cast = Callable[[Value, Type, "Expressions"], Value]
CASTS: dict[tuple[str, str], Cast] = {}


def cast_rule(source: str, *targets: str) -> Callable[[Cast], Cast]:
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
    """Cast a value to a type.

    Args:
        value: the value.
        to: the type.
        compiler: the translator, which collects the Python functions that a rule calls.
        node: the place of an error.
        is_try: whether a cast that fails is null, as TRY_CAST is.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such cast.
    """
    result = _cast(value, to, compiler, node)
    # DuckDB's TRY_CAST would only catch DuckDB's own errors. TRY catches those that a rule raises, too.
    if is_try and result.sql != value.sql:
        return Value(f"TRY({result.sql})", result.type)
    return result


def _cast(value: Value, to: Type, compiler: Expressions, node: exp.Expr | None) -> Value:
    kind = value.type
    if kind == to:
        return value
    if kind.is_("unknown"):
        return coerced(value, to)
    # The order matters: a rule for a pair of types goes before every general way.
    if (rule := CASTS.get((kind.name, to.name))) is not None:
        return rule(value, to, compiler)
    if kind.name == to.name and kind.is_("array", "map", "row"):
        return _nested(value, to, compiler, node)
    if kind.is_number and to.is_number and common_type(kind, to) == to:
        return coerced(value, to)
    if kind.name == to.name and kind.duckdb == to.duckdb:
        return coerced(value, to)
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
    # Rows are cast by position: `cast(row(1, 2) as row(a bigint, b bigint))` names the fields.
    parts = []
    for index, (held, name) in enumerate(zip(kind.field_names, to.field_names, strict=True)):
        field = Value(member(value.sql, held), kind.inner(index))
        cast_field = _cast(field, to.inner(index), compiler, node)
        parts.append(f"{quoted_name(name)} := {coerced(cast_field, to.inner(index)).sql}")
    # A null row stays null. Without the CASE it would become a row of nulls.
    packed = f"struct_pack({', '.join(parts)})"
    return Value(f"(CASE WHEN {value.sql} IS NULL THEN NULL ELSE {packed} END)", to)


def shown(value: Value, compiler: Expressions) -> str:
    """Return the SQL of a value's text for a message. An array or a row has no cast to varchar."""
    if value.type.is_("array", "row"):
        return f"CAST({value.sql} AS VARCHAR)"
    return cast(value, Type("varchar"), compiler).sql
