"""Athena's SQL for DuckDB: each expression gets Trino's type and DuckDB's SQL, or the query is refused by name.

The way of a statement: `parsing` reads it, `queries` and `relations` resolve its names, `expressions` and `operators`
translate what stands in it, `functions` holds a file for each family of functions, `rendering` writes the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from etltctl.local.athena.dialect import (  # noqa: F401
    arithmetic,
    cast_rules,
    comparisons,
    datetime_casts,
    functions,
    literals,
)
from etltctl.local.athena.dialect.columns import Field, Scope
from etltctl.local.athena.dialect.errors import FAIL, QueryError, place
from etltctl.local.athena.dialect.expressions import Expressions
from etltctl.local.athena.dialect.parsing import AthenaSql, expression, parse
from etltctl.local.athena.dialect.queries import Queries
from etltctl.local.athena.dialect.relations import CATALOG, Tables
from etltctl.local.athena.dialect.rendering import rendered
from etltctl.local.athena.dialect.trino_types import Type, of_hive, quoted
from etltctl.local.athena.dialect.values import Udf

__all__ = [
    "AthenaSql",
    "QueryError",
    "TableName",
    "Translation",
    "Type",
    "duckdb_expression",
    "of_hive",
    "parse",
    "register",
    "rendered",
    "tables_of",
    "translate",
]


@dataclass(frozen=True)
class TableName:
    """A table as a query names it, with the place it is named at."""

    database: str
    name: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True)
class Translation:
    """A statement in DuckDB's SQL, its columns as Athena names and types them, and the functions it calls."""

    sql: str
    columns: Sequence[tuple[str, Type]]
    udfs: Sequence[Udf]


def tables_of(query: exp.Expr, default_database: str) -> list[TableName]:
    """Return the catalog's tables that the query reads; a name of its WITH is not one.

    Raises:
        QueryError: if it reads a table function or another catalog.
    """
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    names: dict[tuple[str, str], TableName] = {}
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Func):  # one of DuckDB's own would read files past every grant
            named = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
            raise QueryError(
                "FUNCTION_NOT_FOUND", f"{place(table)}: Table function '{named.lower()}' not registered"
            )
        if table.catalog and table.catalog.lower() != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"{place(table)}: Catalog '{table.catalog}' does not exist")
        if not table.name or (not table.db and table.name.lower() in own):
            continue
        meta = table.this.meta if isinstance(table.this, exp.Identifier) else {}
        at = (meta.get("line", 1), meta.get("col", 1) - len(table.name) + 1 if meta.get("col") else 1)
        name = TableName((table.db or default_database).lower(), table.name.lower(), *at)
        names.setdefault((name.database, name.name), name)
    return list(names.values())


def translate(
    query: exp.Expr, default_database: str, tables: Tables, *, is_narrowed: bool = False
) -> Translation:
    """Translate a query.

    Args:
        query: the parsed statement.
        default_database: the database of a table that is named without one.
        tables: database → table → column → type of the tables that the query reads.
        is_narrowed: whether the caller does not see every column of them.

    Raises:
        QueryError: if Athena refuses the query, or the embedded Athena cannot answer it as Athena does.
    """
    queries = Queries(tables, default_database.lower())
    answer = queries.query(query, Scope((), None, is_narrowed) if is_narrowed else None)
    columns = [(column.name or f"_col{index}", column.type) for index, column in enumerate(answer.columns)]
    return Translation(answer.sql, columns, _called(answer.sql, queries))


def duckdb_expression(text: str, columns: Mapping[str, Type]) -> tuple[str, Sequence[Udf]]:
    """Translate a condition in Athena's SQL, such as a row filter, over the columns of one table.

    Returns:
        DuckDB's SQL, and the functions that it calls.
    """
    queries = Queries({}, "")
    fields = [Field(name, kind, quoted(name)) for name, kind in columns.items()]
    condition = Expressions(Scope(fields), queries).condition(expression(text))
    return condition, _called(condition, queries)


def _called(sql: str, queries: Queries) -> Sequence[Udf]:
    """Return the Python functions that the SQL calls."""
    return [udf for udf in (FAIL, *queries.udfs.values()) if f"{udf.name}(" in sql]


def register(engine: duckdb.DuckDBPyConnection, udfs: Sequence[Udf]) -> None:
    """Make Python functions callable in a connection; one that it has already is left as it is.

    DuckDB takes a NaN of Python for a null. So doubles leave Python as texts, and a macro of the function's name
    reads them.
    """
    for udf in udfs:
        carried = re.sub(r"\b(DOUBLE|FLOAT)\b", "VARCHAR", udf.returns)
        name = udf.name if carried == udf.returns else f"{udf.name}_as_text"
        try:
            # DuckDB's own handling of nulls would refuse a function that returns one.
            engine.create_function(  # type: ignore[call-overload]
                name, udf.called(), list(udf.parameters), carried, null_handling="special"
            )
        except duckdb.NotImplementedException as error:
            if "already created" not in str(error):  # DuckDB's own list of its functions takes 40 ms to read
                raise
            continue
        if carried != udf.returns:
            arguments = ", ".join(f"value{index}" for index in range(len(udf.parameters)))
            engine.execute(
                f"CREATE TEMP MACRO {udf.name}({arguments}) AS CAST({name}({arguments}) AS {udf.returns})"
            )
