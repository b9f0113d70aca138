"""The border to Lake Formation's API: its JSON shapes become the canonical form here, and the other way round.

Nothing behind this module and `actual` handles JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etltctl.governance.model import (
    ALL_TABLES,
    EVERYBODY,
    Grant,
    Pairs,
    Resource,
    RowFilter,
    column_of,
    folded,
    table_of,
)
from etltctl.lakeformation import entry

Shape = dict[str, Any]
WILDCARD_NAME = "ALL_TABLES"  # what the service calls the wildcard when it lists it
POLICY_KINDS = {"TABLE": "tables", "DATABASE": "databases"}
# The parameters in the reference of DataLakeSettings. Get shows SET_CONTEXT too, and Put refuses a key that it does not
# know ("Valid Parameters Keys are: …"). Put replaces all settings, so both must be written back.
PARAMETERS = ("CROSS_ACCOUNT_VERSION", "SET_SOURCE_IDENTITY")
DEFAULT_PERMISSIONS = ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions")
OPEN = [{"Principal": {"DataLakePrincipalIdentifier": EVERYBODY}, "Permissions": ["ALL"]}]


@dataclass(frozen=True)
class AccountSettings:
    """The data lake settings of an account.

    Attributes:
        admins: The data lake administrators.
        iam_defaults: Whether new databases and tables are open to IAM alone.
        source_identity: Whether CloudTrail's S3 data events name the role that queries.
    """

    admins: frozenset[str]
    iam_defaults: bool
    source_identity: bool
    _read: Shape = field(repr=False, compare=False)

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> AccountSettings:
        """Return the settings of an answer to GetDataLakeSettings."""
        admins = shape.get("DataLakeAdmins") or ()
        openers = [row for member in DEFAULT_PERMISSIONS for row in shape.get(member) or ()]
        return cls(
            frozenset(admin["DataLakePrincipalIdentifier"] for admin in admins),
            # Either default that is open leaves new data open, so both count as one setting.
            any(row["Principal"]["DataLakePrincipalIdentifier"] == EVERYBODY for row in openers),
            (shape.get("Parameters") or {}).get("SET_SOURCE_IDENTITY", "").upper() == "TRUE",
            dict(shape),
        )

    def shape(self) -> Shape:
        """Return the settings for PutDataLakeSettings: what differs from the answer, and all else as it was read."""
        before, shown = AccountSettings.of(self._read), self._read.get("Parameters") or {}
        # Put refuses parameters that Get shows; only those that both know are sent back.
        parameters = {name: shown[name] for name in PARAMETERS if name in shown}
        shape: Shape = {**self._read, "Parameters": parameters}
        if self.admins != before.admins:
            shape["DataLakeAdmins"] = [{"DataLakePrincipalIdentifier": name} for name in sorted(self.admins)]
        if self.iam_defaults != before.iam_defaults:
            shape |= {member: OPEN if self.iam_defaults else [] for member in DEFAULT_PERMISSIONS}
        if self.source_identity != before.source_identity:
            parameters["SET_SOURCE_IDENTITY"] = str(self.source_identity).upper()
        return shape


@dataclass(frozen=True)
class Entry:
    """One entry of a batch of grants or revokes; several resources are columns of one table."""

    principal: str
    resources: tuple[Resource, ...]
    permissions: tuple[str, ...]
    grantable: tuple[str, ...]

    def shape(self, account: str) -> Shape:
        """Return the entry as the API takes it."""
        if self.resources[0].kind == "column":
            database, table, _ = self.resources[0].key
            about = _columns(database, table, [resource.key[2] for resource in self.resources])
        else:
            about = resource_shape(self.resources[0], account)
        return entry(self.principal, about, self.permissions, self.grantable)


def resource_shape(resource: Resource, account: str) -> Shape:
    """Return the resource as the API takes it. Several columns of a table are one shape: see `Entry`."""
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
    """Return what a shape of the API is about; nothing for kinds that etltctl does not govern."""
    if database := shape.get("Database"):
        return [Resource("database", (database["Name"],))]
    if table := shape.get("Table"):
        return [table_of(table["DatabaseName"], _table_name(table))]
    if part := shape.get("TableWithColumns"):
        return _parts(part)
    if cells := shape.get("DataCellsFilter"):
        return [Resource("filter", (cells["DatabaseName"], cells["TableName"], cells["Name"]))]
    if location := shape.get("DataLocation"):
        return [Resource("location", (location["ResourceArn"],))]
    policy = shape.get("LFTagPolicy")
    if policy and policy.get("Expression"):
        return [Resource(POLICY_KINDS[policy["ResourceType"]], (), expression_of(policy["Expression"]))]
    return []


def expression_of(items: Iterable[Mapping[str, Any]]) -> Pairs:
    """Return an LF-tag expression, sorted."""
    return tuple(sorted((item["TagKey"], tuple(sorted(item["TagValues"]))) for item in items))


def grants_of(rows: Iterable[Mapping[str, Any]]) -> frozenset[Grant]:
    """Return listed permissions in canonical form: expansions of ALL and SELECT folded, one row a permission."""
    gathered: dict[tuple[str, Resource, bool], set[str]] = {}
    for row in rows:
        principal = row["Principal"]["DataLakePrincipalIdentifier"]
        for resource in resources_of(row["Resource"]):
            for member, grantable in (("Permissions", False), ("PermissionsWithGrantOption", True)):
                gathered.setdefault((principal, resource, grantable), set()).update(row.get(member) or ())
    return frozenset(
        Grant(principal, resource, permission, grantable)
        for (principal, resource, grantable), permissions in gathered.items()
        for permission in folded(permissions)
    )


def filter_shape(resource: Resource, row_filter: RowFilter) -> Shape:
    """Return a data cells filter as the API takes it, without the catalog's id."""
    database, table, name = resource.key
    rows: Shape = {"FilterExpression": row_filter.rows} if row_filter.rows else {"AllRowsWildcard": {}}
    columns: Shape = {"ColumnNames": list(row_filter.columns)}
    if not row_filter.columns:
        excluded = {"ExcludedColumnNames": list(row_filter.excluded)} if row_filter.excluded else {}
        columns = {"ColumnWildcard": excluded}
    return {"DatabaseName": database, "TableName": table, "Name": name, "RowFilter": rows, **columns}


def filter_of(shape: Mapping[str, Any]) -> tuple[Resource, RowFilter]:
    """Return a listed data cells filter in canonical form."""
    resource = Resource("filter", (shape["DatabaseName"], shape["TableName"], shape["Name"]))
    # A filter of all rows may be listed as the expression `true`, which is the empty one here.
    rows = (shape.get("RowFilter") or {}).get("FilterExpression") or ""
    excluded = (shape.get("ColumnWildcard") or {}).get("ExcludedColumnNames") or ()
    columns = () if shape.get("ColumnWildcard") is not None else shape.get("ColumnNames") or ()
    return resource, RowFilter(
        "" if rows.strip().lower() == "true" else rows.strip(), _sorted(columns), _sorted(excluded)
    )


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
    # The wildcard is listed in either form, by the kind of call.
    is_wildcard = "TableWildcard" in shape or shape.get("Name") in {None, WILDCARD_NAME}
    return ALL_TABLES if is_wildcard else str(shape["Name"])


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
