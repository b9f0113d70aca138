"""Data cells filters: checked against the table's columns before they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.lakeformation.resources import (
    Catalog,
    Key,
    Shape,
    columns_of,
    invalid,
    key,
    parts,
    require_columns,
    require_table,
)
from etltctl.local.services.lakeformation.store import Records

NESTED = ("array", "map", "struct")


class Filters:
    """The data cells filters in the records."""

    def __init__(self, records: Records, catalog: Catalog) -> None:
        self._records, self._catalog = records, catalog

    def create(self, body: Shape) -> Shape:
        """Create a filter."""
        target, record = self._checked(body["TableData"])
        if target in self._records.filters:
            raise AwsError("AlreadyExistsException", f"Filter already exists: {record['Name']}")
        self._records.filters[target] = record
        return {}

    def update(self, body: Shape) -> Shape:
        """Change the definition of a filter."""
        target, record = self._checked(body["TableData"])
        self._require(target)
        self._records.filters[target] = record
        return {}

    def get(self, body: Shape) -> Shape:
        """Return one filter."""
        return {"DataCellsFilter": self._require(_key(body))}

    def delete(self, body: Shape) -> Shape:
        """Delete a filter that no principal is granted."""
        target = _key(body)
        self._require(target)
        # Deleted first, a filter would leave grants that a new one of its name takes over.
        if holders := [name for name, held in self._records.grants.items() if target in held]:
            raise invalid(f"Data cells filter has grants and cannot be deleted: {', '.join(sorted(holders))}")
        del self._records.filters[target]
        return {}

    def every(self, body: Shape) -> list[Shape]:
        """Return the filters of a table, or all."""
        table = body.get("Table")
        table_name = [table["DatabaseName"], table["Name"]] if table else None
        return [
            record
            for target, record in sorted(self._records.filters.items())
            if table_name is None or parts(target)[1:3] == table_name
        ]

    def _require(self, target: Key) -> Shape:
        if target not in self._records.filters:
            raise AwsError("EntityNotFoundException", f"Data cells filter not found: {parts(target)[3]}")
        return self._records.filters[target]

    def _checked(self, data: Shape) -> tuple[Key, Shape]:
        # Checked when the filter is made, so that no query of a reader fails because of it.
        table = require_table(data["DatabaseName"], data["TableName"], self._catalog)
        if table.get("TableType") == "VIRTUAL_VIEW":
            raise invalid("Data filters are not supported on views.")
        names, wildcard = data.get("ColumnNames") or [], data.get("ColumnWildcard")
        if bool(names) == (wildcard is not None):
            raise invalid("Exactly one of ColumnNames and ColumnWildcard must be given.")
        require_columns(table, [*names, *((wildcard or {}).get("ExcludedColumnNames") or [])])
        rows = data.get("RowFilter") or {}
        if ("FilterExpression" in rows) == ("AllRowsWildcard" in rows):
            raise invalid("RowFilter must have either a filter expression or the all-rows wildcard.")
        if "FilterExpression" in rows:
            _require_rows(rows["FilterExpression"], table)
        kept = {name: data[name] for name in ("DatabaseName", "TableName", "Name", "RowFilter")}
        columns: Shape = {"ColumnNames": names} if names else {"ColumnWildcard": wildcard}
        return _key(data), {"TableCatalogId": ACCOUNT, **kept, **columns, "VersionId": str(uuid4())}


def _key(named: Mapping[str, Any]) -> Key:
    return key("FILTER", named["DatabaseName"], named["TableName"], named["Name"])


def _require_rows(rows: str, table: Mapping[str, Any]) -> None:
    """Refuse an expression that is malformed, or names columns that are missing or hold nested values."""
    try:
        # In a query of its dialect, because an expression alone could end and go on as another statement.
        parsed = sqlglot.parse_one(f"SELECT 1 WHERE {rows}", read="athena")
    except SqlglotError as error:
        raise invalid(f"Invalid filter expression: {rows}") from error
    # A subquery would read another table with no permission checked on it.
    if not isinstance(parsed, exp.Select) or parsed.find(exp.Subquery) or parsed.find(exp.From):
        raise invalid(f"Invalid filter expression: {rows}")
    require = {column.name.lower() for column in parsed.find_all(exp.Column)}
    known = {name.lower() for name in columns_of(table)}
    if missing := sorted(require - known):
        raise invalid(f"Invalid filter expression, unknown columns: {missing}")
    columns = [*table["StorageDescriptor"]["Columns"], *(table.get("PartitionKeys") or [])]
    nested = [c["Name"] for c in columns if c["Name"].lower() in require and c["Type"].startswith(NESTED)]
    if nested:
        raise invalid(f"Filter expressions do not support columns of nested types: {nested}")
