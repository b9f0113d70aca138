"""Functions that look into arrays: elements, search, sets."""

from __future__ import annotations

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts, errors
from etltctl.local.services.athena.dialect.casts import cast
from etltctl.local.services.athena.dialect.comparisons import equality
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.functions.lambdas import (
    array_of,
    failure,
    once,
    over,
    refuse_unequal,
    unless_null,
)
from etltctl.local.services.athena.dialect.functions.maps import value_at
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import BIGINT, BOOLEAN, VARCHAR, Type, array
from etltctl.local.services.athena.dialect.values import Value, member
from etltctl.values import quoted_text

PLAIN = (
    "boolean", "tinyint", "smallint", "integer", "bigint", "decimal", "varchar", "date", "timestamp",
    "varbinary",
)  # fmt: skip


# list_count counts the elements that are not null.
def _has_null(values: str) -> str:
    return f"(len({values}) <> list_count({values}))"


def _matches(values: str, element: Type, value: Value, call: Call) -> str:
    """Return whether an element is equal to a value."""
    # DuckDB's list_contains is fast, but compares by DuckDB's rules, which agree for these types only.
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
    kind = casts.common_type(values.type.element, call.types[1])
    if kind is None:
        raise call.unexpected()
    return casts.coerced(values, array(kind)), casts.coerced(call.args[1], kind)


def _both(call: Call) -> tuple[Value, Value]:
    """Return two arrays as their common type."""
    call.expect(2)
    kind = casts.common_type(array_of(call, 0).type, array_of(call, 1).type)
    if kind is None:
        raise call.unexpected()
    return casts.coerced(call.args[0], kind), casts.coerced(call.args[1], kind)


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
    # `contains(array[1, null], 2)` is unknown in Trino and false in DuckDB.
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
        # A null element stays: `array_remove(array[1, null], 1)` is [null].
        return f"{name} IS NULL OR NOT coalesce({equality(Value(name, kind), value, call.node).sql}, false)"

    return Value(unless_null(over("list_filter", values.sql, kept), value.sql), values.type)


# DuckDB's list_distinct loses the order and the null.
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
    # list_position finds a null, as Trino's array_except does.
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

    # `array_join` leaves nulls out, or writes its third argument for them.
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
    # A null makes Trino's answer null. DuckDB's list_max leaves nulls out.
    best = f"list_{call.name[-3:]}({values.sql})"
    if call.name == "array_max" and values.type.element.is_floating:
        # Trino's array_max is NaN only if every number is.
        numbers = over("list_filter", values.sql, lambda item: f"NOT isnan({item})")
        best = f"coalesce(list_max({numbers}), {best})"
    return Value(f"(CASE WHEN {_has_null(values.sql)} THEN NULL ELSE {best} END)", values.type.element)


@function("element_at")
def _element_at(call: Call) -> Value:
    call.expect(2)
    if call.types[0].is_("map"):
        if casts.common_type(call.types[0].inner(0), call.types[1]) is None:
            raise call.unexpected("element_at(map(K,V), K)", "element_at(array(E), bigint)")
        return value_at(call.args[0], call.args[1], call.node, call.compiler)
    values, index = array_of(call, 0), call.to(1, BIGINT)
    kind = values.type.element
    # An index past the end is null here, and a negative one counts from the end, in Trino and in DuckDB.
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
    # Trino takes a start and a length, DuckDB the first and the last position.
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


@function("contains_sequence")
def _contains_sequence(call: Call) -> Value:
    one, other = _both(call)
    refuse_unequal(call.name, one.type.element)
    # Every slice as long as the other array is compared with it.
    starts = f"range(1, greatest(len({one.sql}) - len({other.sql}) + 1, 0) + 1)"
    matches = over(
        "list_filter",
        starts,
        lambda at: f"list_slice({one.sql}, {at}, {at} + len({other.sql}) - 1) = {other.sql}",
    )
    return Value(unless_null(f"(len({other.sql}) = 0 OR len({matches}) > 0)", one.sql, other.sql), BOOLEAN)


@operator(exp.Bracket)
def _subscript(compiler: Expressions, node: exp.Expr) -> Value:
    value, index = compiler.value(node.this), compiler.value(node.expressions[0])
    if value.type.is_("array") and index.type.is_integer:
        at, held = casts.coerced(index, BIGINT).sql, value.sql
        inner = value.type.element
        code, shown = "INVALID_FUNCTION_ARGUMENT", f"CAST({at} AS VARCHAR)"
        # `array[1][2]` is an error in Trino and null in DuckDB.
        beyond = errors.failure(
            inner,
            code,
            quoted_text("Array subscript must be less than or equal to array length: "),
            shown,
            "' > '",
            f"CAST(len({held}) AS VARCHAR)",
        )
        zero = errors.failure(inner, code, quoted_text("SQL array indices start at 1"))
        negative = errors.failure(inner, code, quoted_text("Array subscript is negative: "), shown)
        return Value(
            f"(CASE WHEN {held} IS NULL OR {at} IS NULL THEN NULL WHEN {at} = 0 THEN {zero}"
            f" WHEN {at} < 0 THEN {negative}"
            f" WHEN {at} > len({held}) THEN {beyond} ELSE list_extract({held}, {at}) END)",
            value.type.element,
        )
    if value.type.is_("map"):
        return value_at(value, index, node, compiler, is_needed=True)
    # Rows are subscripted by position, from 1: `row('a', 'b')[2]` is 'b'.
    if value.type.is_("row") and isinstance(index.constant, int):
        if not 1 <= index.constant <= len(value.type.inners):
            raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid subscript index: {index.constant}")
        held = value.type.field_names[index.constant - 1]
        return Value(member(value.sql, held), value.type.inner(index.constant - 1))
    raise mismatch(f"Cannot use {index.type} for subscript of {value.type}", node)
