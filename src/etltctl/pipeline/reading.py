"""What the remote runs of a run have written, read once or followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from etltctl.errors import UsageError
from etltctl.ledger import Event
from etltctl.logs import LogLine
from etltctl.pipeline.model import Step, remote_runs
from etltctl.pipeline.services import Services
from etltctl.runs import JobRun, State
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

FOLLOW_EVERY_S = 2.0


def read_logs(
    events: Sequence[Event],
    settings: Settings,
    emit: Callable[[LogLine], None],
    *,
    step: str = "",
    follow: bool = False,
) -> int:
    """Emits the log of the run's newest Glue job run, or of the one that `step` names, oldest line first.

    `follow` goes on until the job run has ended. Returns the number of lines. Raises UsageError if there is no such
    job run: Airbyte's public API and Athena give no logs, only the reason that `runs show` tells.
    """
    found = [
        (known, remote_id)
        for known, remote_id in remote_runs(events)
        if known.kind == "glue" and step in ("", str(known), known.name)
    ]
    if not found:
        names = ", ".join(str(known) for known, _ in remote_runs(events) if known.kind == "glue") or "none"
        raise UsageError("there is no Glue job run to read", hint=f"job runs of this run: {names}")
    known, remote_id = found[-1]
    return _read(Services(settings), known, remote_id, emit, follow=follow)


def _read(
    services: Services, step: Step, remote_id: str, emit: Callable[[LogLine], None], *, follow: bool
) -> int:
    told = 0

    def tell(run: JobRun) -> None:
        nonlocal told
        for line in services.logs.new_lines(run):
            emit(line)
            told += 1

    run = services.glue.look_at(step.name, remote_id)
    tell(run)
    if follow and run.state is State.RUNNING:
        waiter = Waiter(
            timeout=services.settings.glue.jobs[step.name].timeout_minutes * 60, longest=FOLLOW_EVERY_S
        )
        waiter.wait(run, lambda: services.glue.look_at(step.name, remote_id), on_look=tell)
    return told
