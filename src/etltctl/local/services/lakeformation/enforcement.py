"""What a principal may see of a table, as query engines ask, and a record of every time they did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etltctl.local.kernel.accounts import ACCOUNT, EVERYBODY, OWNER
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.lakeformation.resources import ALL_TABLES, columns_of, key, parts
from etltctl.local.services.lakeformation.service import LakeFormationService
from etltctl.local.services.lakeformation.store import Records
from etltctl.local.services.lakeformation.tags import satisfies

Record = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Part:
    """Columns that are seen, in the rows for which the expression is true; an empty one is true for all."""

    columns: frozenset[str]
    rows: str = ""


@dataclass(frozen=True)
class Guard:
    """Asks Lake Formation before a table is read; `record` keeps the event of it."""

    service: LakeFormationService
    record: Record

    def parts_of(self, caller: str, database: str, table: Mapping[str, Any]) -> tuple[Part, ...] | None:
        """Return what the caller sees of the table; None for all of it. Raises AwsError if it sees nothing."""
        if caller == OWNER and not self.service.store.records.locations:
            return None  # sees all, and nothing is registered that an event would be kept of
        with self.service.current() as records:
            if _sees_all(records, caller, database, table):
                self._note(records, caller, database, table)
                return None
            granted = tuple(self._granted(records, caller, database, table))
            self._note(records, caller, database, table, is_refused=not granted)
        if not granted:
            required = f"Required Select on {database}.{table['Name']} for {caller}"
            raise AwsError("AccessDeniedException", f"Insufficient Lake Formation permission(s): {required}")
        # The catalog keeps the case of names that Athena compares without it.
        everything = frozenset(name.lower() for name in columns_of(table))
        return None if Part(everything) in granted else granted

    def columns_of(self, caller: str, database: str, table: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the columns that the caller may know of; None for all.

        A caller who may describe the table, but read nothing of it, knows all its columns. The answer reads no data, so
        no event of an access is kept.
        """
        with self.service.current() as records:
            if _sees_all(records, caller, database, table):
                return None
            granted = tuple(self._granted(records, caller, database, table))
        return frozenset().union(*(part.columns for part in granted)) or None

    def may_describe(self, caller: str, database: str, table: Mapping[str, Any]) -> bool:
        """Return whether the caller may know that the table exists."""
        if caller == OWNER:
            return True
        with self.service.current() as records:
            if _sees_all(records, caller, database, table) or any(
                self._granted(records, caller, database, table)
            ):
                return True
            # Any permission at all makes a table visible in listings, as DESCRIBE does.
            targets = {key("TABLE", database, table["Name"]), key("TABLE", database, ALL_TABLES)}
            return any(target in targets for target in records.grants.get(caller, {}))

    def may_describe_database(self, caller: str, database: str) -> bool:
        """Return whether the caller may know that the database exists.

        Any permission on it suffices, and so does one on a table in it.
        """
        if caller == OWNER:
            return True
        with self.service.current() as records:
            if caller in records.admins:
                return True
            target = key("DATABASE", database)
            opted_in = {resource for name, resource in records.opt_ins if name in {caller, EVERYBODY}}
            names = [caller] if target in opted_in else [caller, EVERYBODY]
            return any(
                self._is_about(of, database) and held["plain"]
                for name in names
                for of, held in records.grants.get(name, {}).items()
            )

    def _is_about(self, target: str, database: str) -> bool:
        kind, *names = parts(target)
        if kind != "POLICY":
            return kind not in ("CATALOG", "LOCATION", "TAG") and names[0] == database
        effective = self.service.tags.effective
        expected = dict(json.loads(names[1]))
        # A table has the tags of its database unless it overrides them.
        return satisfies(effective(key("DATABASE", database)), expected) or (
            names[0] == "TABLE"
            and any(
                satisfies(effective(key("TABLE", database, table["Name"])), expected)
                for table in self.service.catalog.get_tables(database)
            )
        )

    def _granted(
        self, records: Records, caller: str, database: str, table: Mapping[str, Any]
    ) -> Iterator[Part]:
        columns = [name.lower() for name in columns_of(table)]
        for target, held in records.grants.get(caller, {}).items():
            kind, *names = parts(target)
            if not {"SELECT", "ALL"} & set(held["plain"]):
                continue
            if kind == "POLICY":
                tagged = self._tagged(target, database, table, columns)
                if tagged:
                    yield Part(tagged)
            elif names[:1] == [database] and names[1:2] in ([table["Name"]], [ALL_TABLES]):
                yield from _named(records, target, columns)

    def _tagged(
        self, policy: str, database: str, table: Mapping[str, Any], columns: list[str]
    ) -> frozenset[str]:
        _, kind, expression = parts(policy)
        if kind != "TABLE":
            return frozenset()
        # A grant by LF-tag counts column by column, because a column can override its table's tags.
        expected = dict(json.loads(expression))
        effective = self.service.tags.effective
        return frozenset(
            name
            for name in columns
            if satisfies(effective(key("COLUMN", database, table["Name"], name)), expected)
        )

    def _note(
        self,
        records: Records,
        caller: str,
        database: str,
        table: Mapping[str, Any],
        *,
        is_refused: bool = False,
    ) -> None:
        """Record an event for a table whose location is registered: only there does Lake Formation give credentials."""
        if not _is_registered(records, table):
            return
        event: dict[str, Any] = {
            "eventSource": "lakeformation.amazonaws.com",
            "eventName": "GetDataAccess",
            "readOnly": True,
            "managementEvent": True,
            "requestParameters": {
                "tableArn": f"arn:aws:glue:us-east-1:{ACCOUNT}:table/{database}/{table['Name']}",
                "permissions": ["SELECT"],
                "durationSeconds": 3600,
            },
            "additionalEventData": {"requesterService": "ATHENA", "lakeFormationPrincipal": caller},
        }
        self.record(event | ({"errorCode": "AccessDenied"} if is_refused else {}))


def _sees_all(records: Records, caller: str, database: str, table: Mapping[str, Any]) -> bool:
    """Administrators do here; everybody does where IAM alone counts, unless they opted in to Lake Formation."""
    if caller in records.admins | {OWNER}:
        return True
    target = key("TABLE", database, table["Name"])
    opted_in = {resource for name, resource in records.opt_ins if name in {caller, EVERYBODY}}
    # What AWS calls "Use only IAM access control": ALL for IAM_ALLOWED_PRINCIPALS on this very table.
    is_open = "ALL" in records.grants.get(EVERYBODY, {}).get(target, {"plain": []})["plain"]
    return is_open and opted_in.isdisjoint({target, key("DATABASE", database)})


def _named(records: Records, target: str, columns: list[str]) -> Iterator[Part]:
    kind, *names = parts(target)
    if kind in {"TABLE", "WILDCARD"}:
        yield Part(frozenset(columns))
    elif kind == "COLUMN":
        yield Part(frozenset({names[2]}))
    elif kind == "EXCEPT":
        yield Part(frozenset(columns) - set(names[2:]))
    # A filter that was deleted leaves its grants without effect.
    elif kind == "FILTER" and target in records.filters:
        record = records.filters[target]
        excluded = (record.get("ColumnWildcard") or {}).get("ExcludedColumnNames") or []
        seen = frozenset(record.get("ColumnNames") or columns) - set(excluded)
        yield Part(seen, record["RowFilter"].get("FilterExpression", ""))


def _is_registered(records: Records, table: Mapping[str, Any]) -> bool:
    place = table["StorageDescriptor"].get("Location", "").removeprefix("s3://")
    return any(f"{place}/".startswith(f"{arn.removeprefix('arn:aws:s3:::')}/") for arn in records.locations)
