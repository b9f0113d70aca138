"""Grants: kept as granted, listed as the service lists them, ALL and SELECT of tables expanded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from etltctl.local.kernel.accounts import EVERYBODY
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.lakeformation.resources import (
    ALL_TABLES,
    Catalog,
    Key,
    Shape,
    invalid,
    key,
    keys_of,
    parts,
    shape_of,
)
from etltctl.local.services.lakeformation.store import Records

OF_TABLE = ("ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT")
OF_DATABASE = ("ALTER", "CREATE_TABLE", "DESCRIBE", "DROP")
PERMITS = {
    "CATALOG": ("ALL", "CREATE_DATABASE", "CREATE_LF_TAG"),
    "DATABASE": ("ALL", *OF_DATABASE),
    "TABLE": ("ALL", "SELECT", *OF_TABLE),
    "WILDCARD": ("SELECT",),
    "COLUMN": ("SELECT",),
    "EXCEPT": ("SELECT",),
    "FILTER": ("SELECT",),
    "LOCATION": ("DATA_LOCATION_ACCESS",),
    "TAG": ("ALTER", "ASSOCIATE", "DESCRIBE", "DROP", "GRANT_WITH_LF_TAG_EXPRESSION"),
}
POLICIES = {"TABLE": ("ALL", "SELECT", *OF_TABLE), "DATABASE": ("ALL", *OF_DATABASE)}
BATCH = 20
FILTERS_OF_A_TABLE = 100  # that one principal may have
TYPES = {
    "CATALOG": ("CATALOG",), "DATABASE": ("DATABASE",), "TABLE": ("TABLE", "WILDCARD", "COLUMN", "EXCEPT"),
    "DATA_LOCATION": ("LOCATION",), "LF_TAG": ("TAG",), "LF_TAG_POLICY": ("POLICY",),
}  # fmt: skip
Held = dict[str, list[str]]
Target = tuple[Key, list[str], list[str]]  # a resource, permissions, and those with the grant option


class Permissions:
    """The grants in the records; `is_principal` returns whether an identifier names a principal."""

    def __init__(self, records: Records, catalog: Catalog, is_principal: Callable[[str], bool]) -> None:
        self._records, self._catalog, self._is_principal = records, catalog, is_principal

    def grant(self, entry: Mapping[str, Any]) -> None:
        """Add what the entry says; raise AwsError for what cannot be granted."""
        principal, targets = self._read(entry)
        for target, permissions, grantable in targets:
            held = self._records.grants.setdefault(principal, {}).setdefault(
                target, {"plain": [], "grantable": []}
            )
            # A further permission on a filter that the principal has needs no more room.
            if parts(target)[0] == "FILTER" and not held["plain"]:
                self._require_room(principal, target)
            held["plain"] = sorted({*held["plain"], *permissions})
            held["grantable"] = sorted({*held["grantable"], *grantable})

    def revoke(self, entry: Mapping[str, Any]) -> None:
        """Take away what the entry says; raise AwsError if the principal does not have it."""
        principal, targets = self._read(entry, is_new=False)
        for target, permissions, grantable in targets:
            held = self._records.grants.get(principal, {}).get(target, {"plain": [], "grantable": []})
            for member, names in (("plain", permissions), ("grantable", grantable)):
                held[member] = _without(held[member], names, target)
            # The right to grant a permission ends with the permission.
            held["grantable"] = [name for name in held["grantable"] if name in held["plain"]]
        of_principal = self._records.grants.get(principal, {})
        # An empty entry would be listed as a grant of nothing.
        for target in [target for target, held in of_principal.items() if not held["plain"]]:
            del of_principal[target]

    def grant_one(self, body: Shape) -> Shape:
        """GrantPermissions."""
        self.grant(body)
        return {}

    def revoke_one(self, body: Shape) -> Shape:
        """RevokePermissions."""
        self.revoke(body)
        return {}

    def batch(self, body: Mapping[str, Any], move: Callable[[Mapping[str, Any]], None]) -> Shape:
        """Perform every entry separately; the body of a success lists those that failed."""
        entries = body["Entries"]
        if not 0 < len(entries) <= BATCH:
            raise invalid(f"Entries must have between 1 and {BATCH} members.")
        failures = []
        # Each entry for itself: AWS keeps those that succeed, and answers 200 even if none does.
        for entry in entries:
            try:
                move(entry)
            except AwsError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                failures.append({"RequestEntry": entry, "Error": detail})
        return {"Failures": failures}

    def rows(self, body: Mapping[str, Any]) -> list[Shape]:
        """Return what ListPermissions answers, before paging."""
        principal = (body.get("Principal") or {}).get("DataLakePrincipalIdentifier")
        with_filters = str(body.get("IncludeRelated", "")).upper() == "TRUE"
        if with_filters and principal:
            raise invalid("Principal must not be specified with IncludeRelated.")
        is_wanted = self._filter(body.get("Resource"), with_filters=with_filters)
        kind = body.get("ResourceType")
        entries = []
        for name in [principal] if principal else sorted(self._records.grants):
            of_principal = self._records.grants.get(name, {})
            for target, held in _expanded(_on(of_principal, body.get("Resource"))):
                if is_wanted(target) and (kind is None or _is_type(target, kind)):
                    entries.append(_row(name, target, held))
        return entries

    def _filter(self, resource: Shape | None, *, with_filters: bool) -> Callable[[Key], bool]:
        """Return which resources are listed: filters of a table only where they are asked for."""
        if not resource:
            return lambda target: parts(target)[0] != "FILTER"
        if "TableWithColumns" in resource:
            raise invalid("Resource must not be a table with columns.")
        (requested,) = keys_of(resource, self._catalog)
        kind, *names = parts(requested)
        if kind != "TABLE":
            return lambda target: target == requested
        shown = {"TABLE", "WILDCARD", "COLUMN", "EXCEPT", *(("FILTER",) if with_filters else ())}
        return lambda target: parts(target)[0] in shown and parts(target)[1:3] == names

    def _read(self, entry: Mapping[str, Any], *, is_new: bool = True) -> tuple[str, list[Target]]:
        principal = entry["Principal"]["DataLakePrincipalIdentifier"]
        # A principal that IAM has deleted must still be revocable.
        if is_new and not self._is_principal(principal):
            raise invalid(f"Invalid principal, {principal}")
        permissions = entry.get("Permissions") or []
        grantable = entry.get("PermissionsWithGrantOption") or []
        targets = keys_of(entry["Resource"], self._catalog)
        for target in targets:
            self._require_valid(target, permissions, grantable, is_new=is_new)
        return principal, [
            part for target in targets for part in _select_apart(target, permissions, grantable)
        ]

    def _require_valid(
        self, target: Key, permissions: list[str], grantable: list[str], *, is_new: bool
    ) -> None:
        kind, *rest = parts(target)
        known = POLICIES[rest[0]] if kind == "POLICY" else PERMITS[kind]
        if not {*permissions, *grantable} <= set(known):
            raise invalid("Permissions modification is invalid.")
        if is_new and not (permissions and set(grantable) <= set(permissions)):
            raise invalid("Grantable permissions must be a subset of the permissions.")
        if kind == "FILTER" and is_new and target not in self._records.filters:
            raise AwsError("EntityNotFoundException", f"Data cells filter not found: {rest[2]}")
        if kind == "POLICY" and is_new:
            self._require_tags(shape_of(target)["LFTagPolicy"]["Expression"])

    def _require_tags(self, expression: list[Shape]) -> None:
        for pair in expression:
            if not set(pair["TagValues"]) <= set(self._records.tags.get(pair["TagKey"], ())):
                raise AwsError("EntityNotFoundException", "Tag or tag value does not exist.")

    def _require_room(self, principal: str, target: Key) -> None:
        same = [
            held_target
            for held_target in self._records.grants[principal]
            if parts(held_target)[:3] == parts(target)[:3]
        ]
        if len(same) > FILTERS_OF_A_TABLE:
            del self._records.grants[principal][target]
            raise AwsError(
                "ResourceNumberLimitExceededException",
                "Too many data filters on the table for the principal.",
            )


def _select_apart(target: Key, permissions: list[str], grantable: list[str]) -> Iterator[Target]:
    """SELECT of a whole table is SELECT of all its columns; the rest stays with the table."""
    kind, *names = parts(target)
    if kind != "TABLE":
        yield target, permissions, grantable
        return
    rest = [[name for name in part if name != "SELECT"] for part in (permissions, grantable)]
    select = [[name for name in part if name == "SELECT"] for part in (permissions, grantable)]
    if any(rest):
        yield target, rest[0], rest[1]
    if any(select):
        yield key("WILDCARD", *names), select[0], select[1]


def _without(held: list[str], names: list[str], target: Key) -> list[str]:
    """Return the remaining permissions; of ALL, everything that it stands for except the names."""
    if missing := [name for name in names if name not in held and "ALL" not in held]:
        raise invalid(f"No permissions revoked. Grantee does not have:{missing}")
    kind = parts(target)[0]
    every = {"TABLE": OF_TABLE, "DATABASE": OF_DATABASE}.get(kind, ())
    # Revoking one permission of ALL leaves the others, now by their names.
    if "ALL" in held and names and not set(names) & {"ALL"} and not set(names) <= set(held):
        held = [*{*held, *every} - {"ALL"}]
    return sorted(set(held) - set(names))


def _expanded(of_principal: Mapping[Key, Held]) -> Iterator[tuple[Key, Held]]:
    """ALL with everything it stands for; for a table its SELECT as a row of columns; columns of a table in one row."""
    expanded: dict[Key, Held] = {}
    columns: dict[tuple[str, str], dict[str, Held]] = {}
    for target, held in of_principal.items():
        kind, *names = parts(target)
        if kind == "COLUMN":
            columns.setdefault((names[0], names[1]), {})[names[2]] = held
            continue
        every = {"TABLE": OF_TABLE, "DATABASE": OF_DATABASE}.get(kind, ())
        _add(
            expanded,
            target,
            {m: [*{*names_, *(every if "ALL" in names_ else ())}] for m, names_ in held.items()},
        )
        if kind == "TABLE" and "ALL" in held["plain"]:
            select = {m: ["SELECT"] if "ALL" in names_ else [] for m, names_ in held.items()}
            _add(expanded, key("WILDCARD", *names), select)
    for (database, table), held_by_column in columns.items():
        # A row has one set of grantable permissions, so columns that differ in it need two rows.
        for grantable in ([], ["SELECT"]):
            some = sorted(name for name, held in held_by_column.items() if held["grantable"] == grantable)
            if some:
                expanded[key("COLUMN", database, table, *some)] = {
                    "plain": ["SELECT"],
                    "grantable": grantable,
                }
    yield from sorted(expanded.items())


def _on(of_principal: Mapping[Key, Held], resource: Shape | None) -> Mapping[Key, Held]:
    """Return what a principal holds as a listing of one table shows it: grants on all tables as grants on this one."""
    name = ((resource or {}).get("Table") or {}).get("Name")
    if not name:
        return of_principal
    shown: dict[Key, Held] = {}
    for target, held in of_principal.items():
        kind, *rest = parts(target)
        # A listing of one table contains the grants on all tables, under this table's name.
        is_on_all = kind in {"TABLE", "WILDCARD"} and rest[1] == ALL_TABLES
        _add(shown, key(kind, rest[0], name) if is_on_all else target, held)
    return shown


def _add(expanded: dict[Key, Held], target: Key, held: Mapping[str, list[str]]) -> None:
    before = expanded.get(target, {"plain": [], "grantable": []})
    expanded[target] = {member: sorted({*before[member], *held[member]}) for member in before}


def _row(principal: str, target: Key, held: Held) -> Shape:
    return {
        "Principal": {"DataLakePrincipalIdentifier": principal},
        "Resource": shape_of(target),
        "Permissions": held["plain"],
        "PermissionsWithGrantOption": held["grantable"],
    }


def _is_type(target: Key, kind: str) -> bool:
    target_kind, *rest = parts(target)
    if kind in {"LF_TAG_POLICY_TABLE", "LF_TAG_POLICY_DATABASE"}:
        return target_kind == "POLICY" and rest[0] == kind.removeprefix("LF_TAG_POLICY_")
    return target_kind in TYPES.get(kind, ())


def open_by_default(of: list[Shape] | None) -> bool:
    """Return whether default permissions admit every principal that IAM allows."""
    return any(row["Principal"]["DataLakePrincipalIdentifier"] == EVERYBODY for row in of or ())
