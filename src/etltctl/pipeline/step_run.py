"""One step of one run: what it is of, the services that it uses, and its events on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import UNKNOWN_START, Step
from etltctl.pipeline.options import OnInterrupt, OnPoll, RunOptions, always_stop
from etltctl.pipeline.run_ids import RunId
from etltctl.pipeline.services import Services
from etltctl.runs import Run, Verb

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class StartedRun:
    """The remote run of a step and what its start did. etltctl does not stop a run that is not `is_ours`."""

    verb: Verb
    run: Run
    is_ours: bool = True

    @property
    def facts(self) -> dict[str, Any]:
        """What the ledger keeps of it."""
        others = {} if self.is_ours else {"ours": False}
        return {"service": self.run.service, "remote_id": self.run.id, "state": self.run.status, **others}


@dataclass(frozen=True)
class StepRun:
    """One step of one run, with everything that it needs.

    `waited` is how long another process waited for the step before, in seconds.
    """

    pipeline: str
    step: Step
    services: Services
    ledger: Ledger
    on_interrupt: OnInterrupt = always_stop
    waited: float = 0.0
    on_poll: OnPoll | None = None

    @classmethod
    def of(cls, pipeline: str, step: Step, services: Services, ledger: Ledger, options: RunOptions) -> Self:
        """Return the step of a run with what the caller's options say of interrupts and polls.

        Args:
            pipeline: The pipeline.
            step: The step.
            services: The services of the environment.
            ledger: The events of the run.
            options: The caller's options.
        """
        return cls(pipeline, step, services, ledger, options.on_interrupt, on_poll=options.on_poll)

    @property
    def settings(self) -> Settings:
        """The settings of the environment."""
        return self.services.settings

    @property
    def run_id(self) -> RunId:
        """The run's id in the step's generation."""
        return RunId(self.ledger.run_id, self.ledger.generation(str(self.step)))

    @property
    def run_key(self) -> str:
        """The name under which every try of this run finds the step's remote run again."""
        return self.run_id.key(self.step, env=self.settings.env, pipeline=self.pipeline)

    def append(self, type_: str, **facts: Any) -> None:
        """Record an event of the step; raise if it cannot be recorded."""
        self.ledger.append(type_, str(self.step), **facts)

    def note(self, type_: str, **facts: Any) -> None:
        """Record an event of the step that nothing depends on."""
        self.ledger.note(type_, str(self.step), **facts)

    def warn(self, message: str, **facts: Any) -> None:
        """Record a warning, which the console prints."""
        self.note("warning.degraded", message=message, **facts)

    def last(self, *types: str) -> Event | None:
        """Return the step's newest event of one of these types since its work was last started again."""
        return self.ledger.last(str(self.step), *types)


def unanswered_start(step_run: StepRun) -> Event | None:
    """Return the event of a start that was about to be sent and has neither an answer nor an error on record."""
    intended = step_run.last("remote.intended", "remote.started", "remote.adopted", "remote.reused")
    # Compared by sequence number and not by time: two events of one process can have the same timestamp.
    ended = step_run.last("step.finished")
    if intended is None or intended["type"] != "remote.intended":
        return None
    # An interrupt or a killed process says nothing of the start; only a failure that follows the intent is an answer.
    if ended is None or ended["seq"] < intended["seq"] or ended.get("outcome") != "failed":
        return intended
    # A failure after the intent is an answer, because the service refused and started nothing. It is not an answer if
    # the service's answer was lost.
    return intended if ended.get("start") == UNKNOWN_START else None
