"""What the remote runs of a run have written, read once or followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etltctl.errors import ServiceError, UsageError
from etltctl.ledger import Event
from etltctl.logs import MOST_EMPTY_PAGES, ErrorLines, LogLine
from etltctl.pipeline.model import Step, remote_runs
from etltctl.pipeline.services import Services
from etltctl.runs import JobRun, RefreshJob, State, SyncJob
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

FOLLOW_EVERY_S = 2.0


@dataclass(frozen=True)
class LogRead:
    """What was read: of which remote run of which step, how many lines; the run's other Glue jobs.

    `unread` names the log groups that were not read to their end.
    """

    run_id: str
    step: Step
    remote_id: str
    lines: int
    is_errors_only: bool = False
    others: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def require_whole(self) -> None:
        """Raise ServiceError unless the log was read to its end: lines may be missing from what was shown."""
        if self.unread:
            raise ServiceError(
                f"the log of {self.step.name} ({self.remote_id}) was not read to its end: {', '.join(self.unread)} "
                f"gave {MOST_EMPTY_PAGES} pages in a row without a new line; {self.lines} lines were shown",
                hint=f"CloudWatch still searches; run it again: etltctl runs logs {self.run_id} {self.step.name}",
            )

    def told_if_empty(self) -> str:
        """That there was no line, and how to read on; empty if there was one."""
        errors = " --errors" if self.is_errors_only else ""
        others = [f"etltctl runs logs {self.run_id} {name}{errors}" for name in self.others]
        nothing = (
            f"{self.step.name} ({self.remote_id}) wrote {'no error' if self.is_errors_only else 'nothing'}"
        )
        return "" if self.lines else "\n  next: ".join([nothing, *others])


def read_logs(
    events: Sequence[Event],
    settings: Settings,
    emit: Callable[[LogLine], None],
    *,
    step: str = "",
    is_errors_only: bool = False,
    follow: bool = False,
) -> LogRead:
    """Emits the log of the run's newest Glue job run, or of the one that `step` names, oldest line first.

    `is_errors_only` leaves the errors of both logs, each with its trace. `follow` goes on until the job run has ended.
    Of a sync or a refresh it is what Airbyte's and Tableau's APIs give: the job's state, rows and times, no log. Raises
    UsageError if the run has no such remote run.
    """
    remote = remote_runs(events)
    found = [(known, remote_id) for known, remote_id in remote if step in ("", str(known), known.name)]
    jobs = [(known, remote_id) for known, remote_id in found if known.kind == "glue"]
    if not found:
        names = ", ".join(str(known) for known, _ in remote) or "none"
        run = f"run {events[0]['run_id']} ({events[0].get('pipeline', 'of a lost pipeline')})"
        what = f"remote run of {step}" if step else "remote run"
        raise UsageError(f"{run} has no {what} to read", hint=f"remote runs of this run: {names}")
    known, remote_id = (jobs or found)[-1]
    services = Services(settings)
    told = 0
    errors = ErrorLines()

    def tell(lines: Iterable[LogLine]) -> None:
        nonlocal told
        for line in lines:
            if not is_errors_only or line.is_failure or errors.has(line):
                emit(line)
                told += 1

    if known.kind == "glue":
        _read(services, known, remote_id, tell, follow=follow)
    elif known.kind == "sync":
        tell(lines_of_sync(services.airbyte.look_at(remote_id, known.name)))
    else:
        tell(_of_refresh(services.tableau.look_at(remote_id, known.name)))
    others = tuple(other.name for other, _ in remote if other.kind == "glue" and other != known)
    unread = tuple(sorted(services.logs.unread))
    return LogRead(str(events[0]["run_id"]), known, remote_id, told, is_errors_only, others, unread)


def _of_refresh(job: RefreshJob) -> list[LogLine]:
    text = f"state {job.word} {job.reason}".rstrip()
    return [LogLine(datetime.now(UTC), "output", f"job {job.id}", text, job.state is State.FAILED)]


def lines_of_sync(job: SyncJob) -> list[LogLine]:
    """Return what Airbyte reports of a sync, one line a fact; Airbyte's API has no log."""
    at = job.created or datetime.now(UTC)
    told = {
        "state": job.word,
        "rows": job.rows,
        "bytes": job.bytes,
        "seconds": job.duration_s,
        "reason": job.reason,
    }
    has_failed = job.state is State.FAILED
    return [
        LogLine(at, "output", f"job {job.id}", f"{name} {value}", has_failed and name in ("state", "reason"))
        for name, value in told.items()
        if value not in (None, "")
    ]


def _read(
    services: Services,
    step: Step,
    remote_id: str,
    tell: Callable[[Iterable[LogLine]], None],
    *,
    follow: bool,
) -> None:
    def follow_on(run: JobRun) -> None:
        if run.state is not State.RUNNING:
            tell(services.logs.new_lines(run))
            return
        with suppress(ServiceError):  # the next look reads what this one could not
            tell(services.logs.new_lines(run))

    run = services.glue.look_at(step.name, remote_id)
    tell(services.logs.new_lines(run))
    if follow and run.state is State.RUNNING:
        waiter = Waiter(
            timeout=services.settings.glue.jobs[step.name].timeout_minutes * 60, longest=FOLLOW_EVERY_S
        )
        waiter.wait(run, lambda: services.glue.look_at(step.name, remote_id), on_look=follow_on)
