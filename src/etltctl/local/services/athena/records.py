"""A query execution as it is kept on disk, and in Athena's own shape."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import read_json

WRITES = ("CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD")  # their rows are the files that they write
LIVE = frozenset({"QUEUED", "RUNNING"})


@dataclass
class Record:
    """An execution as it is kept; times are seconds since 1970."""

    id: str
    sql: str
    database: str
    workgroup: str
    output: str
    token: str
    parameters: list[str]
    state: str = "QUEUED"
    reason: str = ""
    submitted: float = field(default_factory=time.time)
    completed: float | None = None
    scanned: int = 0
    engine_ms: int = 0
    columns: list[list[Any]] = field(default_factory=list)
    statement: str = "DML"
    substatement: str = "SELECT"
    caller: str = ""
    manifest: str = ""  # the URL of the list of files that the statement wrote
    updated: int = 0  # rows that the statement wrote to a table
    output_rows: int = 0
    output_bytes: int = 0
    catalog: str = ""

    @property
    def has_header(self) -> bool:
        """Whether the first row of the result names the columns."""
        return self.statement == "DML" and self.has_rows_object

    @property
    def has_rows_object(self) -> bool:
        """Whether the result's rows are an object at the output location."""
        return self.substatement not in WRITES

    def as_query_execution(self) -> dict[str, Any]:
        """Return the execution in Athena's own shape."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted}
        if self.completed:
            status["CompletionDateTime"] = self.completed
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.state == "FAILED":
            is_ours = self.reason.startswith("INTERNAL_ERROR")
            status["AthenaError"] = {
                "ErrorCategory": 1 if is_ours else 2,
                "ErrorType": 401 if is_ours else 1301,
                "Retryable": is_ours,
                "ErrorMessage": self.reason,
            }
        return {
            "QueryExecutionId": self.id,
            "Query": self.sql,
            "StatementType": self.statement,
            **({"SubstatementType": self.substatement} if self.substatement else {}),
            **self._place_of_results(),
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": {
                "Database": self.database,
                **({"Catalog": self.catalog} if self.catalog else {}),
            },
            **({"ExecutionParameters": self.parameters} if self.parameters else {}),
            "Status": status,
            "Statistics": {
                **({"DataManifestLocation": self.manifest} if self.manifest else {}),
                "DataScannedInBytes": self.scanned,
                **self._timeline(),
                "ResultReuseInformation": {"ReusedPreviousResult": False},
            },
            "WorkGroup": self.workgroup,
            "EngineVersion": {
                "SelectedEngineVersion": "AUTO",
                "EffectiveEngineVersion": "Athena engine version 3",
            },
        }

    def as_runtime_statistics(self) -> dict[str, Any]:
        """Return the execution's statistics in Athena's own shape. The embedded engine has one stage."""
        rows = {"InputBytes": self.scanned, "OutputBytes": self.output_bytes, "OutputRows": self.output_rows}
        statistics: dict[str, Any] = {"Timeline": self._timeline(), "Rows": rows}
        if self.state == "SUCCEEDED":
            statistics["OutputStage"] = {
                "StageId": 0, "State": "FINISHED", "ExecutionTime": self.engine_ms, **rows
            }  # fmt: skip
        return statistics

    def _timeline(self) -> dict[str, int]:
        total = int(((self.completed or time.time()) - self.submitted) * 1000)
        return {
            "EngineExecutionTimeInMillis": self.engine_ms,
            "TotalExecutionTimeInMillis": total,
            "QueryQueueTimeInMillis": max(total - self.engine_ms, 0),
            "QueryPlanningTimeInMillis": 0,
            "ServicePreProcessingTimeInMillis": 0,
            "ServiceProcessingTimeInMillis": 0,
        }

    def _place_of_results(self) -> dict[str, Any]:
        if self.output:
            return {"ResultConfiguration": {"OutputLocation": self.output}}
        return {"ManagedQueryResultsConfiguration": {"Enabled": True}}


def read_records(folder: Path) -> list[Record]:
    """Return the executions kept in a folder; one that was live has failed with the server that ran it."""
    records = []
    for path in folder.glob("*.json"):
        record = read_json(path, _parse)
        if record is None:
            continue
        if record.state in LIVE:
            record.state, record.reason = (
                "FAILED",
                "INTERNAL_ERROR: the embedded server ended during the query",
            )
        records.append(record)
    return records


def _parse(content: Any) -> Record:
    record = Record(**content)
    if not all(isinstance(part, str) for part in (record.id, record.sql, record.state, record.token)):
        raise ValueError("its id, SQL, state and token are not all text")
    return record


def content_of(record: Record) -> bytes:
    """Return the content of the file that keeps an execution."""
    return json.dumps(asdict(record)).encode()
