"""Helpers for DuckDB's lambdas, and the errors that SQL raises for a row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from sqlglot import exp

from etltctl.local.services.athena.dialect import coercion, refusals
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.registry import Call, Modifiers
from etltctl.local.services.athena.dialect.trino_types import UNKNOWN, Type
from etltctl.local.services.athena.dialect.values import Value

_NUMBERS = count()


def parameter() -> str:
    """Return a name that no other lambda has: DuckDB confuses a name with an equal one further out."""
    return f'"~{next(_NUMBERS)}"'


def over(function: str, values: str, body: Callable[[str], str]) -> str:
    """Return DuckDB's function of a list and a lambda."""
    name = parameter()
    return f"{function}({values}, lambda {name}: {body(name)})"


def once(sql: str, body: Callable[[str], str]) -> str:
    """Return SQL that names a value more than once and computes it once."""
    return f"list_extract({over('list_transform', f'[{sql}]', body)}, 1)"


def unless_null(body: str, *parts: str) -> str:
    """Return SQL that is null if one of the parts is."""
    return f"(CASE WHEN {' OR '.join(f'{part} IS NULL' for part in parts)} THEN NULL ELSE {body} END)"


def applied(call: Call, index: int, *values: Value) -> Value:
    """Translate the body of the lambda at a position with values in place of its parameters."""
    node = call.nodes[index] if index < len(call.nodes) else None
    if not isinstance(node, exp.Lambda) or len(node.expressions) != len(values):
        raise call.unexpected()
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
    return refusals.failure(kind, code, message)


def array_of(call: Call, index: int) -> Value:
    """Return an argument that has to be an array."""
    if index >= len(call.args):
        raise call.unexpected()
    value = call.args[index]
    if value.type.is_("unknown"):
        return coercion.coerced(value, Type("array", (UNKNOWN,)))
    if not value.type.is_("array"):
        raise call.unexpected()
    return value


def refuse_unequal(name: str, kind: Type) -> None:
    """Refuse element types that DuckDB compares otherwise than Trino."""
    if re.search(r"time zone|json|map|row", str(kind)):
        raise unsupported(f"{name} of {kind}")
