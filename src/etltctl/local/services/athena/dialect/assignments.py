"""Assignments: the rows of a query as the columns of a table that they are written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import failure
from etltctl.local.services.athena.dialect.expressions import Expressions
from etltctl.local.services.athena.dialect.names import Output, Query, Scope
from etltctl.local.services.athena.dialect.trino_types import Type
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_name, quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.queries import Queries

# Returns the column of the table for each column of a query. It raises QueryError if the query does not fit.
Target = Callable[[Sequence[Output]], Sequence[tuple[str, Type]]]


def assigned(query: Query, target: Target, queries: Queries) -> Query:
    """Return the query with its columns cast to those of a table."""
    columns = target(query.columns)
    compiler = Expressions(Scope(), queries)
    # Names of DuckDB alone: those of the table may be the same as others in the query.
    outputs = [Output(name, kind, f"w{index}") for index, (name, kind) in enumerate(columns)]
    values = []
    for mine, column in zip(query.columns, outputs, strict=True):
        value = Value(f"v.{quoted_name(mine.duckdb_name)}", mine.type)
        values.append(f"{_assigned(value, column.type, compiler)} AS {column.duckdb_name}")
    return Query(f"SELECT {', '.join(values)} FROM ({query.sql}) v", outputs)


def _assigned(value: Value, kind: Type, compiler: Expressions) -> str:
    cast = casts.cast(value, kind, compiler)
    if not (value.type.is_text and kind.is_text and kind.parameters) or value.type == kind:
        return cast.sql
    # A CAST cuts a text that is too long. An assignment refuses to lose anything but spaces.
    message = f"Cannot truncate non-space characters when casting from {value.type} to {kind} on INSERT"
    rest = f"rtrim(substr({value.sql}, {kind.number + 1}), ' ')"
    refusal = failure(kind, "INVALID_CAST_ARGUMENT", quoted_text(message), f"left({rest}, 0)")
    return f"CASE WHEN {rest} <> '' THEN {refusal} ELSE {cast.sql} END"
