"""Functions of arrays."""

from __future__ import annotations

from itertools import combinations as combined
from random import sample

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.casts import cast
from etltctl.local.athena.dialect.comparisons import equality
from etltctl.local.athena.dialect.errors import invalid_argument
from etltctl.local.athena.dialect.functions.lambdas import (
    array_of,
    failure,
    once,
    over,
    refuse_unequal,
    unless_null,
)
from etltctl.local.athena.dialect.registry import Call, function
from etltctl.local.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    UNKNOWN,
    VARCHAR,
    Type,
    array,
    row,
)
from etltctl.local.athena.dialect.values import Value

MOST_REPEATED = 10_000
MOST_COMBINED = 100_000
PLAIN = (
    "boolean",
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "decimal",
    "varchar",
    "date",
    "timestamp",
    "varbinary",
)


def _has_null(values: str) -> str:
    return f"(len({values}) <> list_count({values}))"


def _matches(values: str, element: Type, value: Value, call: Call) -> str:
    """Return whether an element is equal to a value."""
    if element == value.type and element.is_(*PLAIN):
        return f"list_contains({values}, {value.sql})"
    return (
        "(len("
        + over("list_filter", values, lambda name: equality(Value(name, element), value, call.node).sql)
        + ") > 0)"
    )


def _array_and_value(call: Call) -> tuple[Value, Value]:
    """Return an array and a value, both as their common type."""
    call.expect(2)
    values = array_of(call, 0)
    kind = coercion.common(values.type.element, call.types[1])
    if kind is None:
        raise call.unexpected()
    return coercion.coerced(values, array(kind)), coercion.coerced(call.args[1], kind)


def _both(call: Call) -> tuple[Value, Value]:
    """Return two arrays as their common type."""
    call.expect(2)
    kind = coercion.common(array_of(call, 0).type, array_of(call, 1).type)
    if kind is None:
        raise call.unexpected()
    return coercion.coerced(call.args[0], kind), coercion.coerced(call.args[1], kind)


@function("cardinality")
def _cardinality(call: Call) -> Value:
    call.expect(1)
    if call.types[0].is_("map"):
        return Value(f"CAST(cardinality({call.args[0].sql}) AS BIGINT)", BIGINT)
    return Value(f"CAST(len({array_of(call, 0).sql}) AS BIGINT)", BIGINT)


@function("contains")
def _contains(call: Call) -> Value:
    values, value = _array_and_value(call)
    is_there = _matches(values.sql, values.type.element, value, call)
    null = f"{values.sql} IS NULL OR {value.sql} IS NULL"
    return Value(
        f"(CASE WHEN {null} THEN NULL WHEN {is_there} THEN true WHEN {_has_null(values.sql)} THEN NULL ELSE false END)",
        BOOLEAN,
    )


@function("array_position")
def _position(call: Call) -> Value:
    values, value = _array_and_value(call)
    refuse_unequal(call.name, value.type)
    return Value(
        unless_null(
            f"CAST(coalesce(list_position({values.sql}, {value.sql}), 0) AS BIGINT)", values.sql, value.sql
        ),
        BIGINT,
    )


@function("array_remove")
def _remove(call: Call) -> Value:
    values, value = _array_and_value(call)
    kind = values.type.element

    def kept(name: str) -> str:
        return f"{name} IS NULL OR NOT coalesce({equality(Value(name, kind), value, call.node).sql}, false)"

    return Value(unless_null(over("list_filter", values.sql, kept), value.sql), values.type)


def distinct_of(values: str) -> str:
    """Return a list without repetitions, in the order of the first ones; a null counts once."""
    return once(
        values,
        lambda held: f'list_filter({held}, lambda "~e", "~i": list_position({held}, "~e") = "~i")',
    )


@function("array_distinct")
def _distinct(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    refuse_unequal(call.name, values.type.element)
    return Value(distinct_of(values.sql), values.type)


@function("array_union")
def _union(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    return Value(
        unless_null(distinct_of(f"list_concat({one.sql}, {other.sql})"), one.sql, other.sql), one.type
    )


@function("array_except")
def _except(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    rest = over("list_filter", one.sql, lambda name: f"list_position({other.sql}, {name}) IS NULL")
    return Value(unless_null(distinct_of(rest), one.sql, other.sql), one.type)


@function("array_intersect")
def _intersect(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    # Trino goes through the longer array, so its order is the answer's.
    first = over("list_filter", one.sql, lambda name: f"list_position({other.sql}, {name}) IS NOT NULL")
    second = over("list_filter", other.sql, lambda name: f"list_position({one.sql}, {name}) IS NOT NULL")
    chosen = f"CASE WHEN len({one.sql}) < len({other.sql}) THEN {second} ELSE {first} END"
    return Value(unless_null(distinct_of(chosen), one.sql, other.sql), one.type)


@function("arrays_overlap")
def _overlap(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    shared = over(
        "list_filter", one.sql, lambda name: f"{name} IS NOT NULL AND list_contains({other.sql}, {name})"
    )
    return Value(
        f"(CASE WHEN {one.sql} IS NULL OR {other.sql} IS NULL THEN NULL WHEN len({shared}) > 0 THEN true"
        f" WHEN len({one.sql}) = 0 OR len({other.sql}) = 0 THEN false"
        f" WHEN {_has_null(one.sql)} OR {_has_null(other.sql)} THEN NULL ELSE false END)",
        BOOLEAN,
    )


@function("array_join")
def _join(call: Call) -> Value:
    call.expect(2, 3)
    values, separator = array_of(call, 0), call.to(1, VARCHAR)
    kind = values.type.element

    def text(name: str) -> str:
        shown = cast(Value(name, kind), VARCHAR, call.compiler, node=call.node).sql
        return f"coalesce({shown}, {call.to(2, VARCHAR).sql})" if len(call.nodes) == 3 else shown

    texts = over("list_transform", values.sql, text)
    return Value(
        unless_null(f"coalesce(array_to_string({texts}, {separator.sql}), '')", values.sql, separator.sql),
        VARCHAR,
    )


@function("array_max", "array_min")
def _extreme(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    refuse_unequal(call.name, values.type.element)
    best = f"list_{call.name[-3:]}({values.sql})"
    return Value(f"(CASE WHEN {_has_null(values.sql)} THEN NULL ELSE {best} END)", values.type.element)


@function("flatten")
def _flatten(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    if not values.type.element.is_("array"):
        raise call.unexpected("flatten(array(array(e)))")
    return Value(f"flatten({values.sql})", values.type.element)


@function("element_at")
def _element_at(call: Call) -> Value:
    call.expect(2)
    if call.types[0].is_("map"):
        from etltctl.local.athena.dialect.functions.maps import value_at

        return value_at(call.args[0], call.args[1], call.node, call.compiler)
    values, index = array_of(call, 0), call.to(1, BIGINT)
    kind = values.type.element
    zero = failure("'SQL array indices start at 1'", kind)
    return Value(
        f"(CASE WHEN {index.sql} = 0 THEN {zero} ELSE list_extract({values.sql}, {index.sql}) END)", kind
    )


@function("slice")
def _slice(call: Call) -> Value:
    call.expect(3)
    values, start, length = array_of(call, 0), call.to(1, BIGINT).sql, call.to(2, BIGINT).sql
    zero = failure("'SQL array indices start at 1'", values.type)
    short = failure("'length must be greater than or equal to 0'", values.type)
    first = f"CASE WHEN {start} < 0 THEN len({values.sql}) + {start} + 1 ELSE {start} END"
    taken = once(first, lambda at: f"CASE WHEN {at} < 1 OR {length} = 0 THEN list_slice({values.sql}, 1, 0)"
                                   f" ELSE list_slice({values.sql}, {at}, {at} + {length} - 1) END")  # fmt: skip
    guarded = f"CASE WHEN {start} = 0 THEN {zero} WHEN {length} < 0 THEN {short} ELSE {taken} END"
    return Value(unless_null(guarded, values.sql, start, length), values.type)


@function("trim_array")
def _trim_array(call: Call) -> Value:
    call.expect(2)
    values, count = array_of(call, 0), call.to(1, BIGINT).sql
    negative = failure("'size must not be negative'", values.type)
    much = failure(
        f"concat('size must not exceed array cardinality ', len({values.sql}), ': ', {count})",
        values.type,
    )
    taken = f"list_slice({values.sql}, 1, len({values.sql}) - {count})"
    guarded = (
        f"CASE WHEN {count} < 0 THEN {negative} WHEN {count} > len({values.sql}) THEN {much} ELSE {taken} END"
    )
    return Value(unless_null(guarded, values.sql, count), values.type)


@function("repeat")
def _repeat(call: Call) -> Value:
    call.expect(2)
    value, count = call.args[0], call.to(1, BIGINT).sql
    kind = array(value.type)
    many = failure(f"'count argument of repeat function must be less than or equal to {MOST_REPEATED}'", kind)
    few = failure("'count argument of repeat function must be greater than or equal to 0'", kind)
    typed = value.sql if not value.type.is_("unknown") else f"CAST(NULL AS {UNKNOWN.duckdb})"
    copies = over("list_transform", f"range(least({count}, {MOST_REPEATED}))", lambda _: typed)
    guarded = f"CASE WHEN {count} > {MOST_REPEATED} THEN {many} WHEN {count} < 0 THEN {few} ELSE {copies} END"
    return Value(unless_null(guarded, count), kind)


@function("ngrams")
def _ngrams(call: Call) -> Value:
    call.expect(2)
    values, size = array_of(call, 0), call.to(1, BIGINT).sql
    kind = array(values.type)
    wrong = failure("'N must be positive'", kind)
    starts = f"range(1, greatest(len({values.sql}) - {size} + 1, 1) + 1)"
    parts = over("list_transform", starts, lambda at: f"list_slice({values.sql}, {at}, {at} + {size} - 1)")
    return Value(unless_null(f"CASE WHEN {size} <= 0 THEN {wrong} ELSE {parts} END", values.sql, size), kind)


def combinations(length: int, size: int) -> list[list[int]]:
    """Return the positions of every combination, in Trino's order: the last position grows slowest."""
    if not 0 <= size <= 5:
        problem = "not be negative" if size < 0 else "not exceed 5"
        raise invalid_argument(f"combination size must {problem}: {size}")
    groups: list[list[int]] = []
    for positions in combined(range(1, length + 1), size):
        groups.append(list(positions))
        if len(groups) > MOST_COMBINED:
            raise invalid_argument("combinations exceed max size")
    return sorted(groups, key=lambda positions: positions[::-1])


@function("combinations")
def _combinations(call: Call) -> Value:
    call.expect(2)
    values, size = array_of(call, 0), call.to(1, INTEGER)
    length = Value(f"CAST(len({values.sql}) AS INTEGER)", INTEGER)
    positions = call.python(combinations, length, size, returns=array(array(INTEGER))).sql

    def taken(group: str) -> str:
        return over("list_transform", group, lambda at: f"list_extract({values.sql}, {at})")

    return Value(over("list_transform", positions, taken), array(values.type))


def shuffled(length: int) -> list[int]:
    """Return the positions of an array in an order of chance."""
    return sample(range(1, length + 1), length)


@function("shuffle")
def _shuffle(call: Call) -> Value:
    call.expect(1)
    values = array_of(call, 0)
    length = Value(f"CAST(len({values.sql}) AS INTEGER)", INTEGER)
    positions = call.python(shuffled, length, returns=array(INTEGER)).sql
    return Value(
        over("list_transform", positions, lambda at: f"list_extract({values.sql}, {at})"), values.type
    )


@function("contains_sequence")
def _contains_sequence(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    starts = f"range(1, greatest(len({one.sql}) - len({other.sql}) + 1, 0) + 1)"
    matches = over(
        "list_filter",
        starts,
        lambda at: f"list_slice({one.sql}, {at}, {at} + len({other.sql}) - 1) = {other.sql}",
    )
    return Value(unless_null(f"(len({other.sql}) = 0 OR len({matches}) > 0)", one.sql, other.sql), BOOLEAN)


@function("zip")
def _zip(call: Call) -> Value:
    if not 2 <= len(call.nodes) <= 5:
        raise call.unexpected("zip(array(t1), array(t2))")
    values = [array_of(call, index) for index in range(len(call.nodes))]
    kind = row(tuple((None, value.type.element) for value in values))
    zipped = f"list_zip({', '.join(value.sql for value in values)})"

    def packed(name: str) -> str:
        parts = (f"{held} := {name}[{index}]" for index, held in enumerate(kind.field_names, 1))
        return f"struct_pack({', '.join(parts)})"

    return Value(
        unless_null(over("list_transform", zipped, packed), *(value.sql for value in values)), array(kind)
    )


def concatenated(call: Call) -> Value:
    """Return arrays, and elements before or behind them, as one array."""
    kind: Type | None = None
    for known in call.types:
        if known.is_("array"):
            kind = known if kind is None else coercion.common(kind, known)
            if kind is None:
                raise call.unexpected("concat(array(e), array(e))")
    assert kind is not None
    element = kind.element
    parts = []
    for value in call.args:
        if value.type.is_("array", "unknown"):
            parts.append(coercion.coerced(value, kind).sql)
            continue
        if len(call.args) != 2 or not (common := coercion.common(element, value.type)):
            raise call.unexpected("concat(array(e), e)", "concat(e, array(e))")
        kind = array(common)
        parts = [
            coercion.coerced(known, kind).sql
            if known.type.is_("array")
            else f"[{coercion.coerced(known, common).sql}]"
            for known in call.args
        ]
        return Value(
            unless_null(f"list_concat({parts[0]}, {parts[1]})", *(known.sql for known in call.args)), kind
        )
    return Value(unless_null(f"list_concat({', '.join(parts)})", *parts), kind)
