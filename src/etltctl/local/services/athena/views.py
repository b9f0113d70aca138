"""Views: kept in the catalog as Athena keeps them, put in place of their names when a query is run."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlglot import exp

from etltctl.local.services.athena.dialect import AthenaSql, QueryError, Type, parse
from etltctl.local.services.athena.dialect.errors import place as place_of
from etltctl.local.services.athena.dialect.errors import unsupported
from etltctl.local.services.athena.dialect.names import Output
from etltctl.local.services.athena.types import hive_type

VIEW = "VIRTUAL_VIEW"
MARK = "/* Presto View: "
DEEPEST = 10  # views of views

Columns = Sequence[tuple[str, Type]]


class Catalog(Protocol):
    """What views need of the Data Catalog."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the table or view, or None."""

    def get_databases(self) -> list[str]:
        """Return the names of the databases."""

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform any operation of the Data Catalog."""


def is_statement(query: exp.Expr) -> bool:
    """Return whether the statement makes or drops a view."""
    return isinstance(query, exp.Create | exp.Drop) and str(query.args.get("kind", "")).upper() == "VIEW"


def perform(
    query: exp.Expr, database: str, catalog: Catalog, columns_of: Callable[[exp.Expr], Columns]
) -> None:
    """Make or drop the view; `columns_of` returns the columns of its query."""
    place = query.find(exp.Table)
    assert place is not None
    at, name = (place.db or database).lower(), place.name.lower()
    table = catalog.get_table(at, name)
    if table is not None and table.get("TableType") != VIEW:
        raise QueryError("INVALID_VIEW", f"{at}.{name} is a table, not a view")
    if isinstance(query, exp.Drop):
        if table is not None:
            catalog.call("AWSGlue.DeleteTable", {"DatabaseName": at, "Name": name})
        elif not query.args.get("exists"):
            raise QueryError("TABLE_NOT_FOUND", f"View '{at}.{name}' does not exist")
        return
    if at not in catalog.get_databases():
        raise QueryError(
            "SCHEMA_NOT_FOUND", f"{place_of(place.args.get('db') or place)}: Schema {at} not found"
        )
    if table is not None and not query.args.get("replace"):
        raise QueryError("TABLE_ALREADY_EXISTS", f"View already exists: '{at}.{name}'")
    described = _described(name, database, query.expression, columns_of(query.expression))
    operation = "AWSGlue.CreateTable" if table is None else "AWSGlue.UpdateTable"
    catalog.call(operation, {"DatabaseName": at, "TableInput": described})


def named_columns(outputs: Sequence[Output]) -> Columns:
    """Return the columns of a view; raise QueryError if one has no name, or two have the same."""
    columns: dict[str, Type] = {}
    for index, output in enumerate(outputs, 1):
        if output.name is None:
            raise QueryError(
                "MISSING_COLUMN_NAME", f"line 1:1: Column name not specified at position {index}"
            )
        if output.name.lower() in columns:
            raise QueryError(
                "DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{output.name}' specified more than once"
            )
        columns[output.name.lower()] = output.type
    return list(columns.items())


def expanded(query: exp.Expr, database: str, catalog: Catalog, depth: int = 0) -> exp.Expr:
    """Return the query with every view in it replaced by what it stands for."""
    if depth > DEEPEST:
        raise QueryError("VIEW_IS_RECURSIVE", "Statement would create a recursive view")
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    query = query.copy()
    for place in list(query.find_all(exp.Table)):
        if not place.name or (not place.db and place.name.lower() in own):
            continue
        view = catalog.get_table((place.db or database).lower(), place.name.lower())
        if view is None or view.get("TableType") != VIEW:
            continue
        if place.args.get("version"):
            raise unsupported("time travel of a view")
        definition = definition_of(view)
        inner = parse(definition["originalSql"])
        inner = _with_databases(
            expanded(inner, definition["schema"], catalog, depth + 1), definition["schema"]
        )
        place.replace(
            exp.Subquery(this=inner, alias=exp.to_identifier(place.alias or place.name, quoted=True))
        )
    return query


def _with_databases(query: exp.Expr, database: str) -> exp.Expr:
    """Put names without a database into the view's database, not into the caller's."""
    own = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for place in query.find_all(exp.Table):
        if place.name and not place.db and place.name.lower() not in own:
            place.set("db", exp.to_identifier(database, quoted=True))
    return query


def definition_of(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return a view's query, its database, and its columns with Trino's types."""
    text = view.get("ViewOriginalText", "").removeprefix(MARK).removesuffix(" */")
    definition: dict[str, Any] = json.loads(base64.b64decode(text))
    return definition


def _described(name: str, database: str, query: exp.Expr, columns: Columns) -> dict[str, Any]:
    definition = {
        "originalSql": query.sql(dialect=AthenaSql),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": str(kind)} for column, kind in columns],
        "runAsInvoker": False,
        "properties": {},
    }
    text = base64.b64encode(json.dumps(definition).encode()).decode()
    column_list = [{"Name": column, "Type": _hive(kind)} for column, kind in columns]
    return {
        "Name": name,
        "TableType": VIEW,
        "ViewOriginalText": f"{MARK}{text} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {"Columns": column_list, "Location": "", "SerdeInfo": {}},
    }


def _hive(kind: Type) -> str:
    try:
        return hive_type(kind)
    except QueryError:  # a view may have a column that no table can keep, such as JSON
        return str(kind)
