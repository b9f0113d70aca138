"""Changes of the Data Catalog, each allowed by Lake Formation before it is made.

The rules are those of Lake Formation's developer guide, pages "Underlying data access control", "Implicit permissions"
and "Hybrid access mode considerations". The owner of the state folder is not checked: it made everything that is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from etltctl.local.kernel.accounts import EVERYBODY
from etltctl.local.kernel.data_catalog import Catalog, CatalogRecords
from etltctl.local.kernel.json_protocol import AwsError, CallerOperation
from etltctl.local.services.lakeformation.resources import ALL_TABLES, Shape, key, parts
from etltctl.local.services.lakeformation.service import LakeFormationService
from etltctl.local.services.lakeformation.store import Records
from etltctl.local.services.lakeformation.tags import satisfies

# The beginning of AWS's own message, which clients recognise.
REFUSED = "Insufficient Lake Formation permission(s)"
ARN_OF_S3 = "arn:aws:s3:::"

Call = Callable[[str, Shape], Shape]  # performs an operation such as `AWSGlue.CreateTable`


@dataclass(frozen=True)
class CatalogWrites:
    """The operations of Glue that change databases, tables and partitions, for callers other than the owner.

    Args:
        service: What Lake Formation holds.
        partitions: Returns the registered partitions of a table.
        call: Performs an operation without a check.
    """

    service: LakeFormationService
    partitions: Callable[[str, str], list[dict[str, Any]]]
    call: Call

    def operations(self) -> Mapping[str, CallerOperation]:
        """Return the checked operations by name."""
        checks: dict[str, Callable[[Shape, str], None]] = {
            "CreateDatabase": self._check_new_database,
            "UpdateDatabase": self._check_changed_database,
            "DeleteDatabase": self._check_dropped_database,
            "CreateTable": self._check_new_table,
            "UpdateTable": self._check_changed_table,
            "DeleteTable": self._check_dropped_tables,
            "BatchDeleteTable": self._check_dropped_tables,
            **dict.fromkeys(
                ("CreatePartition", "BatchCreatePartition", "UpdatePartition", "BatchUpdatePartition",
                 "DeletePartition", "BatchDeletePartition"),
                self._check_partitions,
            ),
        }  # fmt: skip
        return {f"AWSGlue.{name}": partial(self._perform, name, check) for name, check in checks.items()}

    def _perform(self, name: str, check: Callable[[Shape, str], None], body: Shape, caller: str) -> Shape:
        check(body, caller)
        answer = self.call(f"AWSGlue.{name}", body)
        if name == "CreateTable":
            # After the call: a creation that the catalog refuses gives its caller nothing.
            self.service.give_to_maker(key("TABLE", body["DatabaseName"], body["TableInput"]["Name"]), caller)
        elif name == "CreateDatabase":
            self.service.give_to_maker(key("DATABASE", body["DatabaseInput"]["Name"]), caller)
        return answer

    def _check_new_database(self, body: Shape, caller: str) -> None:
        database = body["DatabaseInput"]
        with self.service.current() as records:
            is_admin = caller in records.admins  # "Implicit permissions" gives administrators this one
        if not is_admin:
            self.require(caller, "CREATE_DATABASE")
        self._require_location(caller, database.get("LocationUri"), f"Database name: {database['Name']}")

    def _check_changed_database(self, body: Shape, caller: str) -> None:
        name, location = body["Name"], body["DatabaseInput"].get("LocationUri")
        # Permission first, location second, so that a caller without either learns nothing of the location.
        self.require(caller, "ALTER", name)
        current = self.service.catalog.get_database(name) or {}
        if location != current.get("LocationUri"):
            self._require_location(caller, location, f"Database name: {name}")

    def _check_dropped_database(self, body: Shape, caller: str) -> None:
        # "Implicit permissions": an administrator may not drop the databases of others. The creator holds ALL.
        self.require(caller, "DROP", body["Name"])

    def _check_new_table(self, body: Shape, caller: str) -> None:
        database, table = body["DatabaseName"], body["TableInput"]
        # "Implicit permissions" names the creation of databases for administrators, and not that of tables.
        self.require(caller, "CREATE_TABLE", database)
        location, about = _location(table), _about(database, table["Name"])
        own = (self.service.catalog.get_database(database) or {}).get("LocationUri")
        if not (own and _is_within(location, own)):  # then the database's location is enough
            self._require_location(caller, location, about)

    def _check_changed_table(self, body: Shape, caller: str) -> None:
        database, table = body["DatabaseName"], body["TableInput"]
        self.require(caller, "ALTER", database, table["Name"])
        current = self.service.catalog.get_table(database, table["Name"]) or {}
        if _location(table) != _location(current):
            self._require_location(caller, _location(table), _about(database, table["Name"]))

    def _check_dropped_tables(self, body: Shape, caller: str) -> None:
        for name in body.get("TablesToDelete") or [body["Name"]]:
            self.require(caller, "DROP", body["DatabaseName"], name)

    def _check_partitions(self, body: Shape, caller: str) -> None:
        database, table = body["DatabaseName"], body["TableName"]
        self.require(caller, "ALTER", database, table)
        # A partition that stays where it is needs no permission on its location.
        known = {
            tuple(partition["Values"]): _location(partition) for partition in self.partitions(database, table)
        }
        moved = {location for values, location in _partitions(body) if location != known.get(values)}
        for location in sorted(moved):
            self._require_location(caller, location, _about(database, table))

    def require(self, caller: str, permission: str, database: str = "", table: str = "") -> None:
        """Raise AwsError unless the caller holds the permission, or the catalog object is still governed by IAM.

        Without a database the object is the catalog itself.
        """
        with self.service.current() as records:
            if not any(_gives(held, permission) for held in self._held(records, caller, database, table)):
                word = permission.replace("_", " ").title()
                raise AwsError(
                    "AccessDeniedException", f"{REFUSED}: Required {word} on {table or database or 'Catalog'}"
                )

    def _held(self, records: Records, caller: str, database: str, table: str) -> Iterable[Mapping[str, Any]]:
        """Yield what the caller holds on the object, and what everybody holds unless the caller opted in on it."""
        target = key("TABLE", database, table) if table else key("DATABASE", database)
        if not database:
            target = key("CATALOG")
        # A grant on all tables of a database covers each, also those made after it.
        covering = {target, key("TABLE", database, ALL_TABLES)} if table else {target}
        # Hybrid access mode: for those who opted in, what IAM allows everybody counts no longer.
        opted_in = {resource for name, resource in records.opt_ins if name in {caller, EVERYBODY}}
        names = [caller]
        if opted_in.isdisjoint({*covering, key("DATABASE", database)}):
            names.append(EVERYBODY)
        for name in names:
            for of, held in records.grants.get(name, {}).items():
                if of in covering or self._is_tagged(of, target):
                    yield held

    def _is_tagged(self, policy: str, target: str) -> bool:
        kind, *rest = parts(policy)
        if kind != "POLICY" or rest[0] != parts(target)[0]:
            return False
        return satisfies(self.service.tags.effective(target), dict(json.loads(rest[1])))

    def _require_location(self, caller: str, location: str | None, about: str) -> None:
        """Raise AwsError unless the caller may make the catalog point to a place that is registered.

        Hybrid mode and opt-ins do not count here, and neither does what IAM_ALLOWED_PRINCIPALS holds.
        """
        with self.service.current() as records:
            if not location or caller in records.admins:
                return
            if not any(_is_within(location, arn) for arn in records.locations):
                return
            for of, held in records.grants.get(caller, {}).items():
                kind, *rest = parts(of)
                # A permission on a prefix covers everything below it.
                if kind == "LOCATION" and held["plain"] and _is_within(location, rest[0]):
                    return
        raise AwsError("AccessDeniedException", f"{REFUSED} on {location} ({about})")


class CallerCatalog(Catalog):
    """The Data Catalog as one caller changes it.

    Args:
        plane: What keeps the catalog.
        writes: The changes that check their caller.
        caller: The ARN of the caller.
    """

    def __init__(self, plane: CatalogRecords, writes: CatalogWrites, caller: str) -> None:
        super().__init__(plane)
        self._writes = writes
        self._checked = writes.operations()
        self._caller = caller

    def require(self, permission: str, database: str, table: str) -> None:
        """Raise AwsError unless the caller holds the permission on the table."""
        self._writes.require(self._caller, permission, database, table)

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform an operation in the name of the caller; raises AwsError."""
        operation = self._checked.get(target)
        return operation(body, caller=self._caller) if operation else super().call(target, body)


def _gives(held: Mapping[str, Any], permission: str) -> bool:
    return not {permission, "ALL"}.isdisjoint(held["plain"])


def _partitions(body: Shape) -> Iterable[tuple[tuple[str, ...], str]]:
    """Yield the values that every given partition has now, or is made with, and the location it shall have."""
    changed = body.get("Entries") or ([body] if "PartitionValueList" in body else [])
    for entry in changed:
        yield tuple(entry["PartitionValueList"]), _location(entry["PartitionInput"])
    if not changed:
        for partition in body.get("PartitionInputList") or [body.get("PartitionInput") or {}]:
            yield tuple(partition.get("Values") or ()), _location(partition)


def _location(described: Mapping[str, Any]) -> str:
    return str((described.get("StorageDescriptor") or {}).get("Location") or "")


def _about(database: str, table: str) -> str:
    return f"Database name: {database}, Table name: {table}"


def _is_within(location: str, place: str) -> bool:
    """Return whether an S3 location lies at or under a place, which is a location or an ARN."""
    # With the slash, because `s3://lake/raw2` does not lie within `s3://lake/raw`.
    return f"{_path(location)}/".startswith(f"{_path(place)}/")


def _path(place: str) -> str:
    """Return the bucket and the key of an S3 location or ARN."""
    return (place.partition("://")[2] or place.removeprefix(ARN_OF_S3)).rstrip("/")
