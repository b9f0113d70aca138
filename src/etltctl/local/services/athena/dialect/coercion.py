"""Which types Trino turns into which by itself, and the SQL of doing so."""

from __future__ import annotations

from etltctl.local.services.athena.dialect.trino_types import (
    DIGITS,
    INTEGERS,
    Type,
    array,
    decimal,
    map_of,
    quoted,
    timestamp,
    varchar,
    zoned,
)
from etltctl.local.services.athena.dialect.values import Value

ORDER = (*INTEGERS, "decimal", "real", "double")


def common(left: Type, right: Type) -> Type | None:
    """Return the type that both are turned into when they meet, or None if Trino has none."""
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


def can(kind: Type, to: Type) -> bool:
    """Return whether Trino turns one type into the other by itself."""
    if kind.is_text and to.name == "varchar" and not to.parameters:
        return True
    if to.name in ("timestamp", "timestamp with time zone", "time") and kind.name == to.name:
        return True  # functions take every precision
    if kind.is_exact and to.name == "decimal" and not to.parameters:
        return True
    if kind.is_("array", "map") and kind.name == to.name:
        return all(can(a, b) for a, b in zip(kind.inners, to.inners, strict=True))
    return common(kind, to) == to


def cost(kind: Type, to: Type) -> int:
    """Return how far a type is from another that it is turned into: 0 for the same."""
    if kind == to or (kind.name == to.name and not kind.is_("decimal", "array", "map", "row")):
        return 0
    if kind.name in ORDER and to.name in ORDER:
        return 1 + abs(ORDER.index(to.name) - ORDER.index(kind.name))
    return 1


def coerced(value: Value, to: Type) -> Value:
    """Return the value as the type; the caller knows that it can be."""
    kind = value.type
    if kind.duckdb == to.duckdb and not kind.is_("unknown"):
        if kind.name == to.name and not to.parameters:
            return value  # varchar(3) as varchar keeps what is known of it
        retyped = Type(to.name, to.parameters, to.fields, kind.zone or to.zone)
        return Value(_padded(value.sql, kind, to), retyped, value.constant, value.parts)
    if to.is_("decimal") and not to.parameters:
        return coerced(value, decimal(kind.precision, kind.scale)) if kind.is_exact else value
    if to.is_zoned and not kind.is_("unknown"):
        return zoned_of(coerced(value, timestamp(to.number)).sql, "'UTC'", to.number, "UTC")
    if kind.is_("array") and holds_zoned(to):
        inner = coerced(Value("e", kind.element), to.element)
        return Value(f"list_transform({value.sql}, lambda e: {inner.sql})", to)
    return Value(f"CAST({value.sql} AS {to.duckdb})", to, value.constant)


def zoned_of(instant: str, zone: str, precision: int = 3, static: str | None = None) -> Value:
    """Return a timestamp with time zone of the SQL of its instant and of its zone; `static` names a known zone."""
    null = f'CASE WHEN {instant} IS NULL THEN NULL ELSE struct_pack("at" := {instant}, "zone" := {zone}) END'
    return Value(f"({null})", zoned(precision, static), parts=(instant, zone))


def holds_zoned(kind: Type) -> bool:
    """Return whether the type is a timestamp with time zone or has one inside."""
    return kind.is_zoned or any(holds_zoned(inner) for inner in kind.inners)


def _padded(sql: str, kind: Type, to: Type) -> str:
    if to.is_("char") and to.parameters and kind != to:
        return f"rpad({sql}, greatest({to.number}, length({sql}))::INTEGER, ' ')"
    return sql


def _common_number(left: Type, right: Type) -> Type:
    if left.is_floating or right.is_floating:
        return max(left, right, key=lambda kind: ORDER.index(kind.name))
    if left.is_integer and right.is_integer:
        return max(left, right, key=lambda kind: DIGITS[kind.name])
    scale = max(left.scale, right.scale)
    return decimal(max(left.precision - left.scale, right.precision - right.scale) + scale, scale)


def _common_text(left: Type, right: Type) -> Type:
    if left.name == right.name == "varchar":
        if left.parameters and right.parameters:
            return varchar(max(left.number, right.number))
        return Type("varchar")
    if left.parameters and right.parameters:
        return Type("char", (max(left.number, right.number),))
    return Type("varchar")


def _common_nested(left: Type, right: Type) -> Type | None:
    if len(left.inners) != len(right.inners):
        return None
    inners = [common(a, b) for a, b in zip(left.inners, right.inners, strict=True)]
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


__all__ = ["can", "coerced", "common", "cost", "holds_zoned", "quoted", "zoned_of"]
