"""What a Glue job run costs: its price, the estimate from earlier runs, and the bill of each run that ended."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from etltctl.errors import EtltctlError
from etltctl.pipeline.budget import Budget, remaining_budget
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import JobRun, Run, State
from etltctl.worker_sizes import WorkerSize


def workers_of(step_run: StepRun) -> WorkerSize:
    """Return the workers of the step's next job run: those of its job, unless the options of this try name others."""
    job, options = step_run.settings.glue.jobs[step_run.step.name], step_run.ledger.options
    size = WorkerSize(job.worker_type, job.workers)
    return size.overridden(options) if has_other_workers(step_run) else size


def has_other_workers(step_run: StepRun) -> bool:
    """Return whether the options of this try name the workers of this very step."""
    return step_run.ledger.options.get("workers_of") == str(step_run.step)


def glue_budget(step_run: StepRun, run: JobRun | None = None) -> Budget | None:
    """Return what a job run of the step may still cost; None without a limit.

    Args:
        step_run: The step.
        run: The job run, if there is one; it may have other workers than the next one would have.
    """
    name = step_run.step.name
    job, price = step_run.settings.glue.jobs[name], step_run.services.prices.glue_dpu_hour_usd
    size = (run.size if run else None) or workers_of(step_run)
    # The price while all workers run. Autoscaling only makes it less, so the check is never too late.
    usd_a_second = size.dpus / 3600 * price
    own_limits = {f"glue.jobs.{name}.max_usd": job.max_usd}
    return remaining_budget(step_run, own_limits, usd_a_second, partial(spent_by_job_run, dpu_hour_usd=price))


def spent_by_job_run(run: Run, dpu_hour_usd: float) -> float:
    """Return what the job run has cost so far, in US dollars."""
    return dollars(run.dpu_seconds, dpu_hour_usd) if isinstance(run, JobRun) else 0.0


def dollars(dpu_seconds: float, dpu_hour_usd: float) -> float:
    """Return the price of DPU seconds in US dollars."""
    # Four digits: Glue bills by the second, and a second of two DPU costs 0.0002 USD.
    return round(dpu_seconds / 3600 * dpu_hour_usd, 4)


def estimated_usd(step_run: StepRun) -> float:
    """Return what the job's next run is expected to cost, in US dollars; 0.0 if Glue knows no earlier run."""
    # The dearest of the latest runs, not their mean: a start that is refused is cheaper than one that is stopped.
    size = workers_of(step_run) if has_other_workers(step_run) else None
    estimate = max(step_run.services.glue.dpu_seconds(step_run.step.name, size=size), default=0.0)
    return dollars(estimate, step_run.services.prices.glue_dpu_hour_usd)


def bill_job_runs(step_run: StepRun) -> None:
    """Record what every ended job run of the step cost, once.

    Glue bills a run that was stopped as well, and one whose driver did not live to see its end.
    """
    for remote_id in step_run.ledger.without_cost(str(step_run.step)):
        with suppress(EtltctlError):  # a bill that Glue does not show yet is recorded by the next try
            run = step_run.services.glue.poll(step_run.step.name, remote_id)
            usd = dollars(run.dpu_seconds, step_run.services.prices.glue_dpu_hour_usd)
            # Glue may report no DPU seconds for some time after the end. It is then read again later.
            if run.state is not State.RUNNING and usd:
                step_run.note("cost.actual", usd=usd, dpu_seconds=run.dpu_seconds, remote_id=remote_id)
