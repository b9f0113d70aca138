"""The Glue Data Catalog as the other embedded services read and change it."""

from __future__ import annotations

from typing import Any, Protocol

from etltctl.local.kernel.json_protocol import AwsError


class CatalogRecords(Protocol):
    """The service that keeps the catalog's records."""

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform an operation such as `AWSGlue.GetTable`; raise AwsError."""

    def update_table(self, body: dict[str, Any]) -> dict[str, Any]:
        """Perform Glue's UpdateTable with its compare-and-swap."""


class Catalog:
    """The Glue Data Catalog for the other services, in the shapes of Glue's API."""

    def __init__(self, plane: CatalogRecords) -> None:
        self._plane = plane

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """Perform any operation, such as `AWSGlue.CreateTable`; raise AwsError."""
        return (
            self._plane.update_table(body)
            if target == "AWSGlue.UpdateTable"
            else self._plane.call(target, body)
        )

    def require(self, permission: str, database: str, table: str) -> None:
        """Raise AwsError unless the caller holds the permission on the table. The owner holds every one."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the table, or None."""
        table: dict[str, Any] | None = self._found(
            "AWSGlue.GetTable", {"DatabaseName": database, "Name": name}, "Table"
        )
        return table

    def get_tables(self, database: str) -> list[dict[str, Any]]:
        """Return every table of the database; none if there is no such database."""
        return self._found("AWSGlue.GetTables", {"DatabaseName": database}, "TableList") or []

    def get_database(self, name: str) -> dict[str, Any] | None:
        """Return the database, or None."""
        database: dict[str, Any] | None = self._found("AWSGlue.GetDatabase", {"Name": name}, "Database")
        return database

    def get_databases(self) -> list[str]:
        """Return the names of the databases."""
        return [database["Name"] for database in self.call("AWSGlue.GetDatabases", {})["DatabaseList"]]

    def get_partitions(self, database: str, table: str) -> list[dict[str, Any]]:
        """Return every registered partition of the table."""
        table_name = {"DatabaseName": database, "TableName": table}
        return self._found("AWSGlue.GetPartitions", table_name, "Partitions") or []

    def get_workgroup(self, name: str) -> dict[str, Any] | None:
        """Athena's workgroup, or None."""
        workgroup_name = {"WorkGroup": name}
        workgroup: dict[str, Any] | None = self._found(
            "AmazonAthena.GetWorkGroup", workgroup_name, "WorkGroup"
        )
        return workgroup

    def _found(self, target: str, body: dict[str, Any], member: str) -> Any:
        try:
            return self.call(target, body).get(member)
        except AwsError as error:
            if error.code in {"EntityNotFoundException", "InvalidRequestException"}:
                return None
            raise
