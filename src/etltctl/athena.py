"""Athena query executions: start one or find it again, look at it, cancel it, read its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.runs import QueryExecution

PAGE_ROWS = 1000
BATCH = 50
USD_PER_BYTE = 5.0 / 1e12
MINIMUM_BILLED_BYTES = 10_000_000


@dataclass(frozen=True)
class Column:
    """A column of a query's result: its name and Athena's type for it."""

    name: str
    type: str


@dataclass(frozen=True)
class Athena:
    """Athena in one account and region, through one workgroup."""

    aws: Aws
    workgroup: str
    output_location: str = ""

    def start(
        self, sql: str, run_key: str, *, database: str = "default", parameters: Sequence[str] = ()
    ) -> QueryExecution:
        """Starts the query, or finds it again: Athena returns the same execution for the same run key."""
        token = hashlib.sha256(f"{run_key}\0{self.workgroup}\0{sql}".encode()).hexdigest()
        request: dict[str, Any] = {
            "QueryString": sql,
            "ClientRequestToken": token,
            "WorkGroup": self.workgroup,
            "QueryExecutionContext": {"Database": database},
        }
        if self.output_location:
            request["ResultConfiguration"] = {"OutputLocation": self.output_location}
        if parameters:
            request["ExecutionParameters"] = list(parameters)
        with translated("athena", workgroup=self.workgroup):
            answer = self.aws.client("athena").start_query_execution(**request)
        return QueryExecution(id=answer["QueryExecutionId"], name=self.workgroup, word="QUEUED")

    def look_at(self, query_id: str) -> QueryExecution:
        """The execution as Athena sees it now."""
        with translated("athena", query=query_id):
            answer = self.aws.client("athena").get_query_execution(QueryExecutionId=query_id)
        return _query_execution(answer["QueryExecution"], self.workgroup)

    def look_at_many(self, query_ids: Sequence[str]) -> dict[str, QueryExecution]:
        """Executions as Athena sees them now, by id, fifty a call; one that Athena does not know is left out."""
        found: dict[str, QueryExecution] = {}
        for first in range(0, len(query_ids), BATCH):
            page = list(query_ids[first : first + BATCH])
            with translated("athena"):
                answer = self.aws.client("athena").batch_get_query_execution(QueryExecutionIds=page)
            executions = (_query_execution(told, self.workgroup) for told in answer["QueryExecutions"])
            found |= {execution.id: execution for execution in executions}
        return found

    def cancel(self, query_id: str) -> None:
        """Asks Athena to cancel the execution."""
        with translated("athena", query=query_id):
            self.aws.client("athena").stop_query_execution(QueryExecutionId=query_id)

    def columns(self, query_id: str) -> list[Column]:
        """The columns of the result, in order."""
        with translated("athena", query=query_id):
            answer = self.aws.client("athena").get_query_results(QueryExecutionId=query_id, MaxResults=1)
        return [
            Column(info["Name"], info["Type"])
            for info in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        ]

    def rows(self, query_id: str, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...]]:
        """The rows of the result as Athena's text, None for null, read page by page."""
        header = tuple(column.name for column in columns)
        with translated("athena", query=query_id):
            paginator = self.aws.client("athena").get_paginator("get_query_results")
            pages = paginator.paginate(QueryExecutionId=query_id, PaginationConfig={"PageSize": PAGE_ROWS})
            for number, page in enumerate(pages):
                rows = [_values(row) for row in page["ResultSet"]["Rows"]]
                yield from rows[1:] if number == 0 and rows[:1] == [header] else rows


def cost_usd(scanned_bytes: int) -> float:
    """US dollars of a query at 5 $/TB with the 10 MB minimum; nothing scanned costs nothing."""
    return max(scanned_bytes, MINIMUM_BILLED_BYTES) * USD_PER_BYTE if scanned_bytes else 0.0


def _values(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(cell.get("VarCharValue") for cell in row["Data"])


def _query_execution(answer: Mapping[str, Any], workgroup: str) -> QueryExecution:
    status, statistics = answer["Status"], answer.get("Statistics", {})
    return QueryExecution(
        id=answer["QueryExecutionId"],
        name=answer.get("WorkGroup", workgroup),
        word=status["State"],
        reason=status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage", ""),
        scanned_bytes=statistics.get("DataScannedInBytes", 0),
        duration_ms=statistics.get("TotalExecutionTimeInMillis", 0),
        output_location=answer.get("ResultConfiguration", {}).get("OutputLocation", ""),
    )
