"""Functions of arrays that take a lambda, and sorting."""

from __future__ import annotations

from functools import cmp_to_key

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import invalid_argument
from etltctl.local.athena.dialect.functions.lambdas import (
    applied,
    array_of,
    condition,
    once,
    over,
    parameter,
    refuse_unequal,
    unless_null,
)
from etltctl.local.athena.dialect.registry import Call, function
from etltctl.local.athena.dialect.trino_types import BOOLEAN, INTEGER, Type, array
from etltctl.local.athena.dialect.values import Value


@function("transform", "apply")
def _transform(call: Call) -> Value:
    call.expect(2)
    values, name = array_of(call, 0), parameter()
    body = applied(call, 1, Value(name, values.type.element))
    return Value(f"list_transform({values.sql}, lambda {name}: {_typed(body)})", array(body.type))


@function("filter")
def _filter(call: Call) -> Value:
    call.expect(2)
    values, name = array_of(call, 0), parameter()
    is_kept = condition(call, 1, Value(name, values.type.element))
    return Value(f"list_filter({values.sql}, lambda {name}: coalesce({is_kept}, false))", values.type)


@function("any_match", "all_match", "none_match")
def _match(call: Call) -> Value:
    call.expect(2)
    values, name = array_of(call, 0), parameter()
    is_match = condition(call, 1, Value(name, values.type.element))
    answers = f"list_transform({values.sql}, lambda {name}: CAST({is_match} AS BOOLEAN))"
    # One answer decides; without it a null leaves the whole unknown.
    deciding, decided, other = {
        "any_match": ("true", "true", "false"),
        "all_match": ("false", "false", "true"),
        "none_match": ("true", "false", "true"),
    }[call.name]
    sql = once(
        answers,
        lambda held: (
            f"CASE WHEN {held} IS NULL THEN NULL WHEN list_contains({held}, {deciding}) THEN {decided}"
            f" WHEN len({held}) <> list_count({held}) THEN NULL ELSE {other} END"
        ),
    )
    return Value(sql, BOOLEAN)


@function("zip_with")
def _zip_with(call: Call) -> Value:
    call.expect(3)
    one, other, name = array_of(call, 0), array_of(call, 1), parameter()
    body = applied(call, 2, Value(f"{name}[1]", one.type.element), Value(f"{name}[2]", other.type.element))
    zipped = f"list_transform(list_zip({one.sql}, {other.sql}), lambda {name}: {_typed(body)})"
    return Value(unless_null(zipped, one.sql, other.sql), array(body.type))


@function("reduce")
def _reduce(call: Call) -> Value:
    call.expect(4)
    values = array_of(call, 0)
    return folded(call, values, call.args[1], 2, 3)


def folded(call: Call, values: Value, initial: Value, step: int, finish: int | None) -> Value:
    """Return what is left of an array when a lambda takes its elements one by one.

    DuckDB's list_reduce has one type for the state and the elements, so both are fields of a struct.
    """
    element, state = values.type.element, initial.type
    so_far, now = parameter(), parameter()

    def stepped(kind: Type) -> Value:
        held = Value(f"struct_extract({so_far}, 's')", kind)
        return applied(call, step, held, Value(f"struct_extract({now}, 'e')", element))

    body = stepped(state)
    common = coercion.common(state, body.type)
    if common is None:
        raise call.unexpected("reduce(array(t), s, function(s,t,s), function(s,r))")
    if common != state:
        state, body = common, stepped(common)
        if coercion.common(state, body.type) != state:
            raise call.unexpected("reduce(array(t), s, function(s,t,s), function(s,r))")
    null_e, null_s = f"CAST(NULL AS {element.duckdb})", f"CAST(NULL AS {state.duckdb})"
    items = over("list_transform", values.sql, lambda name: f"struct_pack(e := {name}, s := {null_s})")
    step_sql = f"struct_pack(e := {null_e}, s := {coercion.coerced(body, state).sql})"
    start = f"struct_pack(e := {null_e}, s := {coercion.coerced(initial, state).sql})"
    sql = f"struct_extract(list_reduce({items}, lambda {so_far}, {now}: {step_sql}, {start}), 's')"
    if finish is None:
        return Value(unless_null(sql, values.sql), state)
    ended: list[Type] = []

    def last(name: str) -> str:
        result = applied(call, finish, Value(name, state))
        ended.append(result.type)
        return result.sql

    whole = once(sql, last)
    return Value(unless_null(whole, values.sql), ended[0])


@function("array_sort")
def _sort(call: Call) -> Value:
    call.expect(1, 2)
    values = array_of(call, 0)
    kind = values.type.element
    if len(call.nodes) == 1:
        if kind.is_("map", "json"):
            raise call.unexpected("array_sort(array(e))")
        refuse_unequal(call.name, kind)
        return Value(f"list_sort({values.sql}, 'ASC', 'NULLS LAST')", values.type)
    one, other = parameter(), parameter()
    body = applied(call, 1, Value(one, kind), Value(other, kind))
    if not body.type.is_integer:
        raise call.unexpected("array_sort(array(t), function(t,t,integer))")
    answers = (
        f"list_transform({values.sql}, lambda {one}: list_transform({values.sql}, lambda {other}:"
        f" CAST({body.sql} AS INTEGER)))"
    )
    places = call.python(sorted_places, Value(answers, array(array(INTEGER))), returns=array(INTEGER))
    return Value(
        over("list_transform", places.sql, lambda at: f"list_extract({values.sql}, {at})"), values.type
    )


def sorted_places(answers: list[list[int | None]]) -> list[int]:
    """Return the positions of elements in the order that a comparison of each with each gives."""

    def compared(one: int, other: int) -> int:
        answer = answers[one][other]
        if answer not in (-1, 0, 1):
            raise invalid_argument("Lambda comparator must return either -1, 0, or 1")
        return answer

    return [place + 1 for place in sorted(range(len(answers)), key=cmp_to_key(compared))]


def _typed(value: Value) -> str:
    return f"CAST(NULL AS {value.type.duckdb})" if value.type.is_("unknown") else value.sql
