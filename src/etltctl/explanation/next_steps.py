"""What to do after a run failed: the safest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.causes import UNKNOWN, Cause, Diagnosis, Retry, names_of
from etltctl.errors import Command, NextStep, command
from etltctl.explanation.earlier_runs import EarlierRuns
from etltctl.explanation.failed_step import FailedStep
from etltctl.explanation.model import Explanation
from etltctl.ledger import Event
from etltctl.tabulating import money_text
from etltctl.worker_sizes import WorkerSize

if TYPE_CHECKING:
    from etltctl.settings import Settings

WORKER_TYPE = "glue.jobs.JOB.worker_type"  # a cause with this setting may go away on larger workers
# The workers of a job that the settings do not have: what a job has unless it is set.
WORKERS = WorkerSize("G.1X", 2)
# The commands whose runs have no steps, for a record of an etltctl that did not keep the whole command.
WITHOUT_STEPS: Mapping[str, tuple[str, ...]] = {"rollback": ("rollback",), "refresh": ("athena", "refresh")}
AFTER_FIX = "  # after the fix"


@dataclass(frozen=True)
class NextSteps:
    """The next commands for a run that failed, each with what is known of it.

    Attributes:
        state: What is known of the run.
        failure: The step that failed.
        diagnosis: Why it failed.
        events: The events of the run.
        earlier: The runs before it.
    """

    state: Explanation
    failure: FailedStep
    diagnosis: Diagnosis
    events: Sequence[Event]
    earlier: EarlierRuns

    def steps(self, settings: Settings, *, is_billed: bool) -> Iterator[NextStep]:
        """Yield what to do: larger workers if they can help, the fix, the retry, then where to read more.

        Args:
            settings: The settings, which say what workers a job has.
            is_billed: Whether a job run costs anything.
        """
        run_id, name, cause = self.state.run_id, self.failure.name, self.diagnosis.cause
        names = names_of(name, run_id) | self.failure.names
        if larger := self._on_larger_workers(cause, settings, is_billed=is_billed):
            yield larger
        again = again_of(self.state)
        fix = _fix(cause, again, names)
        if cause != UNKNOWN:
            yield fix
        if self.state.has_gaps:  # the catalog knows what the record has lost
            yield NextStep(command("athena", "tables"))
        if not any(part in again.parts for part in fix.parts):
            yield NextStep(*again.parts, "" if cause.retry is Retry.YES else AFTER_FIX)
        if name.startswith("glue:"):
            yield NextStep(command("runs", "logs", run_id, names.get("JOB", name), "--errors"))
        else:
            yield NextStep(command("runs", "show", run_id))

    def _on_larger_workers(self, cause: Cause, settings: Settings, *, is_billed: bool) -> NextStep | None:
        """Return the retry on the next larger workers, with its price; None if it cannot help."""
        step, run_id = self.failure.name, self.state.run_id
        if WORKER_TYPE not in cause.settings or not step.startswith("glue:"):
            return None
        size = self._size(step, settings)
        if size.larger is None:
            return None
        usd = self.earlier.step_usd(step) if is_billed else None
        price = f"est. {money_text(usd * size.larger.dpus / size.dpus)}, " if usd else ""
        reused = self._reused(step)
        rest = f", {', '.join(reused)} {'is' if len(reused) == 1 else 'are'} reused" if reused else ""
        retry = command("retry", run_id, "--worker-type", size.larger.type)
        return NextStep(retry, f"  # {price}runs {step} onward again{rest}")

    def _size(self, step: str, settings: Settings) -> WorkerSize:
        """Return the workers of the job run that failed."""
        job = settings.glue.jobs.get(step.partition(":")[2])
        size = WorkerSize(job.worker_type, job.workers) if job else WORKERS
        options: Mapping[str, Any] = next((e["options"] for e in reversed(self.events) if "options" in e), {})
        return size.overridden(options) if options.get("workers_of") == step else size

    def _reused(self, step: str) -> list[str]:
        """Return the steps before the one that failed: a retry reuses what they did."""
        steps = self.state.steps
        return list(steps[: steps.index(step)]) if step in steps else []


def again_of(state: Explanation) -> NextStep:
    """Return the command that does the work of the run again.

    A run of steps is resumed. A run without any, such as a rollback, cannot be: its own command begins another.

    Args:
        state: What is known of the run.
    """
    if state.steps or state.pipeline not in WITHOUT_STEPS:
        return NextStep(command("retry", state.run_id))
    if state.command:
        return NextStep(Command(state.command))
    return NextStep("run the same ", command(*WITHOUT_STEPS[state.pipeline]), " again")


def _fix(cause: Cause, again: NextStep, names: Mapping[str, str]) -> NextStep:
    """Return the fix of a cause, with the command of this run in place of the retry of a run with steps."""
    commands = [part for part in again.parts if isinstance(part, Command)]
    return cause.fix.naming(commands[0]).filled(names)
