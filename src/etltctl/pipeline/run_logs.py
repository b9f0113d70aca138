"""The logs of a run: what its remote runs have written, read once or followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etltctl.errors import Command, EtltctlError, NextStep, ServiceError, UsageError, command
from etltctl.ledger import Event
from etltctl.logs import MOST_EMPTY_PAGES, ErrorLines, LogLine
from etltctl.pipeline.kinds import kind_of, remote_run_of
from etltctl.pipeline.model import Step
from etltctl.pipeline.recorded_result import remote_runs
from etltctl.pipeline.services import Services
from etltctl.runs import State

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class LogRead:
    """What was read: of which remote run of which step, and how many lines.

    If there was no line, `others` are the run's other steps whose log may have one, and `silent` those whose log has
    none either. `unread` names the log groups that were not read to their end. `is_running` says whether the remote run
    may still write.
    """

    run_id: str
    step: Step
    remote_id: str
    lines: int
    is_errors_only: bool = False
    others: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    is_running: bool = False

    def require_whole(self) -> None:
        """Raise ServiceError unless the log was read to its end: lines may be missing from what was shown."""
        if self.unread:
            raise ServiceError(
                f"the log of {self.step.name} ({self.remote_id}) was not read to its end: {', '.join(self.unread)} "
                f"gave {MOST_EMPTY_PAGES} pages in a row without a new line; {self.lines} lines were shown",
                hint=NextStep(
                    "CloudWatch still searches; run it again: ",
                    command("runs", "logs", self.run_id, self.step.name),
                ),
            )

    def note_if_empty(self) -> NextStep:
        """Return that there was no line, and how to read on; empty if there was one."""
        if self.lines:
            return NextStep()
        errors = ("--errors",) if self.is_errors_only else ()
        others = [command("runs", "logs", self.run_id, name, *errors) for name in self.others]
        what = "no error" if self.is_errors_only else "nothing"
        name = f"{self.step.name} ({self.remote_id})"
        if self.is_running:
            follow = command("runs", "logs", self.run_id, self.step.name, "-f", *errors)
            return NextStep(f"{name} has written {what} yet; it is still running\n  next: ", follow)
        nothing = f"{name} wrote {what}"
        if self.silent and not others:
            names = " and ".join(self.silent)
            nothing += f", and neither did {names}: there is no other log of this run to read"
        after: list[str | Command] = [nothing]
        for other in others:
            after += ["\n  next: ", other]
        return NextStep(*after)


def read_logs(
    events: Sequence[Event],
    settings: Settings,
    emit: Callable[[LogLine], None],
    *,
    step: str = "",
    is_errors_only: bool = False,
    follow: bool = False,
) -> LogRead:
    """Emit the log of the run's newest Glue job run, or of the remote run of another step, oldest line first.

    Of a sync or a refresh it is what Airbyte's and Tableau's APIs give: the job's state, rows and times, no log.

    Args:
        events: The run's events.
        settings: The settings.
        emit: Called with each line.
        step: The step, `kind:name` or its name; the newest with a log by default.
        is_errors_only: Emit only errors, each with its trace, of both logs.
        follow: Go on until the job run has ended.

    Raises:
        UsageError: The run has no such remote run.
    """
    every = remote_runs(events)
    this, remote_id = _chosen(every, step, events[0])
    services, filtered = Services(settings), _Filter(emit, is_errors_only)
    kind_of(this).read_log(services, this.name, remote_id, filtered, follow=follow)
    unread = tuple(sorted(services.logs.unread))
    is_running = not filtered.count and kind_of(this).has_log and _is_running(services, this, remote_id)
    is_silent = not filtered.count and not is_running
    further = [one for one in every if kind_of(one[0]).has_log and one[0] != this and is_silent]
    # Only a step that wrote something is named: two empty logs would send the reader from one to the other.
    may_speak = {other.name: _may_have_lines(services, other, of, is_errors_only) for other, of in further}
    return LogRead(
        str(events[0]["run_id"]),
        this,
        remote_id,
        filtered.count,
        is_errors_only,
        others=tuple(name for name, may in may_speak.items() if may),
        unread=unread,
        silent=tuple(name for name, may in may_speak.items() if not may),
        is_running=is_running,
    )


@dataclass
class _Filter:
    """Emits the lines to show of those that it is called with, and counts them."""

    emit: Callable[[LogLine], None]
    is_errors_only: bool
    count: int = 0
    _errors: ErrorLines = field(default_factory=ErrorLines)

    def __call__(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if not self.is_errors_only or line.is_failure or self._errors.has(line):
                self.emit(line)
                self.count += 1


def _chosen(every: Sequence[tuple[Step, str]], step: str, first: Event) -> tuple[Step, str]:
    """Return the newest remote run of the step, or of a step with a log if none is named.

    Args:
        every: The remote runs of the run.
        step: The step, `kind:name` or its name; empty for any.
        first: The run's first event, for the error.

    Raises:
        UsageError: There is no such remote run.
    """
    matching = [(known, remote_id) for known, remote_id in every if step in ("", str(known), known.name)]
    if not matching:
        names = ", ".join(str(known) for known, _ in every) or "none"
        run = f"run {first['run_id']} ({first.get('pipeline', 'of a lost pipeline')})"
        what = f"remote run of {step}" if step else "remote run"
        raise UsageError(f"{run} has no {what} to read", hint=f"remote runs of this run: {names}")
    with_log = [(known, remote_id) for known, remote_id in matching if kind_of(known).has_log]
    return (with_log or matching)[-1]


def _is_running(services: Services, step: Step, remote_id: str) -> bool:
    """Return whether the remote run is live; not if its service does not say."""
    try:
        return remote_run_of(step, services, remote_id).poll().state is State.RUNNING
    except EtltctlError:
        return False


def _may_have_lines(services: Services, step: Step, remote_id: str, is_errors_only: bool) -> bool:
    """Return whether the log of another step has a line to show; also if it cannot be read now."""
    filtered = _Filter(lambda _: None, is_errors_only)
    try:
        kind_of(step).read_log(services, step.name, remote_id, filtered, follow=False)
    except EtltctlError:
        return True
    return filtered.count > 0
