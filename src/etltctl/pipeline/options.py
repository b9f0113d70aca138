"""What the caller asks of a run, beyond what the settings say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from etltctl.errors import UsageError, unknown
from etltctl.ledger import Event
from etltctl.pipeline.model import Step, steps_hint
from etltctl.runs import Run
from etltctl.worker_sizes import FEWEST, WorkerType

STOP, DETACH = "stop", "detach"
Listener = Callable[[Event], None]
# The running remote run, and whether a person may be asked → `stop` or `detach`.
OnInterrupt = Callable[[Run, bool], str]
# The step that has succeeded. An error ends the run there, before the next step starts.
AfterStep = Callable[[Step], None]
# The step, `kind:name`, and its remote run as last polled.
OnPoll = Callable[[str, Run], None]


def always_stop(run: Run, may_ask: bool) -> str:  # noqa: ARG001 - the same shape as one that asks
    """Stop the remote run at an interrupt, where no one can be asked."""
    return STOP


@dataclass(frozen=True)
class RunOptions:
    """What the caller asks of a run, beyond what the settings say.

    A step is named as `kind:name`, by the name, or by a kind that only one step has.

    Attributes:
        run_id: The earlier run to resume; empty for a new one.
        fresh: Whether its work is started again, whatever the result so far.
        first: The first step; that of the pipeline if it is empty.
        last: The last step; that of the pipeline if it is empty.
        only: The one step to run; empty for more than one.
        fresh_for: The cause of the fresh start. The same cause restarts the work once, so that tries of one Airflow
            task do not repeat it.
        max_usd: The most that the whole run may cost, in US dollars; None without a limit.
        worker_type: The worker type of the first Glue job run that this try starts; empty for that of the settings.
        workers: The number of its workers, the driver included; None for that of the settings.
        full: Whether incremental jobs read everything, in this and in later tries of the run.
        cleared: The source whose files in bronze were deleted just before the run; empty for none.
        on_interrupt: Decides whether the remote run stops or goes on.
        on_event: Called with every event.
        on_poll: Called with every poll of a remote run that goes on.
        after_step: Called with every step that has succeeded. If it raises, the run has failed and its next step does
            not start.
    """

    run_id: str = ""
    fresh: bool = False
    first: str = ""
    last: str = ""
    only: str = ""
    fresh_for: str = ""
    max_usd: float | None = None
    worker_type: str = ""
    workers: int | None = None
    full: bool = False
    cleared: str = ""
    on_interrupt: OnInterrupt = field(default=always_stop, repr=False)
    on_event: Listener | None = field(default=None, repr=False)
    on_poll: OnPoll | None = field(default=None, repr=False)
    after_step: AfterStep | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError if `max_usd` is negative, infinite or not a number, or Glue has no such workers."""
        if self.worker_type and self.worker_type not in list(WorkerType):
            raise unknown("worker type", self.worker_type, list(WorkerType))
        if self.workers is not None and self.workers < FEWEST:
            raise UsageError(
                f"workers is {self.workers}", hint=f"name {FEWEST} or more: a driver and an executor"
            )
        if self.max_usd is not None and not 0 <= self.max_usd < math.inf:
            raise UsageError(f"max_usd is {self.max_usd}", hint="name an amount of US dollars, 0 or more")

    @property
    def recorded(self) -> dict[str, Any]:
        """The options that the ledger keeps; only those that the caller set."""
        options = {
            "max_usd": self.max_usd,
            "worker_type": self.worker_type,
            "workers": self.workers,
            "full": self.full or None,
            "cleared": self.cleared,
        }
        return {name: value for name, value in options.items() if value not in (None, "")}

    @property
    def has_workers(self) -> bool:
        """Whether a Glue job run gets other workers than its job has."""
        return bool(self.worker_type) or self.workers is not None

    def select(self, walk: Sequence[Step]) -> list[Step]:
        """Return the steps that `first`, `last` and `only` select, in their order.

        Args:
            walk: All steps of the pipeline.

        Raises:
            UsageError: A named step does not exist, or the options contradict each other.
        """
        if self.only:
            if self.first or self.last:
                raise UsageError(
                    "one step alone was named, so no first and no last step can be named as well"
                )
            return [_step_named(self.only, walk)]
        first = walk.index(_step_named(self.first, walk)) if self.first else 0
        last = walk.index(_step_named(self.last, walk)) if self.last else len(walk) - 1
        if first > last:
            raise UsageError(f"step {self.first} comes after {self.last}", hint=steps_hint(walk))
        return list(walk[first : last + 1])


def _step_named(name: str, walk: Sequence[Step]) -> Step:
    by_name = [step for step in walk if name in (str(step), step.name)]
    matching = by_name or [step for step in walk if name == step.kind]
    if len(matching) != 1:
        what = f"step {name} could be any of {len(matching)}" if matching else f"there is no step {name}"
        raise UsageError(what, hint=steps_hint(walk))
    return matching[0]
