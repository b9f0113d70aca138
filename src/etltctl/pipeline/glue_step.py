"""The step kind `glue`: runs a Glue job once, waits for its end, and publishes the versions that it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from etltctl.errors import (
    AlreadyRunningError,
    BudgetError,
    NextStep,
    ServiceError,
    command,
)
from etltctl.ledger import Event
from etltctl.permissions import Permission, Requirements
from etltctl.pipeline.budget import Budget, PlannedCost
from etltctl.pipeline.conflicts import with_holder
from etltctl.pipeline.failures import require_success, stopped_by
from etltctl.pipeline.glue_costs import (
    bill_job_runs,
    estimated_usd,
    glue_budget,
    has_other_workers,
    spent_by_job_run,
    workers_of,
)
from etltctl.pipeline.inputs import input_location
from etltctl.pipeline.job_inputs import JobInputs
from etltctl.pipeline.model import StepHandle, StepResult
from etltctl.pipeline.publication import publish_once, published_line
from etltctl.pipeline.recorded_inputs import (
    CHANGES,
    inputs_facts,
    inputs_text,
    recorded_inputs,
    warn_of_earlier_inputs,
)
from etltctl.pipeline.script_paths import code_of, own_paths
from etltctl.pipeline.services import Services
from etltctl.pipeline.settings_faults import rules_without_column
from etltctl.pipeline.step_kind import EmitLines, StepKind, StepLine
from etltctl.pipeline.step_run import StartedRun, StepRun
from etltctl.pipeline.step_wait import await_stop, record_start, wait_for_end
from etltctl.runs import JobRun, Run, State, Verb
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

# Glue itself ends a run at its timeout; waiting longer than that means that Glue does not answer.
GLUE_GRACE_S = 900
FOLLOW_EVERY_S = 2.0


@dataclass(frozen=True)
class GlueRun:
    """The Glue job run of a step `glue:JOB`."""

    services: Services
    job: str
    id: str

    def poll(self) -> JobRun:
        """Return the run as Glue sees it now."""
        return self.services.glue.poll(self.job, self.id)

    def waiter(self) -> Waiter:
        """Return how to wait for the run; it learns from earlier runs of the job."""
        minutes = self.services.settings.glue.jobs[self.job].timeout_minutes
        expected = self.services.glue.durations(self.job)
        return Waiter(timeout=minutes * 60 + GLUE_GRACE_S, expected=tuple(expected))

    def stop(self) -> None:
        """Ask Glue to stop the run."""
        self.services.glue.stop(JobRun(self.id, self.job, ""))

    def successor(self, ended: Run) -> JobRun | None:
        """Return the retry that Glue itself made of a failed run; None if it made none."""
        if isinstance(ended, JobRun) and ended.state is State.FAILED:
            return self.services.glue.retry_of(ended)
        return None


class GlueStep(StepKind):
    """The step kind `glue:JOB`."""

    name: ClassVar[str] = "glue"
    service: ClassVar[str] = JobRun.service
    thing: ClassVar[str] = "Glue job"
    has_log: ClassVar[bool] = True
    needs_jvm: ClassVar[bool] = True
    is_checked_at_once: ClassVar[bool] = True
    takes_workers: ClassVar[bool] = True

    def names(self, settings: Settings) -> Iterable[str]:
        """Return the names of the Glue jobs."""
        return settings.glue.jobs

    def problems(self, name: str, settings: Settings) -> Iterator[str]:
        """Yield syntax errors of the job's script and problems of the rules for its tables."""
        from etltctl.settings.scripts import syntax_errors

        if name not in settings.glue.jobs:
            return  # the start refuses it by name
        yield from syntax_errors(settings, name)
        for table in self.tables(name, settings):
            yield from rules_without_column(settings, table)

    def inputs(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the job reads."""
        return settings.glue.jobs[name].reads

    def tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the job writes."""
        return settings.glue.jobs[name].writes

    def published_tables(self, name: str, settings: Settings) -> Sequence[str]:
        """Return the tables that the job writes: each run publishes a version of all of them."""
        return self.tables(name, settings)

    def permissions(
        self, name: str, refreshed: Sequence[str], required: Requirements
    ) -> Iterator[Permission]:
        """Yield what it takes to run the job, stop it, and check and publish the tables that it writes."""
        yield from required.running(name)
        yield from required.publishing(self.tables(name, required.settings))
        if required.settings.glue.jobs[name].incremental:
            yield from required.finding_what_is_new(name)

    def budget(self, step_run: StepRun) -> Budget | None:
        """Return what a job run of the step may still cost; None without a limit."""
        return glue_budget(step_run)

    def spent_usd(self, run: Run, settings: Settings) -> float:
        """Return the price of the DPU seconds so far, in US dollars."""
        return spent_by_job_run(run, settings.prices.glue_dpu_hour_usd)

    def in_detail(self, run: Run, services: Services) -> Run:
        """Return the job run with the stage of Spark that it works on, if its log shows one."""
        if not isinstance(run, JobRun) or run.status != "RUNNING":
            return run
        return replace(run, stage=services.progress_bar.newest_stage(run))

    def estimated_usd(self, step_run: StepRun) -> float:
        """Return what the dearest of the job's latest runs cost, in US dollars."""
        return estimated_usd(step_run)

    def start(self, step_run: StepRun) -> StartedRun:
        """Start the job once, or find the run of it that belongs to this run."""
        bill_job_runs(step_run)  # before the budget is checked: it counts what earlier tries cost
        key = step_run.run_key
        # Never part of the key: a live run is adopted whatever its workers, and a failed one is never adopted.
        size = workers_of(step_run) if has_other_workers(step_run) else None
        try:
            verb, run = step_run.services.glue.start_or_adopt(
                step_run.step.name,
                key,
                partial(_arguments, step_run),
                since=step_run.run_id.began_after,
                before_start=lambda: step_run.append("remote.intended", run_key=key),
                size=size,
            )
        except AlreadyRunningError as error:
            raise with_holder(step_run.services, error) from error.__cause__
        if verb is Verb.STARTED:
            return StartedRun(verb, run)
        if size:
            step_run.warn(f"job run {run.id} is {verb} with the workers that it was started with, not {size}")
        warn_of_earlier_inputs(step_run, run)
        return StartedRun(verb, run)

    def find_lost_start(self, step_run: StepRun, intended: Event, *, within: float) -> JobRun | None:
        """Return the newest run with the step's key that is not on record yet."""
        on_record = step_run.ledger.remote_ids(str(step_run.step))
        since, key = datetime.fromisoformat(intended["ts"]), intended["run_key"]
        return step_run.services.glue.find_new(step_run.step.name, key, on_record, since=since, within=within)

    def remote_run(self, services: Services, name: str, remote_id: str) -> GlueRun:
        """Return the job run of that id."""
        return GlueRun(services, name, remote_id)

    def finish(self, step_run: StepRun, handle: StepHandle, run: JobRun) -> StepResult:
        """Wait for the job run and publish the versions that it wrote."""
        ended = _wait_for_last_retry(step_run, run)
        bill_job_runs(step_run)
        has_failed = ended.state is not State.SUCCEEDED
        require_success(
            ended,
            hint=NextStep(
                "published tables stay as they were; fix the cause, then: ",
                command("retry", step_run.ledger.run_id),
            ),
            stopped=stopped_by(step_run, ended),
            log=step_run.services.logs.tail(ended) if has_failed else None,
            to_user_path=own_paths(step_run.step.name, step_run.settings),
            code_at=code_of(step_run.settings),
        )
        # Published where the job run got its arguments from, not where this try would write now.
        inputs = recorded_inputs(step_run, ended)
        facts = publish_once(step_run, json.loads(ended.arguments["--outputs"]), inputs.base)
        if read := inputs_facts(step_run, inputs, facts["tables"]):
            facts["inputs"] = read
        usd = round(step_run.ledger.usd(str(step_run.step)), 4)
        cost = {"usd": usd} if usd else {}
        return StepResult(str(step_run.step), handle.verb, ended.id, facts={**facts, **cost})

    def read_log(
        self, services: Services, name: str, remote_id: str, emit: EmitLines, *, follow: bool
    ) -> None:
        """Emit what the job run wrote: of driver and executors, output and errors."""

        def emit_new_lines(run: JobRun) -> None:
            if run.state is not State.RUNNING:
                emit(services.logs.new_lines(run))
                return
            with suppress(ServiceError):  # the next poll reads what this one could not
                emit(services.logs.new_lines(run))

        remote_run = GlueRun(services, name, remote_id)
        run = remote_run.poll()
        emit(services.logs.new_lines(run))
        if follow and run.state is State.RUNNING:
            timeout = services.settings.glue.jobs[name].timeout_minutes * 60
            waiter = Waiter(timeout=timeout, longest=FOLLOW_EVERY_S)
            waiter.wait(run, remote_run.poll, on_poll=emit_new_lines)

    def title(self, name: str) -> str:
        """Return the job's name, which says enough."""
        return name

    def line(self, name: str, event: Mapping[str, Any]) -> StepLine:
        """Return the line with the published tables, what the job's row counts add up to, and how much it read."""
        line = published_line(name, event)
        return replace(line, result=line.result + inputs_text(event.get("inputs") or {}))


def _arguments(step_run: StepRun, failed_before: int) -> Mapping[str, str]:
    """Return the arguments of the job run, after the last checks before its start.

    Args:
        step_run: The step.
        failed_before: How many earlier tries of the run failed.

    Raises:
        BudgetError: The job costs more than is left.
    """
    _require_budget(step_run)
    job, lake = step_run.settings.glue.jobs[step_run.step.name], step_run.services.lake
    # Each try has a separate version, so that a new run never writes where a failed one left files.
    version = step_run.run_id.version(failed_before)
    outputs = {table: lake.version_location(table, version) for table in job.writes}
    reader = f"glue.jobs.{step_run.step.name}"
    inputs = {table: input_location(lake, table, job.writes, reader) for table in job.reads}
    # Last of the checks that cost calls, and before the start: a publish that may not read would waste the run.
    lake.require_visible(outputs)
    return {
        "--run_id": step_run.ledger.run_id,
        # Frozen at the start: a job reads the versions that were current then, even if another publish comes meanwhile.
        "--inputs": json.dumps(inputs),
        "--outputs": json.dumps(outputs),
        "--audits": json.dumps({table: str(lake.places.job_report(table, version)) for table in job.writes}),
        "--config": json.dumps(job.config),
        **({CHANGES: JobInputs(step_run, inputs, version).record()} if job.incremental else {}),
    }


def _require_budget(step_run: StepRun) -> None:
    """Raise BudgetError before a start that, by the job's own history, costs more than is left."""
    usd = estimated_usd(step_run)
    if usd:
        # A job without a history has no estimate; its budget is enforced while it runs.
        step_run.note("cost.estimate", usd=usd)
    if budget := glue_budget(step_run):
        PlannedCost(step_run, f"{GlueStep.thing} {step_run.step.name}", budget, usd).require_enough()


def _wait_for_last_retry(step_run: StepRun, run: JobRun) -> JobRun:
    """Return the run in its final state, or the last of the retries that Glue itself made of it."""
    remote_run = GlueRun(step_run.services, run.name, run.id)
    try:
        ended = wait_for_end(step_run, run, remote_run, is_ours=True, budget=glue_budget(step_run, run))
    except BudgetError:
        # The bill is final only once Glue has stopped the workers.
        await_stop(run, remote_run)
        bill_job_runs(step_run)
        raise
    # With MaxRetries Glue starts the job again by itself: the step waits for that run instead of starting another.
    retry = remote_run.successor(ended)
    if retry is None:
        return ended
    record_start(step_run, StartedRun(Verb.ADOPTED, retry), GlueRun(step_run.services, retry.name, retry.id))
    return _wait_for_last_retry(replace(step_run, waited=0.0), retry)
