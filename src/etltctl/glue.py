"""Glue job runs: start one or find it again, look at it, stop it, read its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import (
    AlreadyRunningError,
    ConfigurationError,
    EtltctlError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
)
from etltctl.runs import JobRun, State, Verb
from etltctl.waiting import Waiter

RUN_KEY = "--etltctl_run_key"
Arguments = Callable[[int], Mapping[str, str]]  # how many tries failed before → what this one is told
OUTCOME_OPEN = frozenset(
    {"InternalServiceException", "OperationTimeoutException", "ConcurrentRunsExceededException"}
)


@dataclass(frozen=True)
class Glue:
    """The Glue jobs of one account and region."""

    aws: Aws
    search: Waiter = field(default_factory=lambda: Waiter(timeout=30.0, longest=2.0))

    def start_or_adopt(self, job: str, run_key: str, arguments: Arguments) -> tuple[Verb, JobRun]:
        """The run of this job that carries `run_key`: found, or started once.

        A live run is adopted, a succeeded one reused; after a failed one a new run starts. Glue has no
        idempotency token, so the key travels as an argument and is searched for before the start, and again
        whenever the start's answer leaves its outcome open. Raises AlreadyRunningError if another run holds the
        job's only slot, OutcomeUnknownError if the answer was lost and no run with the key shows up.
        """
        ours = self.find_all(job, run_key)
        if ours and ours[0].state is not State.FAILED:
            return (Verb.ADOPTED if ours[0].state is State.RUNNING else Verb.REUSED), ours[0]
        sent = {**arguments(len(ours)), RUN_KEY: run_key}
        try:
            with translated("glue", job=job):
                client = self.aws.start_client("glue")
                answer = client.start_job_run(JobName=job, Arguments=sent)
        except ServiceError as error:
            return self._after_lost_answer(job, run_key, {run.id for run in ours}, error)
        return Verb.STARTED, JobRun(id=answer["JobRunId"], name=job, word="STARTING", arguments=sent)

    def find_all(self, job: str, run_key: str) -> list[JobRun]:
        """The runs of the job that carry the key, newest first."""
        return [run for run in self.job_runs(job) if run.arguments.get(RUN_KEY) == run_key]

    def look_at(self, job: str, run_id: str) -> JobRun:
        """The run as Glue sees it now."""
        with translated("glue", job=job, run=run_id):
            return _job_run(self.aws.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"])

    def job_runs(self, job: str, *, limit: int = 200) -> Iterator[JobRun]:
        """The job's runs, newest first."""
        try:
            with translated("glue", job=job):
                answer = self.aws.client("glue").get_job_runs(JobName=job, MaxResults=limit)
        except ServiceError as error:
            if error.code == "EntityNotFoundException":
                raise ConfigurationError(
                    f"Glue has no job {job}", hint="create the job on AWS, or run with --env local", job=job
                ) from error
            raise
        return (_job_run(run) for run in answer["JobRuns"])

    def stop(self, run: JobRun) -> None:
        """Asks Glue to stop the run; it passes through STOPPING to STOPPED."""
        with translated("glue", job=run.name, run=run.id):
            answer = self.aws.client("glue").batch_stop_job_run(JobName=run.name, JobRunIds=[run.id])
        for failure in answer.get("Errors", []):
            detail = failure.get("ErrorDetail", {})
            raise ServiceError(
                f"Glue did not stop run {run.id} of {run.name}: {detail.get('ErrorMessage', 'no reason given')}",
                code=detail.get("ErrorCode", ""),
            )

    def last_lines(self, run: JobRun, count: int = 30) -> list[str]:
        """The newest lines of the run's error log; empty if the log cannot be read, which is no failure."""
        try:
            with translated("logs"):
                answer = self.aws.client("logs").get_log_events(
                    logGroupName=f"{run.log_group}/error",
                    logStreamName=run.id,
                    startFromHead=False,
                    limit=count,
                )
        except EtltctlError:
            return []
        return [str(event["message"]).rstrip() for event in answer["events"]]

    def _after_lost_answer(
        self, job: str, run_key: str, known: set[str], error: ServiceError
    ) -> tuple[Verb, JobRun]:
        """A start whose answer says nothing about the run: the new run with our key, if there is one."""
        is_taken = error.code == "ConcurrentRunsExceededException"
        if error.code not in OUTCOME_OPEN and not isinstance(error, UnreachableError):
            raise error
        found = self._search(job, run_key, known, patience=0.0 if is_taken else self.search.timeout)
        if found is not None:
            return Verb.ADOPTED, found
        look = f"aws glue get-job-runs --job-name {job}"
        if is_taken:
            raise AlreadyRunningError(
                f"another run of Glue job {job} holds its only slot",
                hint=f"wait for it, or look: {look}",
                job=job,
            ) from error
        raise OutcomeUnknownError(
            f"the answer to starting Glue job {job} was lost and no run with our key is listed",
            hint=f"look before you start again: {look}",
            job=job,
            run_key=run_key,
        ) from error

    def _search(self, job: str, run_key: str, known: set[str], *, patience: float) -> JobRun | None:
        """Looks for a run that the listing may show late."""
        deadline = self.search.clock() + patience
        while True:
            found = next((run for run in self.find_all(job, run_key) if run.id not in known), None)
            if found is not None or self.search.clock() >= deadline:
                return found
            self.search.sleep(self.search.longest)


def _job_run(answer: Mapping[str, Any]) -> JobRun:
    return JobRun(
        id=answer["Id"],
        name=answer["JobName"],
        word=answer["JobRunState"],
        reason=answer.get("ErrorMessage") or answer.get("StateDetail") or "",
        execution_s=answer.get("ExecutionTime", 0),
        arguments=answer.get("Arguments", {}),
        log_group=answer.get("LogGroupName") or "/aws-glue/jobs",
    )
