"""Functions of maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts, errors
from etltctl.local.services.athena.dialect.errors import invalid_argument, mismatch, unsupported
from etltctl.local.services.athena.dialect.functions.lambdas import (
    applied,
    array_of,
    condition,
    failure,
    once,
    over,
    parameter,
    unless_null,
)
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import UNKNOWN, Type, array, map_of, row
from etltctl.local.services.athena.dialect.values import Value, member

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


def entries_of(value: Any) -> list[tuple[Any, Any]]:
    """Return the entries of a map as DuckDB passes it to Python: keys that cannot be hashed come in a list."""
    # DuckDB passes a map with hashable keys as a dict, and others as two lists.
    if isinstance(value, dict) and set(value) == {"key", "value"} and isinstance(value["key"], list):
        return list(zip(value["key"], value["value"], strict=True))
    return list(value.items())


def map_from(entries: Sequence[tuple[Any, Any]]) -> dict[str, list[Any]]:
    """Return a map as DuckDB takes it from Python."""
    return {"key": [key for key, _ in entries], "value": [value for _, value in entries]}


def unique(entries: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return the entries; the first one of each key stays."""
    seen: dict[str, tuple[Any, Any]] = {}
    for key, value in entries:
        seen.setdefault(repr(key), (key, value))
    return list(seen.values())


def map_value(call: Call, index: int) -> Value:
    """Return an argument that has to be a map."""
    if index >= len(call.args):
        raise call.unexpected()
    value = call.args[index]
    if value.type.is_("unknown"):
        return casts.coerced(value, map_of(UNKNOWN, UNKNOWN))
    if not value.type.is_("map"):
        raise call.unexpected()
    return value


def refuse_key(kind: Type) -> None:
    """Refuse a type of keys that DuckDB compares differently from Trino."""
    if any(word in str(kind) for word in ("time zone", "json", "map")):
        raise unsupported(f"maps with keys of {kind}")


def checked_map(call: Call, keys: str, values: str, kind: Type) -> str:
    """Return SQL of a map of two lists; a null key, a repeated key or another length ends the query."""
    refuse_key(kind.inner(0))
    # DuckDB refuses null and repeated keys too, but not in Athena's words.
    null = failure("'map key cannot be null'", kind)
    uneven = failure("'Key and value arrays must be the same length'", kind)

    def build(held: str) -> str:
        shown = casts.shown(Value(f"list_extract({_repeated(held)}, 1)", kind.inner(0)), call.compiler)
        twice = failure(f"concat('Duplicate map keys (', {shown}, ') are not allowed')", kind)
        return (
            f"CASE WHEN {held} IS NULL OR {values} IS NULL THEN NULL WHEN len({held}) <> len({values}) THEN {uneven}"
            f" WHEN len({held}) <> list_count({held}) THEN {null}"
            f" WHEN len({held}) <> len(list_distinct({held})) THEN {twice} ELSE map({held}, {values}) END"
        )

    return once(keys, build)


def _repeated(keys: str) -> str:
    return f'list_filter({keys}, lambda "~k", "~n": list_position({keys}, "~k") <> "~n")'


def value_at(
    value: Value, key: Value, node: exp.Expr | None, compiler: Expressions, *, is_needed: bool = False
) -> Value:
    """Return the value of a key; if the map lacks the key, null, or an error if it is needed."""
    keys, kind = value.type.inners
    common = casts.common_type(keys, key.type)
    if common is None:
        raise mismatch(f"Cannot apply operator: {value.type}[{key.type}]", node)
    refuse_key(common)
    # `map(array[1], …)[bigint '1']`: DuckDB looks a key up by its own type only.
    if common.duckdb != keys.duckdb:
        value = casts.coerced(value, map_of(common, kind))
    typed_key = casts.coerced(key, common)
    at_key = f"map_extract_value({value.sql}, {typed_key.sql})"
    if not is_needed:
        return Value(unless_null(at_key, value.sql, typed_key.sql), kind)
    # `m['x']` without the key is an error, and `element_at(m, 'x')` is null.
    missing = errors.failure(
        kind,
        "INVALID_FUNCTION_ARGUMENT",
        "'Key not present in map: '",
        casts.shown(typed_key, compiler),
    )
    there = f"map_contains({value.sql}, {typed_key.sql})"
    guarded = f"CASE WHEN {there} THEN {at_key} ELSE {missing} END"
    return Value(unless_null(guarded, value.sql, typed_key.sql), kind)


@function("map")
def _map(call: Call) -> Value:
    call.expect(0, 2)
    if not call.nodes:
        kind = map_of(UNKNOWN, UNKNOWN)
        return Value(f"CAST(map() AS {kind.duckdb})", kind)
    keys, values = array_of(call, 0), array_of(call, 1)
    kind = map_of(keys.type.element, values.type.element)
    return Value(checked_map(call, keys.sql, values.sql, kind), kind)


def _pairs(call: Call) -> tuple[Value, Type, Type]:
    """Return an argument that has to be an array of rows of two fields."""
    call.expect(1)
    pairs = array_of(call, 0)
    if not pairs.type.element.is_("row") or len(pairs.type.element.inners) != 2:
        raise call.unexpected(f"{call.name}(array(row(K,V)))")
    keys, values = pairs.type.element.inners
    return pairs, keys, values


@function("map_from_entries")
def _from_entries(call: Call) -> Value:
    pairs, keys, values = _pairs(call)
    first, second = pairs.type.element.field_names
    kind = map_of(keys, values)
    null = failure("'map entry cannot be null'", kind)

    def build(held: str) -> str:
        columns = [
            over("list_transform", held, lambda name, field=field: member(name, field))  # type: ignore[misc]
            for field in (first, second)
        ]
        whole = f"len({held}) <> list_count({held})"
        built = checked_map(call, columns[0], columns[1], kind)
        return f"CASE WHEN {held} IS NULL THEN NULL WHEN {whole} THEN {null} ELSE {built} END"

    return Value(once(pairs.sql, build), kind)


def grouped(pairs: list[Any]) -> dict[str, list[Any]] | None:
    """Return a map from each key to its values."""
    groups: dict[str, tuple[Any, list[Any]]] = {}
    for pair in pairs:
        if pair is None:
            raise invalid_argument("map entry cannot be null")
        key, value = pair["k"], pair["v"]
        if key is None:
            raise invalid_argument("map key cannot be null")
        groups.setdefault(repr(key), (key, []))[1].append(value)
    return map_from(list(groups.values()))


@function("multimap_from_entries")
def _multimap_from_entries(call: Call) -> Value:
    pairs, keys, values = _pairs(call)
    refuse_key(keys)
    first, second = pairs.type.element.field_names
    renamed = over(
        "list_transform",
        pairs.sql,
        lambda name: (
            f"CASE WHEN {name} IS NULL THEN NULL ELSE struct_pack("
            f"k := {member(name, first)}, v := {member(name, second)}) END"
        ),
    )
    kind = array(row({"k": keys, "v": values}))
    return call.python(grouped, Value(renamed, kind), returns=map_of(keys, array(values)))


@function("map_keys", "map_values")
def _parts(call: Call) -> Value:
    call.expect(1)
    value = map_value(call, 0)
    kind = value.type.inner(0 if call.name == "map_keys" else 1)
    return Value(f"{call.name}({value.sql})", array(kind))


@function("map_entries")
def _entries(call: Call) -> Value:
    call.expect(1)
    value = map_value(call, 0)
    kind = row(((None, value.type.inner(0)), (None, value.type.inner(1))))
    entries = over(
        "list_transform",
        f"map_entries({value.sql})",
        lambda name: f"struct_pack(field0 := {name}.key, field1 := {name}.value)",
    )
    return Value(unless_null(entries, value.sql), array(kind))


@function("map_concat")
def _concat(call: Call) -> Value:
    if len(call.nodes) < 2:
        raise call.unexpected("map_concat(map(K,V), map(K,V))")
    kind: Type | None = map_value(call, 0).type
    for index in range(1, len(call.nodes)):
        kind = casts.common_type(kind, map_value(call, index).type) if kind is not None else None
    if kind is None:
        raise call.unexpected("map_concat(map(K,V), map(K,V))")
    refuse_key(kind.inner(0))
    values = [casts.coerced(value, kind) for value in call.args]
    # Trino begins with the last map, and adds of the others the keys that are still missing.
    entries = ", ".join(f"map_entries({value.sql})" for value in reversed(values))
    merged = once(f"list_concat({entries})", _first_of_each_key)
    return Value(unless_null(merged, *(value.sql for value in values)), kind)


def _first_of_each_key(entries: str) -> str:
    keys = over("list_transform", entries, lambda name: f"{name}.key")
    first = once(
        keys,
        lambda held: f'list_filter({entries}, lambda "~e", "~i": list_position({held}, "~e".key) = "~i")',
    )
    return f"map_from_entries({first})"


@function("map_filter")
def _filter(call: Call) -> Value:
    call.expect(2)
    value, name = map_value(call, 0), parameter()
    keys, values = value.type.inners
    is_kept = condition(call, 1, Value(f"{name}.key", keys), Value(f"{name}.value", values))
    # The cast keeps the type of a map that is left without entries.
    kept = f"list_filter(map_entries({value.sql}), lambda {name}: coalesce({is_kept}, false))"
    return Value(unless_null(f"CAST(map_from_entries({kept}) AS {value.type.duckdb})", value.sql), value.type)


def _mapped(call: Call) -> tuple[Value, Value, str]:
    """Return a map, the result of a lambda for an entry, and the SQL of the list of all results."""
    call.expect(2)
    value, name = map_value(call, 0), parameter()
    keys, values = value.type.inners
    body = applied(call, 1, Value(f"{name}.key", keys), Value(f"{name}.value", values))
    result = f"CAST(NULL AS {body.type.duckdb})" if body.type.is_("unknown") else body.sql
    return value, body, f"list_transform(map_entries({value.sql}), lambda {name}: {result})"


@function("transform_values")
def _transform_values(call: Call) -> Value:
    value, body, results = _mapped(call)
    return Value(
        unless_null(f"map(map_keys({value.sql}), {results})", value.sql),
        map_of(value.type.inner(0), body.type),
    )


@function("transform_keys")
def _transform_keys(call: Call) -> Value:
    value, body, results = _mapped(call)
    kind = map_of(body.type, value.type.inner(1))
    return Value(unless_null(checked_map(call, results, f"map_values({value.sql})", kind), value.sql), kind)


@function("map_zip_with")
def _zip_with(call: Call) -> Value:
    call.expect(3)
    one, other, name = map_value(call, 0), map_value(call, 1), parameter()
    keys = casts.common_type(one.type.inner(0), other.type.inner(0))
    if keys is None:
        raise call.unexpected("map_zip_with(map(K,V1), map(K,V2), function(K,V1,V2,V3))")
    refuse_key(keys)
    one = casts.coerced(one, map_of(keys, one.type.inner(1)))
    other = casts.coerced(other, map_of(keys, other.type.inner(1)))
    body = applied(
        call,
        2,
        Value(name, keys),
        Value(f"map_extract_value({one.sql}, {name})", one.type.inner(1)),
        Value(f"map_extract_value({other.sql}, {name})", other.type.inner(1)),
    )
    # The keys of the first map come first, then those that only the second one has.
    rest = over("list_filter", f"map_keys({other.sql})", lambda key: f"NOT map_contains({one.sql}, {key})")
    zipped = once(
        f"list_concat(map_keys({one.sql}), {rest})",
        lambda held: f"map({held}, list_transform({held}, lambda {name}: {body.sql}))",
    )
    return Value(unless_null(zipped, one.sql, other.sql), map_of(keys, body.type))
