"""What a step costs: an estimate before its start, a limit while it runs, its bill on record once it has ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from etltctl.athena import cost_usd
from etltctl.errors import BudgetError, EtltctlError, NextStep, Parameter
from etltctl.glue import DPU_A_WORKER
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import JobRun, QueryExecution, Run, State, Verb

QUERY_EVENTS = {
    Verb.STARTED: "query.started",
    Verb.ADOPTED: "query.adopted",
    Verb.REUSED: "query.reused",
}


@dataclass(frozen=True)
class Budget:
    """What a remote run may still cost, in US dollars, its price a second, and the setting or flag that limits it."""

    usd: float
    usd_a_second: float
    dpu_hour_usd: float
    limit: str

    def seconds_left(self, run: Run) -> float:
        """Return how long the run may go on; 0.0 once it has to be stopped."""
        if not self.usd_a_second:
            return math.inf  # a run that costs nothing never reaches the limit
        return max(self.usd - self.usd_of(run), 0.0) / self.usd_a_second

    def usd_of(self, run: Run) -> float:
        """Return what the run has cost so far."""
        return dollars(run.dpu_seconds, self.dpu_hour_usd) if isinstance(run, JobRun) else 0.0

    def overrun(self, run: Run) -> str:
        """Return why the run has to be stopped; empty while it may go on, and for a run that has ended."""
        # A run that has ended is paid for already: stopping it would only hide its result.
        if run.state is not State.RUNNING or self.seconds_left(run):
            return ""
        return f"{self.usd_of(run):.2f} USD so far, and {self.limit} leaves {self.usd:.2f} USD"


def dollars(dpu_seconds: float, dpu_hour_usd: float) -> float:
    """Return the price of DPU seconds in US dollars."""
    # Four digits: Glue bills by the second, and a second of two DPU costs 0.0002 USD.
    return round(dpu_seconds / 3600 * dpu_hour_usd, 4)


def glue_budget(step_run: StepRun) -> Budget | None:
    """Return what is left for a job run of the step: the smaller of the job's own limit and the whole run's.

    What earlier tries of the same run spent counts.

    Returns:
        The budget; None without a limit.
    """
    job, ledger = step_run.settings.glue.jobs[step_run.step.name], step_run.ledger
    price = step_run.services.prices.glue_dpu_hour_usd
    limits = {
        f"glue.jobs.{step_run.step.name}.max_usd": (job.max_usd, ledger.usd(str(step_run.step))),
        "max_usd of the run": (_run_limit(step_run), ledger.usd()),
    }
    # Both limits hold, so the run may cost what the smaller of the two leaves.
    left = {name: limit - spent for name, (limit, spent) in limits.items() if limit is not None}
    if not left:
        return None
    smallest = min(left, key=left.__getitem__)
    # The price while all workers run. Autoscaling only makes it less, so the check is never too late.
    a_second = job.workers * DPU_A_WORKER[job.worker_type] / 3600 * price
    return Budget(max(left[smallest], 0.0), a_second, price, smallest)


def _run_limit(step_run: StepRun) -> float | None:
    """Return the most that the whole run may cost, as its options on record say; None without a limit."""
    # Read from the record and not from the command line, so that it also binds a task of a scheduler.
    limit = step_run.ledger.options.get("max_usd")
    return limit if isinstance(limit, int | float) else None


def require_budget(step_run: StepRun) -> None:
    """Raise BudgetError before a start that, by the job's own history, costs more than is left."""
    usd = _estimated_usd(step_run)
    if usd:
        # A job without a history has no estimate; its budget is enforced while it runs.
        step_run.note("cost.estimate", usd=usd)
    _require_enough(step_run, usd)


def require_whole_budget(step_runs: Sequence[StepRun]) -> None:
    """Refuse a run whose jobs, by their own history, cost more than is left.

    Without this check, the steps before them would be paid for in vain.

    Args:
        step_runs: The steps of Glue jobs that are still to start.

    Raises:
        BudgetError: One of them, or all together, cost more than is left. Nothing was started.
    """
    limited = [step_run for step_run in step_runs if glue_budget(step_run) is not None]
    estimates = {step_run.step.name: _estimated_usd(step_run) for step_run in limited}
    for step_run in limited:
        _require_enough(step_run, estimates[step_run.step.name])
    limit = _run_limit(limited[0]) if limited else None
    whole = sum(estimates.values())
    if limit is not None and whole > (left := limit - limited[0].ledger.usd()):
        raise BudgetError(
            f"nothing was started: the latest runs of {', '.join(estimates)} cost up to {whole:.2f} USD together, and "
            f"max_usd of the run leaves {left:.2f} USD",
            hint=NextStep(
                "raise ", Parameter("max_usd"), ", or run fewer steps with ", Parameter("last", "--to")
            ),
        )


def _estimated_usd(step_run: StepRun) -> float:
    """Return what the job's next run is expected to cost; 0.0 if Glue knows no earlier run."""
    # The dearest of the latest runs, not their mean: a start that is refused is cheaper than one that is stopped.
    estimate = max(step_run.services.glue.dpu_seconds(step_run.step.name), default=0.0)
    return dollars(estimate, step_run.services.prices.glue_dpu_hour_usd)


def _require_enough(step_run: StepRun, usd: float) -> None:
    budget = glue_budget(step_run)
    if budget is not None and (usd > budget.usd or budget.usd == 0.0):
        raise BudgetError(
            f"Glue job {step_run.step.name} was not started: {_why_refused(budget, usd)}",
            hint=f"raise {budget.limit}, or make the job smaller",
        )


def _why_refused(budget: Budget, usd: float) -> str:
    left = f"{budget.limit} leaves {budget.usd:.2f} USD"
    return f"its latest runs cost up to {usd:.2f} USD, and {left}" if usd else left


def bill_job_runs(step_run: StepRun) -> None:
    """Record what every ended job run of the step cost, once.

    Glue bills a run that was stopped as well, and one whose driver did not live to see its end.
    """
    for remote_id in step_run.ledger.unbilled(str(step_run.step)):
        with suppress(EtltctlError):  # a bill that Glue does not show yet is recorded by the next try
            run = step_run.services.glue.poll(step_run.step.name, remote_id)
            usd = dollars(run.dpu_seconds, step_run.services.prices.glue_dpu_hour_usd)
            # Glue may report no DPU seconds for some time after the end. It then stays unbilled, and is read again.
            if run.state is not State.RUNNING and usd:
                step_run.note("cost.actual", usd=usd, dpu_seconds=run.dpu_seconds, remote_id=remote_id)


def bill_query(step_run: StepRun, verb: Verb, execution: QueryExecution) -> None:
    """Record what a query of the step did and scanned. The cost of a query that is on record is not recorded again."""
    facts = {"remote_id": execution.id, "scanned_bytes": execution.scanned_bytes}
    step_run.note(QUERY_EVENTS[verb], **facts, state=execution.status)
    usd = cost_usd(execution.scanned_bytes, step_run.services.prices.athena_tb_usd)
    # A query that is adopted or reused was paid for once, by the try that started it.
    if usd and not step_run.ledger.is_billed(str(step_run.step), execution.id):
        step_run.note("cost.actual", usd=round(usd, 6), **facts)
