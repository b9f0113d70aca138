"""What a step costs: an estimate before its start, a limit while it runs, its bill on record once it has ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from etltctl.athena import cost_usd
from etltctl.errors import BudgetError, NextStep, Parameter
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import QueryExecution, Run, State, Verb

QUERY_EVENTS = {
    Verb.STARTED: "query.started",
    Verb.ADOPTED: "query.adopted",
    Verb.REUSED: "query.reused",
}


class Budget(Protocol):
    """What a remote run may still cost."""

    @property
    def usd(self) -> float:
        """What is left, in US dollars."""

    @property
    def limit(self) -> str:
        """The setting or option that limits the run, for messages."""

    def seconds_left(self, run: Run) -> float:
        """Return how long the run may go on; 0.0 once it has to be stopped."""

    def overrun(self, run: Run) -> str:
        """Return why the run has to be stopped; empty while it may go on, and for a run that has ended."""


@dataclass(frozen=True)
class TimeBudget:
    """What a remote run may still cost at a service that bills the time.

    Attributes:
        usd: What is left, in US dollars.
        usd_a_second: The price of the run, in US dollars a second.
        spent: Returns what a run has cost so far, in US dollars. Each kind of step knows how its service reports it.
        limit: The setting or option that limits the run, for messages.
    """

    usd: float
    usd_a_second: float
    spent: Callable[[Run], float]
    limit: str

    def seconds_left(self, run: Run) -> float:
        """Return how long the run may go on; 0.0 once it has to be stopped."""
        if not self.usd_a_second:
            return math.inf  # a run that costs nothing never reaches the limit
        return max(self.usd - self.spent(run), 0.0) / self.usd_a_second

    def overrun(self, run: Run) -> str:
        """Return why the run has to be stopped; empty while it may go on, and for a run that has ended."""
        # A run that has ended is paid for already: stopping it would only hide its result.
        if run.state is not State.RUNNING or self.seconds_left(run):
            return ""
        return f"{self.spent(run):.2f} USD so far, and {self.limit} leaves {self.usd:.2f} USD"


@dataclass(frozen=True)
class ScanBudget:
    """What a query may still read. Athena bills the bytes that a query reads and not its time.

    Attributes:
        usd: What is left, in US dollars.
        limit: The setting or option that limits the query, for messages.
        max_bytes: How many bytes it may read.
    """

    usd: float
    limit: str
    max_bytes: int

    def seconds_left(self, run: Run) -> float:
        """Return 0.0 once the query has to be cancelled. How fast it will read is not known."""
        return 0.0 if _scanned_bytes(run) > self.max_bytes else math.inf

    def overrun(self, run: Run) -> str:
        """Return why the query has to be cancelled; empty while it may go on, and for one that has ended."""
        if run.state is not State.RUNNING or self.seconds_left(run):
            return ""
        return f"{_scanned_bytes(run):,} bytes read so far, and {self.limit} allows {self.max_bytes:,}"


def scan_budget(step_run: StepRun, setting: str, max_scan: int) -> ScanBudget:
    """Return what a query of the step may still read: the smaller of its setting and the run's limit.

    Args:
        step_run: The step.
        setting: The setting that limits the bytes, for messages.
        max_scan: The bytes that the setting allows.
    """
    price = step_run.services.prices.athena_tb_usd
    of_run = remaining_budget(step_run, {}, 0.0, partial(spent_by_query, tb_usd=price))
    if of_run is None or of_run.usd >= cost_usd(max_scan, price):
        return ScanBudget(math.inf, setting, max_scan)
    return ScanBudget(of_run.usd, of_run.limit, int(of_run.usd / price * 1e12))


def _scanned_bytes(run: Run) -> int:
    return run.scanned_bytes if isinstance(run, QueryExecution) else 0


def spent_by_query(run: Run, tb_usd: float) -> float:
    """Return what a query has cost so far, in US dollars."""
    return cost_usd(_scanned_bytes(run), tb_usd)


@dataclass(frozen=True)
class PlannedCost:
    """A step that is still to start: what it is expected to cost, and what is left for it.

    Attributes:
        step_run: The step.
        thing: What a message calls the step, such as "Glue job weather".
        budget: What its remote run may still cost.
        usd: The estimate, in US dollars; 0.0 if nothing is known of earlier runs.
    """

    step_run: StepRun
    thing: str
    budget: Budget
    usd: float

    def require_enough(self) -> None:
        """Raise BudgetError if nothing is left, or if the estimate exceeds what is left."""
        budget = self.budget
        if self.usd <= budget.usd and budget.usd > 0.0:
            return
        left = f"{budget.limit} leaves {budget.usd:.2f} USD"
        why = f"its latest runs cost up to {self.usd:.2f} USD, and {left}" if self.usd else left
        raise BudgetError(
            f"{self.thing} was not started: {why}",
            hint=f"raise {budget.limit}, or make the job smaller",
        )


def remaining_budget(
    step_run: StepRun,
    own_limits: Mapping[str, float | None],
    usd_a_second: float,
    spent: Callable[[Run], float],
) -> TimeBudget | None:
    """Return what is left for a remote run of the step: the smaller of the step's own limit and the whole run's.

    What earlier tries of the same run spent counts.

    Args:
        step_run: The step.
        own_limits: The limits for this step alone in US dollars, by the setting that gives them; None for no limit.
        usd_a_second: The price of the remote run, in US dollars a second.
        spent: Returns what a remote run has cost so far, in US dollars.

    Returns:
        The budget; None without a limit.
    """
    ledger = step_run.ledger
    # The step's limit counts this step alone, and the run's limit counts every step and every earlier try.
    limits = {name: (limit, ledger.usd(str(step_run.step))) for name, limit in own_limits.items()}
    limits["max_usd of the run"] = (_run_limit(step_run), ledger.usd())
    # Both limits hold, so the run may cost what the smaller of the two leaves.
    left = {name: limit - spent_usd for name, (limit, spent_usd) in limits.items() if limit is not None}
    if not left:
        return None
    smallest = min(left, key=left.__getitem__)
    return TimeBudget(max(left[smallest], 0.0), usd_a_second, spent, smallest)


def run_overrun(step_run: StepRun) -> str:
    """Return by how much the bills on record exceed the limit of the whole run; empty if they do not."""
    limit, usd = _run_limit(step_run), step_run.ledger.usd()
    return f"the run cost {usd:.2f} USD, and its max_usd is {limit:.2f} USD" if limit and usd > limit else ""


def _run_limit(step_run: StepRun) -> float | None:
    """Return the most that the whole run may cost, as its options on record say; None without a limit."""
    # Read from the record and not from the command line, so that it also binds a task of a scheduler.
    limit = step_run.ledger.options.get("max_usd")
    return limit if isinstance(limit, int | float) else None


def require_whole_budget(planned: Sequence[PlannedCost]) -> None:
    """Refuse a run whose steps are expected to cost more than is left.

    Without this check, the steps before them would be paid for in vain.

    Args:
        planned: The steps that are still to start and have a limit.

    Raises:
        BudgetError: One of them, or all together, cost more than is left. Nothing was started.
    """
    for each in planned:
        each.require_enough()
    limit = _run_limit(planned[0].step_run) if planned else None
    whole = sum(each.usd for each in planned)
    if limit is not None and whole > (left := limit - planned[0].step_run.ledger.usd()):
        names = ", ".join(each.step_run.step.name for each in planned)
        raise BudgetError(
            f"nothing was started: the latest runs of {names} cost up to {whole:.2f} USD together, and "
            f"max_usd of the run leaves {left:.2f} USD",
            hint=NextStep("raise ", Parameter("max_usd"), ", or run fewer steps with ", Parameter("last")),
        )


def bill_query(step_run: StepRun, verb: Verb, execution: QueryExecution) -> None:
    """Record what a query of the step did and scanned. The cost of a query that is on record is not recorded again."""
    facts = {"remote_id": execution.id, "scanned_bytes": execution.scanned_bytes}
    step_run.note(QUERY_EVENTS[verb], **facts, state=execution.status)
    bill_scan(step_run, execution)


def bill_scan(step_run: StepRun, execution: QueryExecution) -> None:
    """Record what a query of the step cost, once."""
    facts = {"remote_id": execution.id, "scanned_bytes": execution.scanned_bytes}
    usd = cost_usd(execution.scanned_bytes, step_run.services.prices.athena_tb_usd)
    # A query that is adopted or reused was paid for once, by the try that started it.
    if usd and not step_run.ledger.has_cost(str(step_run.step), execution.id):
        step_run.note("cost.actual", usd=round(usd, 6), **facts)
