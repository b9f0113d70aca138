"""Athena's operations that describe catalogs, databases and tables: the Data Catalog in Athena's own shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from etltctl.local.kernel.accounts import OWNER
from etltctl.local.kernel.json_protocol import AwsError, CallerOperation, Operation
from etltctl.local.services.athena.pages import page_of
from etltctl.local.services.athena.tables import Catalog, Guard

CATALOG = "AwsDataCatalog"
ENGINE = "Athena engine version 3"
ENGINE_VERSIONS = (
    {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE},
    {"SelectedEngineVersion": ENGINE, "EffectiveEngineVersion": ENGINE},
)
COMMON = 50  # results of a page unless the caller wants fewer
# Parameters of a table that Athena adds from the table's storage descriptor.
STORAGE = {"location": "Location", "inputformat": "InputFormat", "outputformat": "OutputFormat"}


@dataclass(frozen=True)
class Metadata:
    """The catalogs, databases and tables that a caller of Athena can see."""

    catalog: Catalog
    guard: Guard | None = None

    def operations(self) -> Mapping[str, Operation]:
        """Return the operations that answer every caller the same."""
        return {
            "AmazonAthena.ListDataCatalogs": self.list_catalogs,
            "AmazonAthena.GetDataCatalog": self.get_catalog,
            "AmazonAthena.GetDatabase": self.get_database,
            "AmazonAthena.ListEngineVersions": self.list_engine_versions,
        }

    def caller_operations(self) -> Mapping[str, CallerOperation]:
        """Return the operations whose answer depends on what the caller may see."""
        return {
            "AmazonAthena.ListDatabases": self.list_databases,
            "AmazonAthena.ListTableMetadata": self.list_tables,
            "AmazonAthena.GetTableMetadata": self.get_table,
        }

    def list_catalogs(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the Data Catalog, and after it the catalogs that callers registered."""
        # Registered catalogs are records only: queries reach the Data Catalog alone.
        others = self.catalog.call("AmazonAthena.ListDataCatalogs", {})["DataCatalogsSummary"]
        return page_of(
            "DataCatalogsSummary", [{"CatalogName": CATALOG, "Type": "GLUE"}, *others], body, COMMON
        )

    def get_catalog(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return one catalog."""
        if _is_data_catalog(body["Name"]):
            return {"DataCatalog": {"Name": CATALOG, "Type": "GLUE", "Parameters": {}}}
        registered = self.catalog.call("AmazonAthena.GetDataCatalog", {"Name": body["Name"]}).get(
            "DataCatalog"
        )
        if not registered:
            raise AwsError("InvalidRequestException", f"Data catalog {body['Name']} was not found")
        return {"DataCatalog": registered}

    def list_databases(self, body: dict[str, Any], caller: str = OWNER) -> dict[str, Any]:
        """Return a page of the databases that the caller may know of, in the order of their names."""
        _require_data_catalog(body)
        databases = self.catalog.call("AWSGlue.GetDatabases", {})["DatabaseList"]
        # Pages need an order that does not change while a caller turns them.
        described = [
            _database(one)
            for one in sorted(databases, key=lambda one: str(one["Name"]))
            if self.guard is None or self.guard.may_describe_database(caller, one["Name"])
        ]
        return page_of("DatabaseList", described, body, COMMON)

    def get_database(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return one database."""
        _require_data_catalog(body)
        return {"Database": _database(self._database(body["DatabaseName"]))}

    def list_engine_versions(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the versions of the engine that a workgroup can choose."""
        return page_of("EngineVersions", ENGINE_VERSIONS, body, len(ENGINE_VERSIONS))

    def list_tables(self, body: dict[str, Any], caller: str = OWNER) -> dict[str, Any]:
        """Return a page of the tables that the caller may know of, whose names match the expression."""
        _require_data_catalog(body)
        database = str(self._database(body["DatabaseName"])["Name"])
        matches = _pattern(body.get("Expression") or "*")
        tables = [
            table
            for table in sorted(self.catalog.get_tables(database), key=lambda one: str(one["Name"]))
            if matches.fullmatch(table["Name"]) and self._shows(caller, database, table)
        ]
        answer = page_of("TableMetadataList", tables, body, COMMON)
        return {**answer, "TableMetadataList": [_table(table) for table in answer["TableMetadataList"]]}

    def get_table(self, body: dict[str, Any], caller: str = OWNER) -> dict[str, Any]:
        """Return one table."""
        _require_data_catalog(body)
        database, name = str(self._database(body["DatabaseName"])["Name"]), body["TableName"].lower()
        table = self.catalog.get_table(database, name)
        # A table that the caller may not know of looks as if it were not there, as it does in a query.
        if table is None or not self._shows(caller, database, table):
            raise _missing(f"Table {name} not found.")
        return {"TableMetadata": _table(table)}

    def _database(self, name: str) -> dict[str, Any]:
        try:
            database: dict[str, Any] = self.catalog.call("AWSGlue.GetDatabase", {"Name": name.lower()})[
                "Database"
            ]
        except AwsError as error:
            if error.code != "EntityNotFoundException":
                raise
            raise _missing(f"Database {name} not found.") from error
        return database

    def _shows(self, caller: str, database: str, table: Mapping[str, Any]) -> bool:
        return self.guard is None or self.guard.may_describe(caller, database, table)


def _is_data_catalog(name: str) -> bool:
    return name.lower() == CATALOG.lower()


def _require_data_catalog(body: Mapping[str, Any]) -> None:
    if not _is_data_catalog(body["CatalogName"]):
        raise AwsError("InvalidRequestException", f"Data catalog {body['CatalogName']} cannot be read: the embedded "
                       f"Athena has {CATALOG} only")  # fmt: skip


def _missing(message: str) -> AwsError:
    """Build the error of a database or a table that the catalog lacks.

    Athena passes on the catalog's own error inside its MetadataException, and clients take its code out of the words.
    """
    cause = f"Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException; Request ID: {uuid4()}"
    return AwsError("MetadataException", f"{message} ({cause}; Proxy: null)")


def _pattern(expression: str) -> re.Pattern[str]:
    """Return the pattern of an Expression: `*` for any characters, `|` between alternatives, no case.

    PyAthena and the JDBC driver send regular expressions, which Athena reads too. One that is not valid is plain text.
    """
    try:
        return re.compile(re.sub(r"(?<![.\])])\*", ".*", expression), re.IGNORECASE)
    except re.error:
        return re.compile(re.escape(expression), re.IGNORECASE)


def _database(described: Mapping[str, Any]) -> dict[str, Any]:
    # The model has no empty description, so one that is empty is left out.
    more = {"Description": text} if (text := described.get("Description")) else {}
    return {"Name": described["Name"], **more, "Parameters": described.get("Parameters") or {}}


def _table(described: Mapping[str, Any]) -> dict[str, Any]:
    storage = described.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    parameters = {name: storage.get(member) for name, member in STORAGE.items()}
    parameters |= {"serde.serialization.lib": serde.get("SerializationLibrary")}
    parameters |= {f"serde.param.{name}": value for name, value in (serde.get("Parameters") or {}).items()}
    # The table's own parameters go last, so that they win over those of its storage.
    parameters |= described.get("Parameters") or {}
    times = {
        "CreateTime": described.get("CreateTime"),
        "LastAccessTime": described.get("LastAccessTime") or 0,
    }
    return {
        "Name": described["Name"],
        **{name: value for name, value in times.items() if value is not None},
        "TableType": described.get("TableType") or "EXTERNAL_TABLE",
        "Columns": _columns(storage.get("Columns")),
        "PartitionKeys": _columns(described.get("PartitionKeys")),
        "Parameters": {name: str(value) for name, value in parameters.items() if value is not None},
    }


def _columns(columns: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    return [
        {name: column[name] for name in ("Name", "Type", "Comment") if column.get(name) is not None}
        for column in columns or ()
    ]
