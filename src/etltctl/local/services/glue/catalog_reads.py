"""Reads of the Data Catalog that moto lacks or answers otherwise: pages, segments, search, versions, statistics."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from etltctl.local.kernel.accounts import OWNER
from etltctl.local.kernel.json_protocol import AwsError, CallerOperation, Operation

Shape = dict[str, Any]
Call = Callable[[str, Shape], Shape]

# The most results of one answer, which are also those of a call that does not say. Source: Glue's API reference.
PAGE, PARTITIONS_PAGE, SEARCH_PAGE = 100, 1000, 1000
COMPARED = {
    "EQUALS": lambda value, limit: value == limit,
    "GREATER_THAN": lambda value, limit: value > limit,
    "LESS_THAN": lambda value, limit: value < limit,
    "GREATER_THAN_EQUALS": lambda value, limit: value >= limit,
    "LESS_THAN_EQUALS": lambda value, limit: value <= limit,
}


class Guard(Protocol):
    """What is asked before a database or a table is listed."""

    def may_describe(self, caller: str, database: str, table: Mapping[str, Any]) -> bool:
        """Return whether the caller may know that the table exists."""

    def may_describe_database(self, caller: str, database: str) -> bool:
        """Return whether the caller may know that the database exists."""


class CatalogReads:
    """Reads of databases, tables, partitions and versions, a page at a time and in a fixed order.

    Args:
        call: Performs an operation on the records, such as `AWSGlue.GetTables`, all in one answer; raises AwsError.
        guard: Decides what a caller other than the owner finds in a listing.
    """

    def __init__(self, call: Call, guard: Guard) -> None:
        self._call, self._guard = call, guard

    def operations(self) -> Mapping[str, Operation]:
        """Return what is answered here instead of by the control plane."""
        operations: dict[str, Operation] = {
            "GetDatabases": self._databases,
            "GetTables": self._tables,
            "GetPartitions": self._partitions,
            "GetTableVersions": self._versions,
            "DeleteTableVersion": self._delete_version,
            "BatchDeleteTableVersion": self._delete_versions,
            "SearchTables": self._search,
            "GetColumnStatisticsForTable": partial(self._statistics, "AWSGlue.GetTable"),
            "GetColumnStatisticsForPartition": partial(self._statistics, "AWSGlue.GetPartition"),
        }
        return {f"AWSGlue.{name}": operation for name, operation in operations.items()}

    def caller_operations(self) -> Mapping[str, CallerOperation]:
        """Return the listings, which show to a caller what Lake Formation lets it know of."""
        return {
            "AWSGlue.GetDatabases": self._databases,
            "AWSGlue.GetTables": self._tables,
            "AWSGlue.SearchTables": self._search,
        }

    def _databases(self, body: Shape, caller: str = OWNER) -> Shape:
        databases = [
            one
            for one in self._call("AWSGlue.GetDatabases", _unpaged(body))["DatabaseList"]
            if self._guard.may_describe_database(caller, one["Name"])
        ]
        return _page(body, "DatabaseList", sorted(databases, key=lambda one: str(one["Name"])), PAGE)

    def _tables(self, body: Shape, caller: str = OWNER) -> Shape:
        tables = [
            table
            for table in self._call("AWSGlue.GetTables", _unpaged(body))["TableList"]
            if self._guard.may_describe(caller, body["DatabaseName"], table)
        ]
        return _page(body, "TableList", sorted(tables, key=lambda one: str(one["Name"])), PAGE)

    def _partitions(self, body: Shape) -> Shape:
        partitions = self._call("AWSGlue.GetPartitions", _unpaged(body))["Partitions"]
        partitions = sorted(partitions, key=lambda one: list(one["Values"]))
        if segment := body.get("Segment"):
            # Readers such as Hive's client on EMR ask for several segments at once and put them together.
            count, number = segment["TotalSegments"], segment["SegmentNumber"]
            if not 0 <= number < count:
                raise AwsError("InvalidInputException", f"segment {number} is not one of {count}")
            partitions = partitions[number::count]
        if body.get("ExcludeColumnSchema"):
            partitions = [_without_columns(partition) for partition in partitions]
        return _page(body, "Partitions", partitions, PARTITIONS_PAGE)

    def _versions(self, body: Shape) -> Shape:
        """GetTableVersions: the newest first, as Glue orders them."""
        versions = self._call("AWSGlue.GetTableVersions", _unpaged(body))["TableVersions"]
        return _page(body, "TableVersions", sorted(versions, key=_number, reverse=True), PAGE)

    def _delete_version(self, body: Shape) -> Shape:
        versions = self._call("AWSGlue.GetTableVersions", _unpaged(body))["TableVersions"]
        version = str(body["VersionId"])
        if version not in {str(one["VersionId"]) for one in versions}:
            raise AwsError(
                "EntityNotFoundException", f"Version {version} of table {body['TableName']} not found."
            )
        # As numbers: "10" comes before "9" as a text.
        if version == str(max(versions, key=_number)["VersionId"]):
            raise AwsError("InvalidInputException", "The current version of a table cannot be deleted.")
        return self._call("AWSGlue.DeleteTableVersion", body)

    def _delete_versions(self, body: Shape) -> Shape:
        """BatchDeleteTableVersion: the body names each version that could not be deleted."""
        errors = []
        for version in body["VersionIds"]:
            try:
                self._delete_version({**body, "VersionId": version})
            except AwsError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                errors.append({"TableName": body["TableName"], "VersionId": version, "ErrorDetail": detail})
        return {"Errors": errors}

    def _search(self, body: Shape, caller: str = OWNER) -> Shape:
        """SearchTables: by words in names, descriptions, columns and comments, and by filters on members."""
        tables = [
            table
            for database in self._call("AWSGlue.GetDatabases", {})["DatabaseList"]
            for table in self._call("AWSGlue.GetTables", {"DatabaseName": database["Name"]})["TableList"]
        ]
        words = _words(body.get("SearchText") or "")
        fitting = [
            table
            for table in tables
            if self._guard.may_describe(caller, table["DatabaseName"], table)
            and all(word in _searched(table) for word in words)
            and all(_fits(table, one) for one in body.get("Filters") or ())
        ]
        fitting.sort(key=lambda table: (table["DatabaseName"], table["Name"]))
        # Sorting keeps the order of equals, so the first criterion comes last.
        for criterion in reversed(body.get("SortCriteria") or ()):
            name, is_falling = criterion.get("FieldName", "Name"), criterion.get("Sort") == "DESC"
            fitting.sort(key=partial(_member, name=name), reverse=is_falling)
        return _page(body, "TableList", fitting, SEARCH_PAGE)

    def _statistics(self, owner: str, body: Shape) -> Shape:
        """Return no statistics, because nothing makes any here; the table or partition must be there."""
        if owner == "AWSGlue.GetTable":
            self._call(owner, {"DatabaseName": body["DatabaseName"], "Name": body["TableName"]})
        else:
            self._call(owner, body)
        return {"ColumnStatisticsList": [], "Errors": []}


def _unpaged(body: Shape) -> Shape:
    """Return the request for all results at once, in words that moto takes."""
    return {name: value for name, value in body.items() if name not in ("MaxResults", "NextToken", "Segment")}


def _page(body: Shape, member: str, items: Sequence[Shape], most: int) -> Shape:
    first = _position(body.get("NextToken") or "")
    last = first + min(int(body.get("MaxResults") or most), most)
    token = {"NextToken": _token(last)} if last < len(items) else {}
    return {member: list(items[first:last]), **token}


def _token(position: int) -> str:
    return base64.b64encode(f"after {position}".encode()).decode()


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        word, _, position = base64.b64decode(token, validate=True).decode().partition(" ")
        if word != "after":
            raise ValueError(token)
        return int(position)
    except (ValueError, binascii.Error) as error:
        raise AwsError(
            "InvalidInputException", "The next token is not one that this service gave."
        ) from error


def _number(version: Shape) -> int:
    return int(version["VersionId"])


def _without_columns(partition: Shape) -> Shape:
    storage = {name: value for name, value in partition["StorageDescriptor"].items() if name != "Columns"}
    return {**partition, "StorageDescriptor": storage}


def _words(text: str) -> list[str]:
    """Return the words to search, in lower case; a text in double quotes is one."""
    text = text.strip().lower()
    return [text[1:-1]] if len(text) > 1 and text[0] == text[-1] == '"' else text.split()


def _searched(table: Shape) -> str:
    columns = [*table.get("StorageDescriptor", {}).get("Columns", ()), *table.get("PartitionKeys", ())]
    texts = [table["Name"], table["DatabaseName"], table.get("Description", "")]
    texts += [text for column in columns for text in (column["Name"], column.get("Comment", ""))]
    return "\n".join(texts).lower()


def _member(table: Shape, name: str) -> str:
    """Return a member or a parameter of the table as text; names are compared without regard to case."""
    # A table's own member counts before a parameter of the same name.
    members = {**table.get("Parameters", {}), **table}
    named = {key.lower(): value for key, value in members.items() if isinstance(value, str | int | float)}
    return str(named.get({"database": "databasename"}.get(name.lower(), name.lower()), ""))


def _fits(table: Shape, criterion: Shape) -> bool:
    comparator = COMPARED.get(criterion.get("Comparator") or "EQUALS")
    if comparator is None:
        raise AwsError("InvalidInputException", f"{criterion['Comparator']} is not a comparator")
    return bool(comparator(_member(table, criterion.get("Key", "")), criterion.get("Value", "")))
