"""Athena's SQL for DuckDB: what is the same is translated, what would silently differ is mended or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

INTEGERS = exp.DataType.INTEGER_TYPES
REFUSED = {
    "format": "the embedded Athena does not format as Java does; use || and cast",
    "map_agg": "not modelled by the embedded Athena",
    "histogram": "not modelled by the embedded Athena",
    "xxhash64": "not modelled by the embedded Athena",
    "at_timezone": "not modelled by the embedded Athena; times are UTC",
    "infinity": "not modelled by the embedded Athena",
    "zip": "not modelled by the embedded Athena",
}


class QueryError(Exception):
    """A query that cannot run, in Athena's words: its error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True)
class TableName:
    """A table as a query names it, with the place it is named at."""

    database: str
    name: str
    line: int = 1
    column: int = 1


def parse(sql: str) -> exp.Expr:
    """The one statement in the text."""
    try:
        statements = [found for found in sqlglot.parse(sql, read="athena") if found is not None]
    except (ParseError, TokenError) as error:
        places = getattr(error, "errors", None) or [{}]
        line, column = places[0].get("line", 1), places[0].get("col", 1)
        what = places[0].get("highlight") or places[0].get("description") or "input"
        raise QueryError("SYNTAX_ERROR", f"line {line}:{column}: mismatched input '{what}'") from error
    if len(statements) != 1:
        raise QueryError("SYNTAX_ERROR", "line 1:1: Only one sql statement is allowed")
    return statements[0]


def tables_of(query: exp.Expr, default_database: str) -> list[TableName]:
    """The catalog's tables that the query reads; names of its own WITH are none."""
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    found: dict[tuple[str, str], TableName] = {}
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Func):  # one of DuckDB's own would read files past every grant
            named = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
            raise QueryError(
                "FUNCTION_NOT_FOUND", f"line 1:1: Table function '{named.lower()}' not registered"
            )
        if not table.name or (not table.db and table.name.lower() in own):
            continue
        meta = table.this.meta if isinstance(table.this, exp.Identifier) else {}
        place = (meta.get("line", 1), meta.get("col", 1) - len(table.name) + 1 if meta.get("col") else 1)
        name = TableName((table.db or default_database).lower(), table.name.lower(), *place)
        found.setdefault((name.database, name.name), name)
    return list(found.values())


def translate(
    query: exp.Expr, default_database: str, columns: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> str:
    """The query in DuckDB's SQL; `columns` are database → table → column → type of the tables it reads."""
    for call in query.find_all(exp.Anonymous):
        if reason := REFUSED.get(call.name.lower()):
            raise QueryError("NOT_SUPPORTED", f"function {call.name}: {reason}")
    for name in (exp.Format,) if hasattr(exp, "Format") else ():
        if query.find(name):
            raise QueryError("NOT_SUPPORTED", f"function format: {REFUSED['format']}")
    query = query.copy()
    for table in query.find_all(exp.Table):
        table.set("catalog", None)  # awsdatacatalog, the only one there is
    typed = _typed(query, default_database, columns)
    return typed.transform(_mended).sql(dialect="duckdb")


def duckdb_expression(text: str) -> str:
    """A condition in Athena's SQL, such as a row filter, in DuckDB's."""
    return sqlglot.parse_one(text, read="athena").sql(dialect="duckdb")


def _typed(
    query: exp.Expr, default_database: str, columns: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> exp.Expr:
    """The query with a type at every expression; a column nobody has is told in Athena's words."""
    schema = MappingSchema({name: dict(tables) for name, tables in columns.items()}, dialect="duckdb")
    try:
        qualified = qualify(
            query, dialect="athena", db=default_database, schema=schema, validate_qualify_columns=False
        )
    except OptimizeError as error:
        raise QueryError("COLUMN_NOT_FOUND", f"line 1:1: {error}") from error
    return annotate_types(qualified, schema=schema, dialect="athena")


def _mended(node: exp.Expr) -> exp.Expr:
    """What DuckDB would answer otherwise: integers divide into an integer, a date truncated stays a date."""
    if isinstance(node, exp.Div) and node.left.is_type(*INTEGERS) and node.right.is_type(*INTEGERS):
        return exp.IntDiv(this=node.left, expression=node.right)
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and node.this.is_type("date"):
        return exp.Cast(this=node, to=exp.DataType.build("date"), _type=exp.DataType.build("date"))
    return node
