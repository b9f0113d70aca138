"""Athena query executions: start one or find it again, see it through, cancel it, read its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import AccessError, BudgetError, RunFailedError, ServiceError
from etltctl.runs import QueryExecution, State
from etltctl.waiting import Waiter

PAGE_ROWS = 1000
BATCH = 50
TRIES = 3  # of a query that fails for a reason of Athena's own
SYSTEM_ERROR = 1  # AthenaError.ErrorCategory: 1 is the system's, 2 the user's, 3 another
USD_PER_BYTE = 5.0 / 1e12
MINIMUM_BILLED_BYTES = 10_000_000
EXACT_DIGITS = 15  # a double holds every decimal of so many digits exactly


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
    waiter: Waiter = field(default_factory=lambda: Waiter(first_look=0.05, longest=5.0))

    def run(
        self,
        sql: str,
        run_key: str,
        *,
        database: str = "default",
        parameters: Sequence[str] = (),
        max_scan: int | None = None,
        on_look: Callable[[QueryExecution], None] | None = None,
    ) -> QueryExecution:
        """Runs the query to its success; an interrupt cancels it.

        What failed for a reason of Athena's own is run again, three times at most. Raises RunFailedError with Athena's
        reason, BudgetError once more than `max_scan` bytes were scanned: the query is cancelled then.
        """
        for number in range(TRIES):
            key = f"{run_key}#{number}" if number else run_key
            started = self.start(sql, key, database=database, parameters=parameters)
            execution = self._seen_through(started, max_scan, on_look)
            if execution.state is State.SUCCEEDED:
                return execution
            if not execution.is_retryable:
                break
        reason = execution.reason or "no reason given"
        raise RunFailedError(
            f"query {execution.word}: {reason}",
            hint="etltctl athena tables lists what there is",
            query=execution.id,
        )

    def _seen_through(
        self,
        execution: QueryExecution,
        max_scan: int | None,
        on_look: Callable[[QueryExecution], None] | None,
    ) -> QueryExecution:
        def look(seen: QueryExecution) -> None:
            if on_look:
                on_look(seen)
            if max_scan is not None and seen.scanned_bytes > max_scan:
                raise BudgetError(
                    f"the query scanned {seen.scanned_bytes:,} bytes, more than the {max_scan:,} it may",
                    hint="narrow it with a partition column, or allow more with --max-scan",
                    query=seen.id,
                    spent=f"{cost_usd(seen.scanned_bytes):.6f} USD",
                )

        try:
            return self.waiter.wait(execution, partial(self.look_at, execution.id), on_look=look)
        except (KeyboardInterrupt, SystemExit, BudgetError):
            self.cancel(execution.id)
            raise

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
        if self.output_location and not self._decides_where_results_go:
            request["ResultConfiguration"] = {"OutputLocation": self.output_location}
        if parameters:
            request["ExecutionParameters"] = list(parameters)
        with translated("athena", workgroup=self.workgroup):
            answer = self.aws.client("athena").start_query_execution(**request)
        return QueryExecution(id=answer["QueryExecutionId"], name=self.workgroup, word="QUEUED")

    @cached_property
    def _decides_where_results_go(self) -> bool:
        """Whether the workgroup does: it enforces its own settings, or Athena keeps its results (and refuses a place).

        Who may not look at the workgroup sends the place that the settings name.
        """
        try:
            with translated("athena", workgroup=self.workgroup):
                answer = self.aws.client("athena").get_work_group(WorkGroup=self.workgroup)
        except (AccessError, ServiceError):
            return False
        described = answer["WorkGroup"].get("Configuration", {})
        is_managed = described.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
        own_place = described.get("ResultConfiguration", {}).get("OutputLocation")
        return bool(is_managed or (described.get("EnforceWorkGroupConfiguration") and own_place))

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


def typed(text: str | None, kind: str) -> Any:
    """Athena's text as the value it stands for; a decimal that a double cannot hold stays text."""
    if text is None:
        return None
    if kind in {"tinyint", "smallint", "integer", "int", "bigint"}:
        return int(text)
    if kind == "boolean":
        return text == "true"
    if kind in {"double", "float", "real"} or (
        kind.startswith("decimal") and len(text.strip("-.")) <= EXACT_DIGITS
    ):
        return float(text)
    return text


def _values(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(cell.get("VarCharValue") for cell in row["Data"])


def _query_execution(answer: Mapping[str, Any], workgroup: str) -> QueryExecution:
    status, statistics = answer["Status"], answer.get("Statistics", {})
    error = status.get("AthenaError", {})
    return QueryExecution(
        id=answer["QueryExecutionId"],
        name=answer.get("WorkGroup", workgroup),
        word=status["State"],
        reason=status.get("StateChangeReason") or error.get("ErrorMessage", ""),
        is_retryable=bool(error.get("Retryable")) or error.get("ErrorCategory") == SYSTEM_ERROR,
        scanned_bytes=statistics.get("DataScannedInBytes", 0),
        duration_ms=statistics.get("TotalExecutionTimeInMillis", 0),
        output_location=answer.get("ResultConfiguration", {}).get("OutputLocation", ""),
    )
