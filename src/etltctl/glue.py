"""Glue job runs: start one or find it again, poll it, stop it, read its log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from etltctl.aws import THROTTLED, Aws, translated
from etltctl.errors import (
    RETRY,
    AlreadyRunningError,
    ConfigurationError,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    Parameter,
    ServiceError,
    UnreachableError,
    bounded,
)
from etltctl.runs import JobRun, State, Verb
from etltctl.settings.project_names import JobNames
from etltctl.waiting import Waiter
from etltctl.worker_sizes import WorkerSize

RUN_KEY = "--etltctl_run_key"
NO_SLOT = "ConcurrentRunsExceededException"
MINIMUM_BILLED_S = 60
Arguments = Callable[[int], Mapping[str, str]]  # how many tries failed before → the arguments of this one
# Codes after which Glue may have started the run all the same.
OUTCOME_OPEN = frozenset({"InternalServiceException", "OperationTimeoutException"})
SLOT_LAG_S = 60.0  # a slot is free some seconds after the run that held it has ended
PAGE_RUNS = 200  # the most that GetJobRuns gives at once
CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class Glue:
    """The Glue jobs of one account and region.

    A caller names a job as the settings do. `names` turns that name into the one at Glue, and back.
    """

    aws: Aws
    search: Waiter = field(default_factory=lambda: Waiter(timeout=SLOT_LAG_S, longest=2.0))
    names: JobNames = field(default_factory=JobNames)

    def start_or_adopt(
        self,
        job: str,
        run_key: str,
        arguments: Arguments,
        *,
        since: datetime | None = None,
        before_start: Callable[[], None] | None = None,
        size: WorkerSize | None = None,
    ) -> tuple[Verb, JobRun]:
        """Return the run of this job that carries `run_key`: one that exists, or one that is started once.

        A live run is adopted, a succeeded one reused; after a failed one a new run starts. Glue has no
        idempotency token, so the key travels as an argument and is searched for before the start (in all that Glue
        remembers, or from `since` on), and again whenever the start's answer leaves its outcome open. `before_start`
        is called right before a start is sent. A run that is started gets workers of `size`; None is that of the job.

        Raises:
            AlreadyRunningError: Another run holds the job's only slot.
            OutcomeUnknownError: The answer was lost, and no run with the key shows up.
        """
        # One pass searches, then starts. It is repeated while Glue throttles or the slot of an ended run is not
        # free yet.
        deadline = self.search.clock() + self.search.timeout
        # Glue takes the two together only.
        workers = {"WorkerType": size.type, "NumberOfWorkers": size.number} if size else {}
        while True:
            # The search comes first in every pass: the start of the pass before may have made a run after all.
            ours = self.find_all(job, run_key, since=since)
            # The newest run decides. Older ones with the key are failed tries of the same step.
            if ours and ours[0].state is not State.FAILED:
                return (Verb.ADOPTED if ours[0].state is State.RUNNING else Verb.REUSED), ours[0]
            sent = {**arguments(len(ours)), RUN_KEY: run_key}
            if before_start:
                before_start()
            try:
                with translated("glue", job=job):
                    answer = self.aws.start_client("glue").start_job_run(
                        JobName=self.names.at_glue(job), Arguments=sent, **workers
                    )
            except ServiceError as error:
                run = self._after_failed_start(job, run_key, {run.id for run in ours}, error)
                if run is not None:
                    return Verb.ADOPTED, run
                if self.search.clock() >= deadline:
                    if error.code == NO_SLOT:
                        raise _no_slot(job, error) from error
                    raise
                self.search.sleep(self.search.longest)
            else:
                started = {"JobName": self.names.at_glue(job), "Id": answer["JobRunId"], **workers}
                facts = {"JobRunState": "STARTING", "Arguments": sent}
                return Verb.STARTED, _job_run({**started, **facts}, self.names)

    def find_all(self, job: str, run_key: str, *, since: datetime | None = None) -> list[JobRun]:
        """Return the runs of the job that carry the key and began after `since`, newest first."""
        return [run for run in self.job_runs(job, since=since) if run.arguments.get(RUN_KEY) == run_key]

    def find_new(
        self, job: str, run_key: str, known: Collection[str], *, since: datetime, within: float
    ) -> JobRun | None:
        """Return the newest run with the key that is not in `known`.

        The listing may show a run late, so the search goes on for `within` seconds.
        """

        def newest() -> JobRun | None:
            return next(
                (run for run in self.find_all(job, run_key, since=since) if run.id not in known), None
            )

        return self.search.find(newest, within)

    def durations(self, job: str, *, limit: int = 20) -> list[float]:
        """How long the job's latest successful runs took, in seconds; empty if Glue does not tell."""
        return [run.duration_s for run in self._succeeded(job, limit) if run.duration_s]

    def dpu_seconds(self, job: str, *, size: WorkerSize | None = None, limit: int = 20) -> list[float]:
        """Return what the job's latest successful runs were billed for, in DPU seconds; empty if Glue does not say.

        Args:
            job: The job.
            size: The workers of a next run: the time that each took is billed for those. None for its own.
            limit: How many runs are read at most.
        """
        runs = self._succeeded(job, limit)
        return [run.dpu_seconds * (size.dpus / (run.size or size).dpus if size else 1.0) for run in runs]

    def _succeeded(self, job: str, limit: int) -> list[JobRun]:
        try:
            latest = islice(self.job_runs(job, page=limit), limit)
            return [run for run in latest if run.state is State.SUCCEEDED]
        except EtltctlError:
            return []

    def retry_of(self, run: JobRun) -> JobRun | None:
        """Return the run that Glue itself started after this one failed, as the job's MaxRetries says."""
        try:
            later = self.job_runs(run.name, since=run.started)
            return next((other for other in later if other.previous_id == run.id), None)
        except EtltctlError:
            return None

    def poll(self, job: str, run_id: str) -> JobRun:
        """Return the run as Glue sees it now."""
        with translated("glue", job=job, run=run_id):
            query = {"JobName": self.names.at_glue(job), "RunId": run_id}
            return _job_run(self.aws.client("glue").get_job_run(**query)["JobRun"], self.names)

    def job_runs(self, job: str, *, page: int = PAGE_RUNS, since: datetime | None = None) -> Iterator[JobRun]:
        """Yield the job's runs, newest first, back to `since`; a page is read when it is needed."""
        token: dict[str, str] = {}
        while True:
            answer = self._page(job, MaxResults=page, **token)
            for described in answer["JobRuns"]:
                run = _job_run(described, self.names)
                # The list is newest first, so that the first run before `since` ends it: old jobs have thousands of
                # runs.
                if since is not None and run.started is not None and run.started < since - CLOCKS_DIFFER:
                    return
                yield run
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def live_runs(self, job: str) -> list[JobRun]:
        """Return the live runs of the job, newest first, among those on the first page of the listing."""
        return [run for run in islice(self.job_runs(job), PAGE_RUNS) if run.state is State.RUNNING]

    def _page(self, job: str, **query: Any) -> Mapping[str, Any]:
        try:
            with translated("glue", job=job):
                answer: Mapping[str, Any] = self.aws.client("glue").get_job_runs(
                    JobName=self.names.at_glue(job), **query
                )
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                raise ConfigurationError(
                    f"Glue has no job {self.names.at_glue(job)}",
                    hint=NextStep(
                        "create the job on AWS, or run it on this machine: ", Parameter("env"), " local"
                    ),
                    job=job,
                ) from error
            raise
        return answer

    def stop(self, run: JobRun) -> None:
        """Asks Glue to stop the run; it passes through STOPPING to STOPPED."""
        with translated("glue", job=run.name, run=run.id):
            answer = self.aws.client("glue").batch_stop_job_run(
                JobName=self.names.at_glue(run.name), JobRunIds=[run.id]
            )
        for failure in answer.get("Errors", []):
            detail = failure.get("ErrorDetail", {})
            raise ServiceError(
                f"Glue did not stop run {run.id} of {run.name}: {detail.get('ErrorMessage', 'no reason given')}",
                code=detail.get("ErrorCode", ""),
            )

    def _after_failed_start(
        self, job: str, run_key: str, known: set[str], error: ServiceError
    ) -> JobRun | None:
        """Our run if the start made one although its answer was lost; None if the start may be sent again."""
        if error.is_open or error.code in OUTCOME_OPEN:
            return self._find_started(job, run_key, known, error)
        if error.code in THROTTLED or (isinstance(error, UnreachableError) and error.was_never_sent):
            return None
        # Glue refused the start for a reason that another attempt would not change.
        if error.code != NO_SLOT:
            raise error
        live = self.live_runs(job)
        # A lost start can hold the slot itself: then the run in the way is the caller's own.
        ours = next((run for run in live if run.arguments.get(RUN_KEY) == run_key), None)
        if ours is None and live:
            raise in_the_way(live[0], f"another run of Glue job {job} holds its only slot") from error
        return ours

    def _find_started(self, job: str, run_key: str, known: set[str], error: ServiceError) -> JobRun:
        lately = datetime.now(UTC) - timedelta(seconds=2 * self.search.timeout)
        run = self.find_new(job, run_key, known, since=lately, within=self.search.timeout)
        if run is None:
            raise OutcomeUnknownError(
                f"Glue left open whether a run of job {job} was started, and lists none with the run key: "
                f"{error.message}",
                hint=NextStep(
                    RETRY, f"  # searches again before it starts; {_all_runs(self.names.at_glue(job))}"
                ),
                job=job,
                run_key=run_key,
            ) from error
        return run


def in_the_way(live: JobRun, message: str) -> AlreadyRunningError:
    """Build the error for a live job run that blocks this one."""
    hint = NextStep("when it has ended: ", RETRY, f"; {_all_runs(live.name_at_glue)}")
    return AlreadyRunningError(message, hint=hint, job=live.name, run=live.id, state=live.status)


def _all_runs(name_at_glue: str) -> str:
    """Return the part of a next step that says how AWS's own tool lists the job's runs."""
    return f"Glue's list of the job's runs: aws glue get-job-runs --job-name {name_at_glue}"


def _no_slot(job: str, error: ServiceError) -> AlreadyRunningError:
    """Build the error for a job whose runs take all its slots although Glue lists none of them as live."""
    return AlreadyRunningError(
        f"Glue refuses another run of job {job}: {error.message}; the run that holds the slot is not listed",
        hint=NextStep("wait some seconds until Glue frees the slot, then: ", RETRY),
    )


def _job_run(answer: Mapping[str, Any], names: JobNames) -> JobRun:
    return JobRun(
        id=answer["Id"],
        name=names.in_settings(answer["JobName"]),
        name_at_glue=answer["JobName"],
        status=answer["JobRunState"],
        reason=bounded(answer.get("ErrorMessage") or answer.get("StateDetail") or ""),
        execution_s=answer.get("ExecutionTime", 0),
        arguments=answer.get("Arguments", {}),
        previous_id=answer.get("PreviousRunId", ""),
        dpu_seconds=_dpu_seconds(answer),
        size=_size(answer),
        started=answer.get("StartedOn"),
        ended=answer.get("CompletedOn"),
        log_group=answer.get("LogGroupName") or "/aws-glue/jobs",
    )


def _dpu_seconds(answer: Mapping[str, Any]) -> float:
    """Return what Glue bills: reported for flexible and auto-scaling runs, else time × workers × the size of one."""
    # Only for such runs Glue reports a sum: the number of their workers changes while they run.
    if "DPUSeconds" in answer:
        return float(answer["DPUSeconds"])
    size = _size(answer)
    spent_s = answer.get("ExecutionTime", 0)
    if not spent_s and answer["JobRunState"] == "RUNNING" and "StartedOn" in answer:
        spent_s = (datetime.now(UTC) - answer["StartedOn"]).total_seconds()
    billed_s = max(spent_s, MINIMUM_BILLED_S) if spent_s > 0 else 0
    return billed_s * size.dpus if size else 0.0


def _size(answer: Mapping[str, Any]) -> WorkerSize | None:
    """Return the run's workers; None if Glue does not say, as of a job that is sized by its capacity."""
    number = answer.get("NumberOfWorkers", 0)
    return WorkerSize(answer.get("WorkerType", ""), number) if number else None
