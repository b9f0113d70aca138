"""Athena's SQL for DuckDB: each expression gets Trino's type and DuckDB's SQL, or the query is refused.

A statement goes through this package in five steps:

1. Parse: `parsing` reads the text by Athena's grammar, and refuses the syntax of other engines.
2. Resolve: `names` and `relations` find the table or the column that each name means.
3. Translate: `queries` and `selects` write the clauses. `expressions` hands each node to its rule: operators and
   literals have theirs next to this file, functions have theirs in `functions`.
4. Render: `rendering` writes the values of the answer as Athena writes them.
5. Refuse: every step raises a `QueryError` of `errors`, with Athena's error name. Nothing reaches DuckDB without a
   rule. Athena's features that the embedded Athena lacks are refused as NOT_SUPPORTED, never answered differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from etltctl.local.services.athena.dialect import (  # noqa: F401
    arithmetic,
    cast_rules,
    comparisons,
    datetime_casts,
    functions,
    literals,
)
from etltctl.local.services.athena.dialect.assignments import Target, assigned
from etltctl.local.services.athena.dialect.errors import FAIL, MalformedQueryError, QueryError
from etltctl.local.services.athena.dialect.expressions import Expressions
from etltctl.local.services.athena.dialect.grammar import require_grammar
from etltctl.local.services.athena.dialect.names import Field, Scope, TableName, tables_of
from etltctl.local.services.athena.dialect.parsing import AthenaSql, expression, parse
from etltctl.local.services.athena.dialect.queries import Queries
from etltctl.local.services.athena.dialect.relations import Tables
from etltctl.local.services.athena.dialect.rendering import rendered
from etltctl.local.services.athena.dialect.trino_types import Type, of_hive
from etltctl.local.services.athena.dialect.values import Udf, register

# Each of these modules registers its rules when it is imported.
from etltctl.values import quoted_name

__all__ = [
    "AthenaSql",
    "MalformedQueryError",
    "QueryError",
    "TableName",
    "Target",
    "Translation",
    "Type",
    "duckdb_expression",
    "of_hive",
    "parse",
    "register",
    "rendered",
    "require_grammar",
    "tables_of",
    "translate",
]


@dataclass(frozen=True)
class Translation:
    """A query in DuckDB's SQL, its columns with Athena's names and types, and the Python functions that it calls."""

    sql: str
    columns: Sequence[tuple[str, Type]]
    udfs: Sequence[Udf]


def translate(
    query: exp.Expr,
    default_database: str,
    tables: Tables,
    *,
    is_narrowed: bool = False,
    target: Target | None = None,
) -> Translation:
    """Translate a query into DuckDB's SQL.

    Args:
        query: the statement that `parse` returned.
        default_database: the database of the tables that the query names without one.
        tables: database → table → column → type of the tables that the query reads.
        is_narrowed: whether the caller sees fewer columns than these tables have. Athena's error for an unknown column
            then says that the caller may lack access to it.
        target: names the columns of the table that the rows are written to.

    Raises:
        QueryError: if Athena refuses the query, or the embedded Athena cannot answer it as Athena does.
    """
    queries = Queries(tables, default_database.lower())
    answer = queries.query(query, Scope((), None, is_narrowed) if is_narrowed else None)
    if target is not None:
        answer = assigned(answer, target, queries)
    columns = [(column.name or f"_col{index}", column.type) for index, column in enumerate(answer.columns)]
    return Translation(answer.sql, columns, _called(answer.sql, queries))


def duckdb_expression(text: str, columns: Mapping[str, Type]) -> tuple[str, Sequence[Udf]]:
    """Translate a condition in Athena's SQL, such as a row filter, over the columns of one table.

    Args:
        text: the condition.
        columns: column → type of the table.

    Returns:
        DuckDB's SQL, and the Python functions that it calls.

    Raises:
        QueryError: if the text is not one expression, or not a boolean one.
    """
    queries = Queries({}, "")
    fields = [Field(name, kind, quoted_name(name)) for name, kind in columns.items()]
    condition = Expressions(Scope(fields), queries).condition(expression(text))
    return condition, _called(condition, queries)


def _called(sql: str, queries: Queries) -> Sequence[Udf]:
    """Return the Python functions that the SQL calls."""
    return [udf for udf in (FAIL, *queries.udfs.values()) if f"{udf.name}(" in sql]
