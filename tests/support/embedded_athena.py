"""The embedded Athena in this process: a catalog in memory, files by hand, and queries until they end."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.service import AthenaService
from etltctl.local.services.s3.directory import S3Directory
from support.served import wait_until

RESULTS = "s3://results/"


class OneCatalog:
    """A catalog in memory, in Glue's own shape."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.partitions: list[dict[str, Any]] = []

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        return self.tables.get((database, name))

    def get_tables(self, database: str) -> list[dict[str, Any]]:
        return [table for (db, _), table in self.tables.items() if db == database]

    def get_databases(self) -> list[str]:
        return sorted({db for db, _ in self.tables})

    def get_database(self, name: str) -> dict[str, Any] | None:
        return {"Name": name} if name in self.get_databases() else None

    def get_partitions(self, *name: str) -> list[dict[str, Any]]:
        return self.partitions

    def get_workgroup(self, name: str) -> dict[str, Any] | None:
        configuration = {
            "ResultConfiguration": {"OutputLocation": RESULTS},
            "EnforceWorkGroupConfiguration": True,
        }
        return {"pi-m3": {"Name": name, "Configuration": configuration}, "bare": {"Name": name}}.get(name)

    def add(
        self,
        name: str,
        location: str,
        columns: dict[str, str],
        keys: dict[str, str] | None = None,
        **parameters: str,
    ) -> None:
        self.tables["gold", name] = {
            "Name": name,
            "StorageDescriptor": {
                "Location": location,
                "Columns": [{"Name": k, "Type": v} for k, v in columns.items()],
            },
            "PartitionKeys": [{"Name": k, "Type": v} for k, v in (keys or {}).items()],
            "Parameters": parameters,
        }


def put(directory: S3Directory, key: str, **columns: Any) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    directory.put_object("lake", key, body.getvalue())


def start(athena: AthenaService, sql: str, **request: Any) -> str:
    body = {
        "QueryString": sql,
        "WorkGroup": "pi-m3",
        "QueryExecutionContext": {"Database": "gold"},
        **request,
    }
    return str(athena.operations()["AmazonAthena.StartQueryExecution"](body)["QueryExecutionId"])


def state_of(athena: AthenaService, query_id: str) -> str:
    return str(athena.get({"QueryExecutionId": query_id})["QueryExecution"]["Status"]["State"])


def ended(athena: AthenaService, query_id: str) -> dict[str, Any]:
    wait_until(lambda: state_of(athena, query_id) not in ("QUEUED", "RUNNING"))
    return dict(athena.get({"QueryExecutionId": query_id})["QueryExecution"])


def rows(athena: AthenaService, sql: str, **request: Any) -> list[tuple[str | None, ...]]:
    query_id = start(athena, sql, **request)
    execution = ended(athena, query_id)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    result_rows = athena.results({"QueryExecutionId": query_id})["ResultSet"]["Rows"]
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in result_rows][1:]


def reason(athena: AthenaService, sql: str) -> str:
    """Return why a statement failed, or why Athena did not start it, as `REFUSED: …`."""
    try:
        execution = ended(athena, start(athena, sql))
    except AwsError as error:
        if error.members != {"AthenaErrorCode": "MALFORMED_QUERY"}:
            raise
        return f"REFUSED: {error.message}"
    assert execution["Status"]["State"] == "FAILED", execution
    return str(execution["Status"]["StateChangeReason"])


def utility_rows(athena: AthenaService, sql: str) -> list[tuple[str | None, ...]]:
    query_id = start(athena, sql)
    assert ended(athena, query_id)["Status"]["State"] == "SUCCEEDED"
    result_rows = athena.results({"QueryExecutionId": query_id})["ResultSet"]["Rows"]
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in result_rows]
