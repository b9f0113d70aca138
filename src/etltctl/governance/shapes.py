"""Between the canonical form and the shapes of Lake Formation's API, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etltctl.governance.model import (
    ALL_TABLES,
    Grant,
    Pairs,
    Resource,
    RowFilter,
    column_of,
    folded,
    table_of,
)

Shape = dict[str, Any]
WILDCARD_NAME = "ALL_TABLES"  # what the service calls the wildcard when it lists it
POLICY_KINDS = {"TABLE": "tables", "DATABASE": "databases"}


def resource_shape(resource: Resource, account: str) -> Shape:
    """The resource as the API takes it, for everything but SELECT of some columns, which `entries` gathers."""
    match resource.kind:
        case "database":
            return {"Database": {"Name": resource.key[0]}}
        case "table":
            database, name = resource.key
            named: Shape = {"TableWildcard": {}} if name == ALL_TABLES else {"Name": name}
            return {"Table": {"DatabaseName": database, **named}}
        case "column":
            return _columns(resource.key[0], resource.key[1], [resource.key[2]])
        case "except":
            database, name, *excluded = resource.key
            wildcard = {"ExcludedColumnNames": excluded}
            return {"TableWithColumns": {"DatabaseName": database, "Name": name, "ColumnWildcard": wildcard}}
        case "filter":
            database, table, name = resource.key
            named = {"DatabaseName": database, "TableName": table, "Name": name}
            return {"DataCellsFilter": {"TableCatalogId": account, **named}}
        case "location":
            return {"DataLocation": {"ResourceArn": resource.key[0]}}
    kind = next(word for word, kind in POLICY_KINDS.items() if kind == resource.kind)
    expression = [{"TagKey": key, "TagValues": list(values)} for key, values in resource.expression]
    return {"LFTagPolicy": {"ResourceType": kind, "Expression": expression}}


def resources_of(shape: Mapping[str, Any]) -> list[Resource]:
    """What a shape of the API is about; nothing for kinds that are not governed here."""
    if database := shape.get("Database"):
        return [Resource("database", (database["Name"],))]
    if table := shape.get("Table"):
        return [table_of(table["DatabaseName"], _table_name(table))]
    if part := shape.get("TableWithColumns"):
        return _parts(part)
    if found := shape.get("DataCellsFilter"):
        return [Resource("filter", (found["DatabaseName"], found["TableName"], found["Name"]))]
    if location := shape.get("DataLocation"):
        return [Resource("location", (location["ResourceArn"],))]
    policy = shape.get("LFTagPolicy")
    if policy and policy.get("Expression"):
        return [Resource(POLICY_KINDS[policy["ResourceType"]], (), expression_of(policy["Expression"]))]
    return []


def expression_of(listed: Iterable[Mapping[str, Any]]) -> Pairs:
    """An LF-tag expression, sorted."""
    return tuple(sorted((item["TagKey"], tuple(sorted(item["TagValues"]))) for item in listed))


def grants_of(listed: Iterable[Mapping[str, Any]]) -> frozenset[Grant]:
    """Listed permissions in canonical form: expansions of ALL and SELECT folded, one row a permission."""
    gathered: dict[tuple[str, Resource, bool], set[str]] = {}
    for row in listed:
        principal = row["Principal"]["DataLakePrincipalIdentifier"]
        for resource in resources_of(row["Resource"]):
            for member, grantable in (("Permissions", False), ("PermissionsWithGrantOption", True)):
                gathered.setdefault((principal, resource, grantable), set()).update(row.get(member) or ())
    return frozenset(
        Grant(principal, resource, permission, grantable)
        for (principal, resource, grantable), permissions in gathered.items()
        for permission in folded(permissions)
    )


def filter_shape(resource: Resource, wanted: RowFilter) -> Shape:
    """A data cells filter as the API takes it, without the catalog's id."""
    database, table, name = resource.key
    rows: Shape = {"FilterExpression": wanted.rows} if wanted.rows else {"AllRowsWildcard": {}}
    columns: Shape = {"ColumnNames": list(wanted.columns)}
    if not wanted.columns:
        excluded = {"ExcludedColumnNames": list(wanted.excluded)} if wanted.excluded else {}
        columns = {"ColumnWildcard": excluded}
    return {"DatabaseName": database, "TableName": table, "Name": name, "RowFilter": rows, **columns}


def filter_of(shape: Mapping[str, Any]) -> tuple[Resource, RowFilter]:
    """A listed data cells filter in canonical form."""
    resource = Resource("filter", (shape["DatabaseName"], shape["TableName"], shape["Name"]))
    rows = (shape.get("RowFilter") or {}).get("FilterExpression") or ""
    excluded = (shape.get("ColumnWildcard") or {}).get("ExcludedColumnNames") or ()
    columns = () if shape.get("ColumnWildcard") is not None else shape.get("ColumnNames") or ()
    return resource, RowFilter(
        "" if rows.strip().lower() == "true" else rows.strip(), _sorted(columns), _sorted(excluded)
    )


def joined_columns(resources: Sequence[Resource]) -> Shape:
    """The columns of one table as one shape."""
    database, table, _ = resources[0].key
    return _columns(database, table, [found.key[2] for found in resources])


def _columns(database: str, table: str, columns: Sequence[str]) -> Shape:
    return {"TableWithColumns": {"DatabaseName": database, "Name": table, "ColumnNames": list(columns)}}


def _parts(part: Mapping[str, Any]) -> list[Resource]:
    database, table = part["DatabaseName"], _table_name(part)
    wildcard = part.get("ColumnWildcard")
    if wildcard is not None:
        excluded = _sorted(wildcard.get("ExcludedColumnNames") or ())
        return [Resource("except", (database, table, *excluded)) if excluded else table_of(database, table)]
    return [column_of(database, table, column) for column in part.get("ColumnNames") or ()]


def _table_name(shape: Mapping[str, Any]) -> str:
    is_wildcard = "TableWildcard" in shape or shape.get("Name") in {None, WILDCARD_NAME}
    return ALL_TABLES if is_wildcard else str(shape["Name"])


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
