"""Lambdas: how DuckDB takes them, and the functions of arrays that take one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cmp_to_key
from itertools import count

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts, errors
from etltctl.local.services.athena.dialect.errors import invalid_argument, unsupported
from etltctl.local.services.athena.dialect.registry import Call, Modifiers, function
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, INTEGER, UNKNOWN, Type, array
from etltctl.local.services.athena.dialect.values import Value

# One counter for the process, so that no lambda has the name of a lambda around it.
_NUMBERS = count()


def parameter() -> str:
    """Return a name that no other lambda has: DuckDB confuses it with an equal name of an outer lambda."""
    return f'"~{next(_NUMBERS)}"'


def over(function: str, values: str, body: Callable[[str], str]) -> str:
    """Return DuckDB's function of a list and a lambda."""
    name = parameter()
    return f"{function}({values}, lambda {name}: {body(name)})"


def once(sql: str, body: Callable[[str], str]) -> str:
    """Return SQL that uses a value more than once and computes it once."""
    # DuckDB's SQL has no LET: a list of one element gives a value a name.
    return f"list_extract({over('list_transform', f'[{sql}]', body)}, 1)"


def unless_null(body: str, *parts: str) -> str:
    """Return SQL that is null if one of the parts is."""
    return f"(CASE WHEN {' OR '.join(f'{part} IS NULL' for part in parts)} THEN NULL ELSE {body} END)"


def applied(call: Call, index: int, *values: Value) -> Value:
    """Translate the body of a lambda with values in place of its parameters.

    Args:
        call: the call that has the lambda as an argument.
        index: the position of the lambda among the arguments.
        values: a value for each parameter.

    Raises:
        QueryError: if the argument is not a lambda with as many parameters.
    """
    node = call.nodes[index] if index < len(call.nodes) else None
    if not isinstance(node, exp.Lambda) or len(node.expressions) != len(values):
        raise call.unexpected()
    # A lambda sees the parameters of the lambdas around it, and hides those of the same name.
    variables = dict(call.compiler.variables)
    for name, value in zip(node.expressions, values, strict=True):
        variables[name.name.lower()] = value
    return replace(call.compiler, variables=variables, modifiers=Modifiers()).value(node.this)


def condition(call: Call, index: int, *values: Value) -> str:
    """Translate the body of a lambda that has to be boolean."""
    value = applied(call, index, *values)
    if not value.type.is_("boolean", "unknown"):
        raise call.unexpected()
    return value.sql


def failure(message: str, kind: Type, code: str = "INVALID_FUNCTION_ARGUMENT") -> str:
    """Return SQL that ends the query where it is computed; `message` is the SQL of the error's text."""
    return errors.failure(kind, code, message)


def array_of(call: Call, index: int) -> Value:
    """Return an argument that has to be an array."""
    if index >= len(call.args):
        raise call.unexpected()
    value = call.args[index]
    if value.type.is_("unknown"):
        return casts.coerced(value, Type("array", (UNKNOWN,)))
    if not value.type.is_("array"):
        raise call.unexpected()
    return value


def refuse_unequal(name: str, kind: Type) -> None:
    """Refuse element types that DuckDB compares differently from Trino."""
    if re.search(r"time zone|json|map|row", str(kind)):
        raise unsupported(f"{name} of {kind}")


@function("transform")
def _transform(call: Call) -> Value:
    call.expect(2)
    values, name = array_of(call, 0), parameter()
    # The type of the new elements is that of the body.
    body = applied(call, 1, Value(name, values.type.element))
    return Value(f"list_transform({values.sql}, lambda {name}: {_typed(body)})", array(body.type))


@function("filter")
def _filter(call: Call) -> Value:
    call.expect(2)
    values, name = array_of(call, 0), parameter()
    is_kept = condition(call, 1, Value(name, values.type.element))
    # An unknown condition leaves the element out.
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
    # The shorter array is filled with nulls.
    zipped = f"list_transform(list_zip({one.sql}, {other.sql}), lambda {name}: {_typed(body)})"
    return Value(unless_null(zipped, one.sql, other.sql), array(body.type))


@function("reduce")
def _reduce(call: Call) -> Value:
    call.expect(4)
    values = array_of(call, 0)
    return folded(call, values, call.args[1], 2, 3)


def folded(call: Call, values: Value, initial: Value, step: int, finish: int | None) -> Value:
    """Reduce an array by a lambda of a state and an element.

    Args:
        call: the call that has the lambdas as arguments.
        values: the array.
        initial: the first state.
        step: the position of the lambda that makes the next state.
        finish: the position of the lambda that makes the result of the last state; None if there is none.

    DuckDB's list_reduce has one type for the state and the elements, so both are fields of a struct.
    """
    element, state = values.type.element, initial.type
    so_far, now = parameter(), parameter()

    def stepped(kind: Type) -> Value:
        held = Value(f"struct_extract({so_far}, 's')", kind)
        return applied(call, step, held, Value(f"struct_extract({now}, 'e')", element))

    body = stepped(state)
    # `reduce(a, 0, (s, x) -> s + x, …)` over bigints begins with an integer, so the state is widened once.
    common = casts.common_type(state, body.type)
    if common is None:
        raise call.unexpected("reduce(array(t), s, function(s,t,s), function(s,r))")
    if common != state:
        state, body = common, stepped(common)
        if casts.common_type(state, body.type) != state:
            raise call.unexpected("reduce(array(t), s, function(s,t,s), function(s,r))")
    null_e, null_s = f"CAST(NULL AS {element.duckdb})", f"CAST(NULL AS {state.duckdb})"
    items = over("list_transform", values.sql, lambda name: f"struct_pack(e := {name}, s := {null_s})")
    step_sql = f"struct_pack(e := {null_e}, s := {casts.coerced(body, state).sql})"
    start = f"struct_pack(e := {null_e}, s := {casts.coerced(initial, state).sql})"
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
        # Nulls are last in Trino.
        return Value(f"list_sort({values.sql}, 'ASC', 'NULLS LAST')", values.type)
    one, other = parameter(), parameter()
    body = applied(call, 1, Value(one, kind), Value(other, kind))
    if not body.type.is_integer:
        raise call.unexpected("array_sort(array(t), function(t,t,integer))")
    answers = (
        f"list_transform({values.sql}, lambda {one}: list_transform({values.sql}, lambda {other}:"
        f" CAST({body.sql} AS INTEGER)))"
    )
    # DuckDB sorts by no comparator. SQL compares each element with each, and Python sorts by the answers.
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
