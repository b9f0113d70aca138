"""Athena query executions: start one or adopt it, wait for its end, cancel it, read its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

from etltctl.answers import answered_at
from etltctl.athena.columns import Column, cells_of
from etltctl.athena.executions import HINTS, cost_usd, grammar_complaint, query_execution_of
from etltctl.aws import Aws, translated
from etltctl.errors import (
    AccessError,
    BudgetError,
    NextStep,
    Parameter,
    RunFailedError,
    ServiceError,
)
from etltctl.runs import QueryExecution, State, Verb
from etltctl.waiting import Waiter

PAGE_ROWS = 1000
TRIES = 3  # of a query that fails because of a fault in Athena
LEFT_BEHIND = 20  # failed executions that earlier tries of the same run may have left
ANSWERED_WITHIN = timedelta(seconds=2)  # the Date header of Athena's answer has whole seconds
MOST_LISTED = 50  # executions of a listing, each of which costs a request


@dataclass(frozen=True)
class Athena:
    """Athena in one account and region, through one workgroup.

    Attributes:
        output_location: Where the results go, unless the workgroup decides that.
        on_run: Called with every execution that has ended, and with what its start did.
        on_start: Called with the id of every execution as soon as Athena returns it.
        tb_usd: US dollars for each TB that is scanned.
        waiter: Polls an execution to its end.
    """

    aws: Aws
    workgroup: str
    output_location: str = ""
    on_run: Callable[[Verb, QueryExecution], None] | None = None
    on_start: Callable[[str], None] | None = None
    tb_usd: float = 5.0
    waiter: Waiter = field(default_factory=lambda: Waiter(first_pause=0.05, longest=5.0))

    def run(
        self,
        sql: str,
        run_key: str,
        *,
        database: str = "default",
        parameters: Sequence[str] = (),
        max_scan: int | None = None,
        on_poll: Callable[[QueryExecution], None] | None = None,
    ) -> QueryExecution:
        """Run the query to its success; an interrupt cancels it.

        A query that failed because of a fault in Athena is run again, three times at most.

        Args:
            sql: The query.
            run_key: The query is started once for this key.
            database: The database of names without one.
            parameters: SQL literals for the query's `?`, in order.
            max_scan: The bytes that it may scan; None for any number.
            on_poll: Called with each poll's answer.

        Raises:
            RunFailedError: Athena refused the query's text, or the query failed, for the reason that Athena gives.
            BudgetError: It scanned more than `max_scan` bytes, and was cancelled.
        """
        tries = 0
        # Athena returns a failed execution for its token for ever, so that every try needs another key.
        for number in range(LEFT_BEHIND + TRIES):
            key = f"{run_key}#{number}" if number else run_key
            verb, started = self.start_or_adopt(sql, key, database=database, parameters=parameters)
            if verb is not Verb.STARTED and started.state is State.FAILED:
                continue  # an earlier try left it: the next key is tried
            execution, tries = self._wait(verb, started, max_scan, on_poll), tries + 1
            if execution.state is State.SUCCEEDED:
                return execution
            if not execution.is_retryable or tries == TRIES:
                break
        reason = execution.reason or "no reason given"
        raise RunFailedError(
            f"query {execution.status}: {reason}",
            hint=HINTS.get(reason.partition(":")[0], ""),
            query=execution.id,
        )

    def start_or_adopt(
        self, sql: str, run_key: str, *, database: str = "default", parameters: Sequence[str] = ()
    ) -> tuple[Verb, QueryExecution]:
        """Return the execution of the run key: started now, adopted while it runs, or reused at its end.

        Athena returns the same execution for the same token, and does not say whether it is new. The time at which it
        was submitted shows that, compared with the time of the answer: both are of Athena's clock.

        Args:
            sql: The query.
            run_key: The query is started once for this key.
            database: The database of names without one.
            parameters: SQL literals for the query's `?`, in order.
        """
        answered, query_id = self._start(sql, run_key, database, parameters)
        execution = self.poll(query_id)
        # By this machine's clock, one that is wrong would make every query seem reused.
        if execution.submitted is None or execution.submitted > answered - ANSWERED_WITHIN:
            return Verb.STARTED, execution
        return (Verb.ADOPTED if execution.state is State.RUNNING else Verb.REUSED), execution

    def _wait(
        self,
        verb: Verb,
        execution: QueryExecution,
        max_scan: int | None,
        on_poll: Callable[[QueryExecution], None] | None,
    ) -> QueryExecution:
        def checked(seen: QueryExecution) -> None:
            if on_poll:
                on_poll(seen)
            if max_scan is not None and seen.scanned_bytes > max_scan:
                raise BudgetError(
                    f"the query scanned {seen.scanned_bytes:,} bytes, more than the {max_scan:,} it may",
                    hint=NextStep(
                        "narrow it with a partition column, or allow more: ", Parameter("max_scan")
                    ),
                    query=seen.id,
                    spent=f"{cost_usd(seen.scanned_bytes, self.tb_usd):.6f} USD",
                )

        try:
            checked(execution)  # it may have ended already
            ended = self.waiter.wait(execution, partial(self.poll, execution.id), on_poll=checked)
        # Without a caller that waits, the query would go on scanning, which Athena bills.
        except (KeyboardInterrupt, SystemExit, BudgetError):
            self.cancel(execution.id)
            raise
        if self.on_run:
            self.on_run(verb, ended)
        return ended

    def start(
        self, sql: str, run_key: str, *, database: str = "default", parameters: Sequence[str] = ()
    ) -> QueryExecution:
        """Start the query, or find it again: Athena returns the same execution for the same run key.

        The arguments are those of `start_or_adopt`. Unlike that, this does not read the execution's status.
        """
        _, query_id = self._start(sql, run_key, database, parameters)
        return QueryExecution(id=query_id, name=self.workgroup, status="QUEUED")

    def _start(
        self, sql: str, run_key: str, database: str, parameters: Sequence[str]
    ) -> tuple[datetime, str]:
        """Start the query; return the time of Athena's answer by its clock, and the execution's id.

        Raises:
            RunFailedError: Athena's grammar does not have the query, so that Athena makes no execution of it.
        """
        # Athena refuses a known token with other arguments. A changed query is another one, so they belong to the
        # token.
        parts = (run_key, self.workgroup, sql, *parameters)
        token = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        request: dict[str, Any] = {
            "QueryString": sql,
            "ClientRequestToken": token,
            "WorkGroup": self.workgroup,
            "QueryExecutionContext": {"Database": database},
        }
        if self.output_location and not self._workgroup_decides_where_results_go:
            request["ResultConfiguration"] = {"OutputLocation": self.output_location}
        if parameters:
            request["ExecutionParameters"] = list(parameters)
        try:
            with translated("athena", workgroup=self.workgroup):
                answer = self.aws.client("athena").start_query_execution(**request)
        except ServiceError as error:
            if reason := grammar_complaint(error):
                raise RunFailedError(f"query REFUSED: {reason}", hint=HINTS["SYNTAX_ERROR"]) from error
            raise
        query_id = str(answer["QueryExecutionId"])
        if self.on_start:
            self.on_start(query_id)
        return answered_at(answer), query_id

    @cached_property
    def _workgroup_decides_where_results_go(self) -> bool:
        """Return whether the workgroup enforces its settings, or has Athena manage the results.

        With managed results Athena refuses a place. A caller that may not read the workgroup sends the place that the
        settings name.
        """
        try:
            with translated("athena", workgroup=self.workgroup):
                answer = self.aws.client("athena").get_work_group(WorkGroup=self.workgroup)
        except (AccessError, ServiceError):
            return False
        described = answer.get("WorkGroup", {}).get("Configuration", {})
        is_managed = described.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
        place = described.get("ResultConfiguration", {}).get("OutputLocation")
        return bool(is_managed or (described.get("EnforceWorkGroupConfiguration") and place))

    def poll(self, query_id: str) -> QueryExecution:
        """Return the execution as Athena describes it now."""
        return query_execution_of(self._described(query_id), self.workgroup)

    def _described(self, query_id: str) -> Mapping[str, Any]:
        with translated("athena", query=query_id):
            answer = self.aws.client("athena").get_query_execution(QueryExecutionId=query_id)
        described: Mapping[str, Any] = answer["QueryExecution"]
        return described

    def newest_of(self, statement: str) -> QueryExecution | None:
        """Return the newest execution of a statement among the last ones of the workgroup; None if there is none.

        Args:
            statement: The statement, as it was started.
        """
        with translated("athena", workgroup=self.workgroup):
            page = self.aws.client("athena").list_query_executions(
                WorkGroup=self.workgroup, MaxResults=MOST_LISTED
            )
        for query_id in page.get("QueryExecutionIds", ()):
            answer = self._described(query_id)
            # Athena may trim the ends of a statement.
            if answer.get("Query", "").strip() == statement.strip():
                return query_execution_of(answer, self.workgroup)
        return None

    def cancel(self, query_id: str) -> None:
        """Ask Athena to cancel the execution."""
        with translated("athena", query=query_id):
            self.aws.client("athena").stop_query_execution(QueryExecutionId=query_id)

    def columns(self, query_id: str) -> list[Column]:
        """Return the columns of the result, in order."""
        with translated("athena", query=query_id):
            answer = self.aws.client("athena").get_query_results(QueryExecutionId=query_id, MaxResults=1)
        return [
            Column(info["Name"], info["Type"], info.get("Precision", 0), info.get("Scale", 0))
            for info in answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        ]

    def affected_rows(self, query_id: str) -> int:
        """Return how many rows a statement wrote or changed. It is 0 for a query.

        Args:
            query_id: The execution.
        """
        with translated("athena", query=query_id):
            answer = self.aws.client("athena").get_query_results(QueryExecutionId=query_id, MaxResults=1)
        return int(answer.get("UpdateCount") or 0)

    def rows(self, query_id: str, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...]]:
        """Yield the rows of the result as Athena's text, None for null, read page by page.

        Args:
            query_id: The execution.
            columns: The columns of its result. Athena repeats their names in the first row of a query's result.
        """
        header = tuple(column.name for column in columns)
        with translated("athena", query=query_id):
            paginator = self.aws.client("athena").get_paginator("get_query_results")
            pages = paginator.paginate(QueryExecutionId=query_id, PaginationConfig={"PageSize": PAGE_ROWS})
            for number, page in enumerate(pages):
                rows = [cells_of(row, len(columns)) for row in page["ResultSet"]["Rows"]]
                # Only a SELECT has such a row. The comparison also keeps the first line of DESCRIBE and SHOW.
                yield from rows[1:] if number == 0 and rows[:1] == [header] else rows
