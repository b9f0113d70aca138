"""The resources of Lake Formation's API: checked against the catalog, and with one key for what is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.json_protocol import AwsError

ALL_TABLES = "ALL_TABLES"
Shape = dict[str, Any]
Key = str  # a JSON list: kind and parts


class Catalog(Protocol):
    """What Lake Formation asks of the Data Catalog."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the table in Glue's own shape, or None."""

    def get_tables(self, database: str) -> list[dict[str, Any]]:
        """Return every table of the database."""

    def get_databases(self) -> list[str]:
        """Return the names of the databases."""

    def get_database(self, name: str) -> dict[str, Any] | None:
        """Return the database in Glue's own shape, or None."""


def key(*parts: str) -> Key:
    """Return the key of a resource: `DATABASE name`, `TABLE db name`, `COLUMN db name column` and so on."""
    # JSON, not a joined text: names may hold any separator.
    return json.dumps(parts)


def parts(of: Key) -> list[str]:
    """Return kind and parts of a key."""
    names: list[str] = json.loads(of)
    return names


def columns_of(table: Mapping[str, Any]) -> list[str]:
    """Return the names of a table's columns, partition columns last."""
    columns = [*table["StorageDescriptor"]["Columns"], *(table.get("PartitionKeys") or [])]
    return [column["Name"] for column in columns]


def keys_of(shape: Mapping[str, Any], catalog: Catalog) -> list[Key]:
    """Return the keys of a shape, one a column; raise AwsError for what the catalog does not have."""
    if len(shape) != 1:
        raise invalid("Resource must have exactly one of its fields populated.")
    kind, fields = next(iter(shape.items()))
    match kind:
        case "Catalog":
            return [key("CATALOG")]
        case "Database":
            return [key("DATABASE", require_database(fields["Name"], catalog))]
        case "Table":
            return [key("TABLE", *_table_key(fields, catalog))]
        case "TableWithColumns":
            return _columns(fields, catalog)
        case "DataCellsFilter":
            return [key("FILTER", fields["DatabaseName"], fields["TableName"], fields["Name"])]
        case "DataLocation":
            return [key("LOCATION", fields["ResourceArn"])]
        case "LFTagPolicy":
            return [policy_key(fields["ResourceType"], fields.get("Expression") or ())]
        case "LFTag":
            return [key("TAG", fields["TagKey"], *sorted(fields["TagValues"]))]
    raise invalid("Resource must have either the catalog, table or database field populated.")


def policy_key(kind: str, expression: Sequence[Mapping[str, Any]]) -> Key:
    """Return the key of an LF-tag expression, whatever the order of its keys and values."""
    # Sorted, so that two spellings of one expression are one grant.
    pairs = sorted((pair["TagKey"], sorted(pair["TagValues"])) for pair in expression)
    if not pairs:
        raise invalid("Expression must not be empty.")
    return key("POLICY", kind, json.dumps(pairs))


def shape_of(of: Key) -> Shape:
    """Return the key as the API lists it; columns are gathered by who lists them."""
    kind, *rest = parts(of)
    own = {"CatalogId": ACCOUNT}
    match kind:
        case "CATALOG":
            return {"Catalog": {}}
        case "DATABASE":
            return {"Database": {**own, "Name": rest[0]}}
        case "TABLE":
            wildcard: Shape = {"TableWildcard": {}} if rest[1] == ALL_TABLES else {}
            return {"Table": {**own, "DatabaseName": rest[0], "Name": rest[1], **wildcard}}
        case "FILTER":
            named = {"DatabaseName": rest[0], "TableName": rest[1], "Name": rest[2]}
            return {"DataCellsFilter": {"TableCatalogId": ACCOUNT, **named}}
        case "LOCATION":
            return {"DataLocation": {**own, "ResourceArn": rest[0]}}
        case "POLICY":
            pairs = [{"TagKey": name, "TagValues": values} for name, values in json.loads(rest[1])]
            return {"LFTagPolicy": {**own, "ResourceType": rest[0], "Expression": pairs}}
        case "TAG":
            return {"LFTag": {**own, "TagKey": rest[0], "TagValues": rest[1:]}}
    table = {**own, "DatabaseName": rest[0], "Name": rest[1]}
    if kind == "COLUMN":
        return {"TableWithColumns": {**table, "ColumnNames": rest[2:]}}
    excluded = {"ExcludedColumnNames": rest[2:]} if rest[2:] else {}
    return {"TableWithColumns": {**table, "ColumnWildcard": excluded}}


def require_database(name: str, catalog: Catalog) -> str:
    """Return the name of a database that is there."""
    if catalog.get_database(name) is None:
        raise AwsError("EntityNotFoundException", f"Database {name} not found.")
    return name


def require_table(database: str, name: str, catalog: Catalog) -> dict[str, Any]:
    """Return a table that is there."""
    require_database(database, catalog)
    table = catalog.get_table(database, name)
    if table is None:
        raise AwsError("EntityNotFoundException", f"Table not found: {database}.{name}")
    return table


def require_columns(table: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise unless the table has all these columns."""
    known = columns_of(table)
    if missing := [name for name in names if name not in known]:
        raise AwsError("EntityNotFoundException", f"Column(s) not found in table {table['Name']}: {missing}")


def invalid(message: str) -> AwsError:
    """Build the service's error for a request it does not understand or accept."""
    return AwsError("InvalidInputException", message)


def _table_key(fields: Mapping[str, Any], catalog: Catalog) -> tuple[str, str]:
    if "TableWildcard" in fields or fields.get("Name") == ALL_TABLES:
        return require_database(fields["DatabaseName"], catalog), ALL_TABLES
    if not fields.get("Name"):
        raise invalid("Table name and table wildcard cannot both be empty.")
    return fields["DatabaseName"], require_table(fields["DatabaseName"], fields["Name"], catalog)["Name"]


def _columns(fields: Mapping[str, Any], catalog: Catalog) -> list[Key]:
    database, name = fields["DatabaseName"], fields["Name"]
    names, wildcard = fields.get("ColumnNames") or [], fields.get("ColumnWildcard")
    # The model marks neither as required, and the service refuses both and none.
    if bool(names) == (wildcard is not None):
        raise invalid("Exactly one of column names and column wildcard must be present.")
    if name == ALL_TABLES and not names:
        return [key("WILDCARD", require_database(database, catalog), ALL_TABLES)]
    table = require_table(database, name, catalog)
    excluded = sorted((wildcard or {}).get("ExcludedColumnNames") or [])
    require_columns(table, [*names, *excluded])
    if wildcard is None:
        return [key("COLUMN", database, name, column) for column in names]
    return [key("EXCEPT", database, name, *excluded) if excluded else key("WILDCARD", database, name)]
