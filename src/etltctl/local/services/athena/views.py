"""Views: kept in the catalog as Athena keeps them, put in place of their names when a query is run."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlglot import exp

from etltctl.local.services.athena.dialect import AthenaSql, QueryError, parse

VIEW = "VIRTUAL_VIEW"
MARK = "/* Presto View: "
DEEPEST = 10  # views of views
TO_HIVE = {
    "varchar": "string",
    "integer": "int",
    "real": "float",
    "varbinary": "binary",
    "decimal": "decimal(38,9)",
}

Columns = Sequence[tuple[str, str, int, int]]


class Catalog(Protocol):
    """What views need of the Data Catalog."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """The table or view, or None."""

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Any operation of it."""


def is_statement(query: exp.Expr) -> bool:
    """Whether the statement makes or drops a view."""
    return isinstance(query, exp.Create | exp.Drop) and str(query.args.get("kind", "")).upper() == "VIEW"


def perform(
    query: exp.Expr, database: str, catalog: Catalog, columns_of: Callable[[exp.Expr], Columns]
) -> None:
    """Makes or drops the view; `columns_of` tells the columns of the query it stands for."""
    place = query.find(exp.Table)
    assert place is not None
    at, name = (place.db or database).lower(), place.name.lower()
    found = catalog.get_table(at, name)
    if found is not None and found.get("TableType") != VIEW:
        raise QueryError("INVALID_VIEW", f"{at}.{name} is a table, not a view")
    if isinstance(query, exp.Drop):
        if found is not None:
            catalog.call("AWSGlue.DeleteTable", {"DatabaseName": at, "Name": name})
        elif not query.args.get("exists"):
            raise QueryError("TABLE_NOT_FOUND", f"View '{at}.{name}' does not exist")
        return
    if found is not None and not query.args.get("replace"):
        raise QueryError("TABLE_ALREADY_EXISTS", f"View already exists: '{at}.{name}'")
    described = _described(name, database, query.expression, columns_of(query.expression))
    operation = "AWSGlue.CreateTable" if found is None else "AWSGlue.UpdateTable"
    catalog.call(operation, {"DatabaseName": at, "TableInput": described})


def expanded(query: exp.Expr, database: str, catalog: Catalog, depth: int = 0) -> exp.Expr:
    """The query with every view in it replaced by what it stands for."""
    if depth > DEEPEST:
        raise QueryError("VIEW_IS_RECURSIVE", "Statement would create a recursive view")
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    query = query.copy()
    for place in list(query.find_all(exp.Table)):
        if not place.name or (not place.db and place.name.lower() in own):
            continue
        found = catalog.get_table((place.db or database).lower(), place.name.lower())
        if found is None or found.get("TableType") != VIEW:
            continue
        told = _definition(found)
        inner = parse(told["originalSql"])
        inner = _with_databases(expanded(inner, told["schema"], catalog, depth + 1), told["schema"])
        place.replace(
            exp.Subquery(this=inner, alias=exp.to_identifier(place.alias or place.name, quoted=True))
        )
    return query


def _with_databases(query: exp.Expr, database: str) -> exp.Expr:
    """The names without a database belong to the view's own, not to that of whoever asks."""
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for place in query.find_all(exp.Table):
        if place.name and not place.db and place.name.lower() not in own:
            place.set("db", exp.to_identifier(database, quoted=True))
    return query


def _definition(found: dict[str, Any]) -> dict[str, Any]:
    text = found.get("ViewOriginalText", "").removeprefix(MARK).removesuffix(" */")
    told: dict[str, Any] = json.loads(base64.b64decode(text))
    return told


def _described(name: str, database: str, query: exp.Expr, columns: Columns) -> dict[str, Any]:
    told = {
        "originalSql": query.sql(dialect=AthenaSql),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": kind} for column, kind, *_ in columns],
    }
    text = base64.b64encode(json.dumps(told).encode()).decode()
    listed = [{"Name": column, "Type": _hive(kind, *size)} for column, kind, *size in columns]
    return {
        "Name": name,
        "TableType": VIEW,
        "ViewOriginalText": f"{MARK}{text} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": listed, "Location": "", "SerdeInfo": {}},
    }


def _hive(kind: str, precision: int, scale: int) -> str:
    return f"decimal({precision},{scale})" if kind == "decimal" and precision else TO_HIVE.get(kind, kind)
