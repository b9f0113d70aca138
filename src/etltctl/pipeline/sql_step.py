"""The step kind `sql`: lets Athena write the rows of a query as a table's next version, and publishes that version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.errors import AccessError, BudgetError, EtltctlError, NextStep, command
from etltctl.ledger import Event
from etltctl.logs import LogLine
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.budget import ScanBudget, bill_scan, run_overrun, scan_budget, spent_by_query
from etltctl.pipeline.failures import require_success, stopped_by
from etltctl.pipeline.model import StepHandle, StepResult
from etltctl.pipeline.publication import publish_once, published_line
from etltctl.pipeline.services import Services
from etltctl.pipeline.settings_faults import rules_without_column
from etltctl.pipeline.sql_query import SqlQuery
from etltctl.pipeline.step_kind import EmitLines, StepKind, StepLine
from etltctl.pipeline.step_run import StartedRun, StepRun, unanswered_start
from etltctl.pipeline.step_wait import await_stop, wait_for_end
from etltctl.runs import QueryExecution, Run, State, Verb
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

LONGEST_POLL_S = 5.0


@dataclass(frozen=True)
class QueryRun:
    """The query execution of a step `sql:NAME`."""

    services: Services
    name: str
    id: str

    def poll(self) -> QueryExecution:
        """Return the execution as Athena sees it now."""
        # Athena names an execution after its workgroup, which all queries share.
        return replace(self.services.athena.poll(self.id), name=self.name)

    def waiter(self) -> Waiter:
        """Return how to wait for the execution."""
        minutes = self.services.settings.sql[self.name].timeout_minutes
        return Waiter(timeout=minutes * 60, longest=LONGEST_POLL_S)

    def stop(self) -> None:
        """Ask Athena to cancel the execution."""
        self.services.athena.cancel(self.id)

    def successor(self, ended: Run) -> None:
        """Return None: Athena does not repeat a query by itself."""


class SqlStep(StepKind):
    """The step kind `sql:NAME`."""

    name: ClassVar[str] = "sql"
    service: ClassVar[str] = QueryExecution.service
    thing: ClassVar[str] = "query"
    is_checked_at_once: ClassVar[bool] = True

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the names of the queries."""
        return settings.sql

    def problems(self, name: str, settings: Settings) -> Iterator[str]:
        """Yield faults of the query's file and problems of the rules for its table."""
        from etltctl.settings.sql_files import query_problems

        if name not in settings.sql:
            return  # the start refuses it by name
        yield from query_problems(settings, name)
        for table in self.tables(name, settings):
            yield from rules_without_column(settings, table)

    def tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the table that the query writes."""
        return [settings.sql[name].writes]

    def published_tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the table that the query writes: each run publishes a version of it."""
        return self.tables(name, settings)

    def inputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the query reads."""
        return settings.sql[name].reads

    def queried_tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the query reads: all, in the caller's name."""
        return self.inputs(name, settings)

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield what it takes to run the query, and to check and publish the table that it writes."""
        sql = required.settings.sql[name]
        yield from required.unloading(sql.reads, sql.writes)
        yield from required.publishing([sql.writes])

    def budget(self, step_run: StepRun) -> ScanBudget:
        """Return what the query may still read."""
        return scan_budget(step_run, *_scan_limit(step_run))

    def spent_usd(self, run: Run, settings: Settings) -> float:
        """Return the price of the bytes that the query has read so far, in US dollars."""
        return spent_by_query(run, settings.prices.athena_tb_usd)

    def start(self, step_run: StepRun) -> StartedRun:
        """Start the query once, or find the execution of it that belongs to this run."""
        _bill_ended(step_run)  # before the budget is checked: it counts what earlier tries cost
        earlier = self._earlier(step_run)
        if earlier is not None:
            return earlier
        if planned := self.planned_cost(step_run):
            planned.require_enough()
        verb, execution = SqlQuery(step_run).start()
        return StartedRun(verb, replace(execution, name=step_run.step.name))

    def find_lost_start(self, step_run: StepRun, intended: Event, *, within: float) -> QueryExecution | None:
        """Return the execution of a start whose answer is not on record.

        Athena answers the same start with the same execution, so that the start is sent again. One that never went
        out begins now, under an id that is known, and the caller adopts it. No listing is as certain.
        """
        execution = SqlQuery(step_run).send_again(intended)
        return replace(execution, name=step_run.step.name) if execution else None

    def look_for_lost_start(
        self, step_run: StepRun, intended: Event, *, within: float
    ) -> QueryExecution | None:
        """Return the execution of a start whose answer is not on record, from the workgroup's listing.

        To send the start again would begin, and bill, a query that never went out.
        """
        # A caller that may not list leaves the start open, which a retry resolves.
        with suppress(AccessError):
            if execution := SqlQuery(step_run).look_for(intended):
                return replace(execution, name=step_run.step.name)
        return None

    def remote_run(self, services: Services, name: str, remote_id: str) -> QueryRun:
        """Return the execution of that id."""
        return QueryRun(services, name, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: QueryExecution) -> StepResult:
        """Wait for the query and publish the version that it wrote."""
        name, query = step_run.step.name, SqlQuery(step_run)
        remote_run, budget = QueryRun(step_run.services, name, run.id), self.budget(step_run)
        try:
            ended = wait_for_end(step_run, run, remote_run, is_ours=True, budget=budget)
        except BudgetError:
            await_stop(run, remote_run)  # its bill is complete only then
            _bill_ended(step_run)
            raise
        _bill_ended(step_run)
        require_success(
            replace(ended, reason=query.in_file(ended.reason)),
            hint=NextStep(
                # Where the cause of the failure is known, its fix takes the place of all but the first clause.
                f"published tables stay as they were, and the query is in {query.file}; correct it, then: ",
                command("retry", step_run.ledger.run_id),
            ),
            file=str(query.path),
            stopped=stopped_by(step_run, ended),
        )
        if step_run.last("publish.switched") is None:
            _require_within_limit(step_run, ended)
            query.name_files()
        facts = publish_once(step_run, query.outputs)
        usd = round(step_run.ledger.usd(str(step_run.step)), 6)
        facts |= {"file": query.file, "sql_digest": query.digest_on_record}
        facts |= {"scanned_bytes": ended.scanned_bytes} | ({"usd": usd} if usd else {})
        return StepResult(str(step_run.step), handle.verb, ended.id, facts=facts)

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        """Emit the state of the execution and what it read; Athena keeps no log of a query."""
        execution = QueryRun(services, name, remote_id).poll()
        text = (
            f"state {execution.status}, {execution.scanned_bytes:,} bytes read. {execution.reason}".rstrip()
        )
        has_failed = execution.state is State.FAILED
        emit([LogLine(datetime.now(UTC), "output", f"query {remote_id}", text, has_failed)])

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the published table."""
        return published_line(name, event)

    def _earlier(self, step_run: StepRun) -> StartedRun | None:
        """Return the execution that an earlier try of this run started, if it still counts; None to start one."""
        execution = _execution_on_record(step_run)
        if execution is None or execution.state is State.FAILED:
            return None
        execution = replace(execution, name=step_run.step.name)
        if execution.state is State.RUNNING:
            return StartedRun(Verb.ADOPTED, execution)
        query = SqlQuery(step_run)
        # A version that failed its checks is the result of the text as it was. Corrected, the text runs again.
        if step_run.last("publish.switched") is None and query.has_changed:
            step_run.warn(f"{query.file} has changed since query {execution.id} ran: it runs again")
            return None
        return StartedRun(Verb.REUSED, execution)


def _execution_on_record(step_run: StepRun) -> QueryExecution | None:
    """Return the execution of the step's newest start; None without one, and for one that Athena refused."""
    newest = step_run.last("remote.intended", "remote.started", "remote.adopted", "remote.reused")
    if newest is None:
        return None
    if newest["type"] != "remote.intended":
        return step_run.services.athena.poll(newest["remote_id"])
    intended = unanswered_start(step_run)
    return SqlQuery(step_run).send_again(intended) if intended else None


def _scan_limit(step_run: StepRun) -> tuple[str, int]:
    """Return the setting that says how many bytes the query may read, and that number."""
    settings, name = step_run.settings, step_run.step.name
    own = settings.sql[name].max_scan_bytes
    return (
        ("athena.max_scan", settings.athena.max_scan_bytes) if own is None else (f"sql.{name}.max_scan", own)
    )


def _require_within_limit(step_run: StepRun, ended: QueryExecution) -> None:
    """Refuse the version of a query that read more than it may and ended before a poll saw that.

    Otherwise it would be an accident of the polls whether the limit holds.
    """
    setting, most = _scan_limit(step_run)
    overrun = run_overrun(step_run)  # the query is billed by now, so its own cost counts
    if ended.scanned_bytes > most:
        overrun = f"it read {ended.scanned_bytes:,} bytes, and {setting} allows {most:,}"
    elif overrun:
        setting = "--max-usd"
    if overrun:
        raise BudgetError(
            f"Athena run {ended.id} of {ended.name} is not published: {overrun}",
            hint=NextStep(
                f"the version that was current stays; raise {setting}, or make the query read less; then: ",
                command("retry", step_run.ledger.run_id),
            ),
        )


def _bill_ended(step_run: StepRun) -> None:
    """Record what every ended execution of the step cost, once. Athena bills a query that was cancelled as well."""
    for remote_id in step_run.ledger.without_cost(str(step_run.step)):
        with suppress(EtltctlError):  # what Athena does not answer now is billed by the next try
            execution = step_run.services.athena.poll(remote_id)
            if execution.state is not State.RUNNING:
                bill_scan(step_run, execution)
