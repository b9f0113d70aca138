"""What a step costs: an estimate before its start, a stop while it runs, its bill on record once it has ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from etltctl.athena import cost_usd
from etltctl.errors import BudgetError, EtltctlError, WaitTimeoutError
from etltctl.glue import DPU_A_WORKER
from etltctl.pipeline.work import Work
from etltctl.runs import JobRun, QueryExecution, Run, State, Verb
from etltctl.waiting import Waiter

STOPS_WITHIN_S = 30.0
QUERY_EVENTS = {
    Verb.STARTED: "query.started",
    Verb.ADOPTED: "query.adopted",
    Verb.REUSED: "query.reused",
}


@dataclass(frozen=True)
class Budget:
    """The most a run may cost, in US dollars, what it costs a second, and whose limit that is."""

    usd: float
    usd_a_second: float
    dpu_hour_usd: float
    named: str

    def seconds_left(self, run: Run) -> float:
        """Return how long the run may go on; 0.0 once it has to be stopped."""
        if not self.usd_a_second:
            return self.usd * 1e9
        return max(self.usd - self.usd_of(run), 0.0) / self.usd_a_second

    def usd_of(self, run: Run) -> float:
        """What the run has cost so far."""
        return dollars(run.dpu_seconds, self.dpu_hour_usd) if isinstance(run, JobRun) else 0.0


def dollars(dpu_seconds: float, dpu_hour_usd: float) -> float:
    """US dollars of so many DPU seconds."""
    return round(dpu_seconds / 3600 * dpu_hour_usd, 4)


def budget_of(work: Work) -> Budget | None:
    """What is left for a run of the step's job: of the job's own limit and of the whole run's; None without a limit.

    What earlier tries of the same run spent counts.
    """
    job = work.services.settings.glue.jobs[work.step.name]
    price = work.services.prices.glue_dpu_hour_usd
    limits = {
        f"glue.jobs.{work.step.name}.max_usd": (job.max_usd, work.ledger.usd(str(work.step))),
        "--max-usd": (work.max_usd, work.ledger.usd()),
    }
    left = {name: limit - spent for name, (limit, spent) in limits.items() if limit is not None}
    if not left:
        return None
    named = min(left, key=left.__getitem__)
    a_second = job.workers * DPU_A_WORKER[job.worker_type] / 3600 * price
    return Budget(max(left[named], 0.0), a_second, price, named)


def require_budget(work: Work) -> None:
    """Raises BudgetError before a start that, by the job's own history, costs more than is left."""
    estimate = max(work.services.glue.dpu_seconds(work.step.name), default=0.0)
    usd = dollars(estimate, work.services.prices.glue_dpu_hour_usd)
    if usd:
        work.ledger.note("cost.estimate", str(work.step), usd=usd)
    budget = budget_of(work)
    if budget is not None and (usd > budget.usd or budget.usd == 0.0):
        raise BudgetError(
            f"Glue job {work.step.name} was not started: {_why_refused(budget, usd)}",
            hint=f"raise {budget.named}, or make the job smaller",
        )


def _why_refused(budget: Budget, usd: float) -> str:
    left = f"{budget.named} leaves {budget.usd:.2f} USD"
    return f"its latest runs cost up to {usd:.2f} USD, and {left}" if usd else left


def settle(work: Work) -> None:
    """Puts on record what every ended run of the step cost, once.

    A run that somebody stopped is billed as well, and so is one whose end its driver did not live to see.
    """
    step = str(work.step)
    for remote_id in work.ledger.unbilled(step):
        with suppress(EtltctlError):
            run = work.services.glue.look_at(work.step.name, remote_id)
            usd = dollars(run.dpu_seconds, work.services.prices.glue_dpu_hour_usd)
            if run.state is not State.RUNNING and usd:
                facts = {"usd": usd, "dpu_seconds": run.dpu_seconds, "remote_id": remote_id}
                work.ledger.note("cost.actual", step, **facts)


def bill_query(work: Work, verb: Verb, execution: QueryExecution) -> None:
    """Puts on record what a query of the step did and scanned; one that was found at its end is on record already."""
    step, ledger = str(work.step), work.ledger
    facts = {"remote_id": execution.id, "scanned_bytes": execution.scanned_bytes}
    ledger.note(QUERY_EVENTS[verb], step, **facts, state=execution.word)
    usd = cost_usd(execution.scanned_bytes, work.services.prices.athena_tb_usd)
    if usd and not ledger.is_billed(step, execution.id):
        ledger.note("cost.actual", step, usd=round(usd, 6), **facts)


def await_stop(work: Work, run: Run) -> None:
    """Gives Glue the time to stop the run, so that its bill is whole."""
    waiter = Waiter(timeout=STOPS_WITHIN_S, longest=2.0)
    with suppress(EtltctlError, WaitTimeoutError):
        waiter.wait(run, lambda: work.services.glue.look_at(run.name, run.id))
