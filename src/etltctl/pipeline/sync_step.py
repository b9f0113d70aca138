"""The step kind `sync`: an Airbyte sync of a source into bronze, and the proof that the reported rows landed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.connections import connection_id
from etltctl.errors import RETRY, Command, NextStep, command
from etltctl.ledger import Event
from etltctl.logs import LogLine
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.conflicts import require_no_reader
from etltctl.pipeline.failures import require_success, stopped_by
from etltctl.pipeline.landing import prove_landing, rows_proven_before
from etltctl.pipeline.model import StepHandle, StepResult
from etltctl.pipeline.services import Services
from etltctl.pipeline.settings_faults import rules_without_column
from etltctl.pipeline.step_kind import EmitLines, StepKind, StepLine, rows_text
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.pipeline.step_wait import wait_for_end
from etltctl.runs import STATE_UNUSABLE, Run, State, SyncJob
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class SyncRun:
    """The Airbyte job of a step `sync:SOURCE`."""

    services: Services
    source: str
    id: str

    @cached_property
    def connection(self) -> str:
        """The id of the source's Airbyte connection."""
        return connection_of(self.source, self.services)

    def poll(self) -> SyncJob:
        """Return the job as Airbyte sees it now."""
        return self.services.airbyte.poll(self.id, self.source)

    def waiter(self) -> Waiter:
        """Return how to wait for the job; it learns from earlier syncs of the connection."""
        expected = self.services.airbyte.durations(self.connection, self.source)
        return Waiter(timeout=self.services.settings.airbyte.timeout_minutes * 60, expected=tuple(expected))

    def stop(self) -> None:
        """Cancel the job if it still runs."""
        self.services.airbyte.cancel(SyncJob(self.id, self.source, ""))

    def successor(self, ended: Run) -> None:
        """Return None: Airbyte repeats its attempts within the same job."""


class SyncStep(StepKind):
    """The step kind `sync:SOURCE`."""

    name: ClassVar[str] = "sync"
    service: ClassVar[str] = SyncJob.service
    thing: ClassVar[str] = "source"
    leaves_time: ClassVar[bool] = True
    reads_a_source: ClassVar[bool] = True

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the names of the sources."""
        return settings.sources

    def adding(self, name: str) -> Command:
        """Return the command that adds a source."""
        return command("source", "add", name)

    def problems(self, name: str, settings: Settings) -> Iterator[str]:
        """Yield problems of the secrets and of the rules for the tables that the sync writes."""
        from etltctl.settings.connector_problems import source_problems

        if name not in settings.sources:
            return  # the start refuses it by name
        yield from source_problems(settings, name)
        for table in self.tables(name, settings):
            yield from rules_without_column(settings, table)

    def inputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the source."""
        return (f"{self.thing} {name}",)

    def tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the bronze tables of the source's streams."""
        return [f"bronze.{table}" for table in settings.stream_locations(name)]

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield what it takes to count the rows that landed; Airbyte writes them with its own credentials."""
        yield from required.reading(required.settings.stream_locations(name).values())

    def start(self, step_run: StepRun) -> StartedRun:
        """Start the source's sync once, or find the one that belongs to this run."""
        source, airbyte = step_run.step.name, step_run.services.airbyte
        before = step_run.last("remote.started", "remote.adopted", "remote.intended")
        is_started = before is not None and "remote_id" in before

        def before_start(newest: int) -> None:
            # Checked in the moment before the start: a job may have started while the sync was looked up.
            require_no_reader(step_run)
            # A sync job carries no run key: a lost start is found as a job newer than this one.
            step_run.append("remote.intended", newest_before=newest)

        verb, job, is_ours = airbyte.start_or_adopt(
            connection_of(source, step_run.services),
            source,
            known_job=before["remote_id"] if before and is_started else "",
            newest_before=before["newest_before"] if before and not is_started else None,
            before_start=before_start,
        )
        # The job was adopted by an earlier try: whether that try had started it is on record only.
        if before and job.id == before.get("remote_id"):
            is_ours = before.get("ours", True)
        return StartedRun(verb, job, is_ours)

    def find_lost_start(self, step_run: StepRun, intended: Event, *, within: float) -> SyncJob | None:
        """Return the sync that is newer than the newest one before the start."""
        source, services = step_run.step.name, step_run.services
        connection = connection_of(source, services)
        return services.airbyte.find_newer(connection, source, intended["newest_before"], within=within)

    def remote_run(self, services: Services, name: str, remote_id: str) -> SyncRun:
        """Return the Airbyte job of that id."""
        return SyncRun(services, name, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: SyncJob) -> StepResult:
        """Wait for the sync and prove that the reported rows landed."""
        remote_run = SyncRun(step_run.services, step_run.step.name, run.id)
        job = wait_for_end(step_run, run, remote_run, is_ours=handle.is_ours)
        require_success(
            job,
            hint=_way_on(job),
            stopped=stopped_by(step_run, job),
        )
        landed = rows_proven_before(step_run, job)
        if landed is None:
            landed = prove_landing(step_run, job, remote_run.connection)
        _check_contracts(step_run)
        facts: dict[str, Any] = {"layer": "bronze", "rows": landed, "reported_rows": job.rows}
        if step_run.settings.sources[step_run.step.name].is_incremental:
            facts["incremental"] = True
        return StepResult(str(step_run.step), handle.verb, job.id, facts=facts)

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        """Emit what Airbyte reports of the sync; its API has no log."""
        emit(lines_of_sync(services.airbyte.poll(remote_id, name)))

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the proof of the rows."""
        return StepLine(self.name, landed_text(event), _proof(event))


def connection_of(source: str, services: Services) -> str:
    """Return the id of the source's Airbyte connection."""
    return connection_id(source, services.settings, services.aws)


def landed_text(facts: Mapping[str, Any]) -> str:
    """Return the rows that a sync brought as the console prints them: those of an incremental one are `new rows`.

    A sync that succeeds and brings nothing must not look like one that brought everything.
    """
    rows = rows_text(facts.get("rows"))
    return rows.replace(" rows", " new rows") if facts.get("incremental") else rows


def lines_of_sync(job: SyncJob) -> list[LogLine]:
    """Return what Airbyte reports of a sync, one line a fact."""
    at = job.created or datetime.now(UTC)
    facts = {
        "state": job.status,
        "rows": job.rows,
        "bytes": job.bytes,
        "seconds": job.duration_s,
        "note": job.note,
        "reason": job.reason,
    }
    has_failed = job.state is State.FAILED
    return [
        LogLine(at, "output", f"job {job.id}", f"{name} {value}", has_failed and name in ("state", "reason"))
        for name, value in facts.items()
        if value not in (None, "")
    ]


def _proof(event: Mapping[str, Any]) -> str:
    """Return what the sync's line says of the rows that Airbyte reports."""
    rows, reported = event["rows"], event.get("reported_rows")
    if isinstance(reported, int) and rows > reported:
        return f"more than the {reported:,} of Airbyte"
    return f"proven {rows:,} of {reported:,}" if isinstance(reported, int) else f"proven {rows:,} of ?"


def _way_on(job: SyncJob) -> NextStep:
    """Return what to do after a failed sync; only a clear helps where the state of a stream cannot be used."""
    if job.failure_code == STATE_UNUSABLE:
        clear = command("sync", job.name, "--full")
        return NextStep("bronze keeps the last good sync; read everything again: ", clear)
    return NextStep("bronze keeps the last good sync; fix the cause, then: ", RETRY)


def _check_contracts(step_run: StepRun) -> None:
    """Hold what landed to the contracts of the streams before a job is paid to read it; warn of tolerated changes."""
    for table in step_run.settings.stream_locations(step_run.step.name):
        for change in step_run.services.lake.contract_checks.admit(f"bronze.{table}"):
            step_run.warn(f"bronze.{table}: {change}", table=f"bronze.{table}")
