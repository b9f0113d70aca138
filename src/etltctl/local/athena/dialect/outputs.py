"""Output columns of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import QueryError, place, unsupported
from etltctl.local.athena.dialect.trino_types import Type, quoted
from etltctl.local.athena.dialect.values import Value


@dataclass(frozen=True)
class Output:
    """An output column: its name for the reader, its type, and its unique name in DuckDB."""

    name: str | None
    type: Type
    held: str


@dataclass(frozen=True)
class Query:
    """A translated query: DuckDB's SQL and its output columns."""

    sql: str
    columns: Sequence[Output]


@dataclass(frozen=True)
class Common:
    """A query of a WITH: the name it has in DuckDB, and its columns."""

    held: str
    columns: Sequence[Output]


def cast_columns(query: Query, columns: Sequence[Output]) -> Query:
    """Return the query with its columns as the types and under the names of these."""
    same = all(
        a.type.duckdb == b.type.duckdb and a.held == b.held
        for a, b in zip(query.columns, columns, strict=True)
    )
    if same and not any(a.type.is_("unknown") for a in query.columns):
        return Query(query.sql, columns)
    select_list = ", ".join(
        f"{held(Value(f'v.{quoted(mine.held)}', mine.type), column.type)} AS {quoted(column.held)}"
        for mine, column in zip(query.columns, columns, strict=True)
    )
    return Query(f"SELECT {select_list} FROM ({query.sql}) v", columns)


def held(value: Value, kind: Type) -> str:
    """Return the SQL of the value as a type that it is coerced to."""
    return coercion.coerced(value, kind).sql


def renamed(columns: Sequence[Output], names: Sequence[str], node: exp.Expr) -> list[Output]:
    """Return the columns under the names that an alias gives them."""
    if names and len(names) != len(columns):
        raise QueryError(
            "MISMATCHED_COLUMN_ALIASES",
            f"{place(node)}: Column alias list has {len(names)} entries but relation has {len(columns)} columns",
        )
    if not names:
        return list(columns)
    return [replace(column, name=name) for column, name in zip(columns, names, strict=True)]


def refuse_grouping(kinds: Sequence[Type], clause: str) -> None:
    """Refuse types that cannot be grouped, or that DuckDB would group otherwise than Trino."""
    for kind in kinds:
        if kind.is_zoned and kind.zone is None:
            raise unsupported(f"{clause} on timestamps with different time zones")
        if kind.is_("map", "json"):
            raise unsupported(f"{clause} on {kind.name}")
