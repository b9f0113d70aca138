"""What a kind of step has to offer: its remote run, its start and its end, its checks, its line on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from etltctl.errors import Command, NextStep, UsageError, command
from etltctl.ledger import Event
from etltctl.logs import LogLine
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.budget import Budget, PlannedCost
from etltctl.pipeline.model import Step, StepHandle, StepResult, known
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.runs import Run
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

R_co = TypeVar("R_co", bound=Run, covariant=True)
EmitLines = Callable[[Iterable[LogLine]], None]


class RemoteRun(Protocol[R_co]):
    """One run at a service: how to poll it, how to wait for it, how to stop it."""

    def poll(self) -> R_co:
        """Return the run as the service sees it now."""

    def waiter(self) -> Waiter:
        """Return how to wait for the run."""

    def stop(self) -> None:
        """Ask the service to stop the run."""

    def successor(self, ended: Run) -> Run | None:
        """Return the retry that the service itself made of a failed run; None if it made none."""


@dataclass(frozen=True)
class StepLine:
    """What the console prints of a step that ended: its label, how much it moved, and its result."""

    label: str
    amount: str = ""
    result: str = ""


class StepKind:
    """One kind of step. A new kind overrides what it does differently; by default a step runs nothing remotely."""

    name: ClassVar[str]
    thing: ClassVar[str] = "step"
    """What a message calls the thing that a step of this kind names, such as "source"."""
    service: ClassVar[str] = ""
    """The service that does the work of such a step, as errors name it."""
    has_log: ClassVar[bool] = False
    """Whether the service keeps what the remote run wrote; `runs logs` prefers such a step."""
    is_checked_at_once: ClassVar[bool] = False
    """Whether the first task of a DAG run checks steps of this kind that come later."""
    needs_jvm: ClassVar[bool] = False
    """Whether the embedded server runs the step in a JVM, which takes seconds to start."""
    leaves_time: ClassVar[bool] = False
    """Whether the step takes long enough, without a JVM, that JVMs for other steps can start meanwhile."""
    reads_a_source: ClassVar[bool] = False
    """Whether the step reads a source of the settings, which has the step's name."""
    takes_workers: ClassVar[bool] = False
    """Whether the caller may choose the workers of a run of such a step."""

    @classmethod
    def step(cls, name: str) -> Step:
        """Return the step of this kind with that name."""
        return Step(cls.name, name)

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the names that a step of this kind can have with these settings."""
        return ()

    def require_known(self, name: str, settings: Settings) -> None:
        """Raise UsageError if the settings have nothing of that name for this kind."""
        names = dict.fromkeys(self.names(settings))
        adding = self.adding(name)
        # A name that is near is what most people mean, and the error names it.
        hint = NextStep(f"known: {', '.join(names) or 'none'}; add it: ", adding) if adding else ""
        known(names, name, self.thing, hint)

    def adding(self, name: str) -> Command | None:
        """Return the command that adds the thing of this name to the settings; None if no command does."""
        return None

    def problems(self, name: str, settings: Settings) -> Iterator[str]:
        """Yield why the step is certain to fail, as far as this machine sees it without a service."""
        yield from ()

    def tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the step writes, as `layer.table`."""
        return ()

    def inputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return what the step reads: tables as `layer.table`, or another thing by its kind and name."""
        return ()

    def outputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return what the step writes, in the words of `inputs`."""
        return self.tables(name, settings)

    def published_tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the step publishes as a new version."""
        return ()

    def queried_tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the step reads through Athena in the caller's name."""
        return ()

    def refreshed_tables(self, walk: Iterable[Step], settings: Settings) -> Sequence[str]:
        """Return the tables whose catalog entry the step brings in line with their files.

        Args:
            walk: The steps of the step's pipeline.
            settings: The settings.
        """
        return ()

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield the IAM permissions that etltctl's own calls need for the step, in the order of the calls.

        Args:
            name: The step's name.
            refreshed: Its `refreshed_tables`.
            required: Returns the permissions for each sort of work.
        """
        yield from ()

    def budget(self, step_run: StepRun) -> Budget | None:
        """Return what the step's remote run may still cost; None without a limit."""
        return None

    def spent_usd(self, run: Run, settings: Settings) -> float:
        """Return what a remote run of this kind has cost so far, in US dollars; 0.0 if its service bills no run.

        Args:
            run: The remote run, as a poll reported it.
            settings: The settings, which have the prices.
        """
        return 0.0

    def in_detail(self, run: Run, services: Services) -> Run:
        """Return a live run with what its service shows apart from its status, for a person who watches.

        Args:
            run: The remote run, as a poll reported it.
            services: The services of the environment.
        """
        return run

    def estimated_usd(self, step_run: StepRun) -> float:
        """Return what the step's next remote run is expected to cost, in US dollars; 0.0 if nothing is known of it."""
        return 0.0

    def planned_cost(self, step_run: StepRun) -> PlannedCost | None:
        """Return what a start of the step is expected to cost and what is left for it; None without a limit."""
        budget = self.budget(step_run)
        if budget is None:
            return None
        thing = f"{self.thing} {step_run.step.name}"
        return PlannedCost(step_run, thing, budget, self.estimated_usd(step_run))

    def start(self, step_run: StepRun) -> StartedRun | None:
        """Start the step's remote run once, or find the one of this run; None if it has none."""
        return None

    def find_lost_start(self, step_run: StepRun, intended: Event, *, within: float) -> Run | None:
        """Return the run that a start without an answer began.

        Args:
            step_run: The step.
            intended: The event that was recorded before the start was sent.
            within: How long to search, in seconds: a listing may show a run late.
        """
        return None

    def look_for_lost_start(self, step_run: StepRun, intended: Event, *, within: float) -> Run | None:
        """Return the run that a start without an answer began, for a caller that stops it or leaves it.

        It never starts a run, while `find_lost_start` may if the step is to start anyway.

        Args:
            step_run: The step.
            intended: The event that was recorded before the start was sent.
            within: How long to search, in seconds.
        """
        return self.find_lost_start(step_run, intended, within=within)

    def remote_run(self, services: Services, name: str, remote_id: str) -> RemoteRun[Run]:
        """Return the remote run of that id."""
        raise UsageError(f"a step {self.name}:{name} runs nothing remotely", hint=command("runs", "list"))

    def finish(self, step_run: StepRun, handle: StepHandle, run: Any) -> StepResult:
        """Wait for the remote run to end, then prove or publish what it wrote.

        Args:
            step_run: The step.
            handle: What its start returned.
            run: The remote run as last polled; None if the step has none.
        """
        raise NotImplementedError

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        """Emit what the service reports of the remote run, until it has ended if `follow` is set."""

    def title(self, name: str) -> str:
        """Return the name of the step while it runs."""
        return f"{self.name}:{name}"

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return what the console prints of a step that succeeded, from its last event."""
        return StepLine(name, rows_text(event.get("rows")))


def rows_text(rows: int | None) -> str:
    """Return the number of rows as the console prints it."""
    return "" if rows is None else f"{rows:,} rows"
