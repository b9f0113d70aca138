"""Subscripts of arrays, maps and rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect import coercion
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch
from etltctl.local.services.athena.dialect.functions.maps import value_at
from etltctl.local.services.athena.dialect.refusals import failure
from etltctl.local.services.athena.dialect.trino_types import BIGINT, literal
from etltctl.local.services.athena.dialect.values import Value, member

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


def subscript(value: Value, index: Value, node: exp.Expr, compiler: Expressions) -> Value:
    """Return `value[index]`."""
    if value.type.is_("array") and index.type.is_integer:
        at, held = coercion.coerced(index, BIGINT).sql, value.sql
        inner = value.type.element
        code, shown = "INVALID_FUNCTION_ARGUMENT", f"CAST({at} AS VARCHAR)"
        beyond = failure(
            inner,
            code,
            literal("Array subscript must be less than or equal to array length: "),
            shown,
            "' > '",
            f"CAST(len({held}) AS VARCHAR)",
        )
        zero = failure(inner, code, literal("SQL array indices start at 1"))
        negative = failure(inner, code, literal("Array subscript is negative: "), shown)
        return Value(
            f"(CASE WHEN {held} IS NULL OR {at} IS NULL THEN NULL WHEN {at} = 0 THEN {zero}"
            f" WHEN {at} < 0 THEN {negative}"
            f" WHEN {at} > len({held}) THEN {beyond} ELSE list_extract({held}, {at}) END)",
            value.type.element,
        )
    if value.type.is_("map"):
        return value_at(value, index, node, compiler, is_needed=True)
    if value.type.is_("row") and isinstance(index.constant, int):
        if not 1 <= index.constant <= len(value.type.inners):
            raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid subscript index: {index.constant}")
        held = value.type.field_names[index.constant - 1]
        return Value(member(value.sql, held), value.type.inner(index.constant - 1))
    raise mismatch(f"Cannot use {index.type} for subscript of {value.type}", node)
