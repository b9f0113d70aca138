"""Glue job runs: started, looked at and stopped through Glue's own operations, and really run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from etltctl.local.kernel.json_protocol import AwsError, Operation
from etltctl.local.services.glue.places import check_arguments, check_job
from etltctl.local.services.glue.records import LIVE, RunRecords
from etltctl.local.services.glue.run import GlueRun
from etltctl.local.services.logs.service import GROUP_PREFIX, SHARED_PREFIX
from etltctl.worker_sizes import WorkerSize

if TYPE_CHECKING:
    from etltctl.local.services.glue.spark import SparkPool
    from etltctl.local.services.s3.directory import S3Directory

DEFAULT_TIMEOUT_MINUTES = 480  # Glue 5's own
PAGE_RUNS = 200


class GlueRuns:
    """The runs of every job. `find_job` gives a job's definition or raises AwsError."""

    def __init__(
        self,
        folder: Path,
        directory: S3Directory,
        find_job: Callable[[str], Mapping[str, Any]],
        pool: SparkPool,
        minute_s: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._directory = directory
        self._find_job = find_job
        self._pool = pool
        self._minute_s = minute_s
        self._clock = clock
        self._records = RunRecords(folder, clock)
        self._live: dict[str, GlueRun] = {}
        self._starting = Lock()
        self._is_closing = False

    def operations(self) -> Mapping[str, Operation]:
        """Return what is answered here instead of by the control plane."""
        return {
            "AWSGlue.StartJobRun": self.start,
            "AWSGlue.GetJobRun": self.get,
            "AWSGlue.GetJobRuns": self.page,
            "AWSGlue.BatchStopJobRun": self.stop,
        }

    def start(self, body: dict[str, Any]) -> dict[str, Any]:
        """StartJobRun: the run's id, at once."""
        name = body["JobName"]
        job = self._find_job(name)
        check_job(job)  # once more: the record may be older than the check
        check_arguments(body.get("Arguments") or {})
        # Glue's default is one concurrent run.
        limit = (job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns") or 1
        # Counted and recorded under one lock, or two starts at once would both find the slot free.
        with self._starting:
            if len(self._records.live(name)) >= limit:
                raise AwsError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}", 400)
            record = self._new_record(job, body)
            self._records.add(record)
        self._begin(record, job)
        return {"JobRunId": record["Id"]}

    def _begin(self, record: dict[str, Any], job: Mapping[str, Any]) -> None:
        run = GlueRun(
            record,
            job,
            self._folder / record["Id"],
            self._directory,
            self._pool,
            partial(self._save, job),
            self._minute_s,
            self._clock,
        )
        self._live[record["Id"]] = run
        run.start()

    def _save(self, job: Mapping[str, Any], record: dict[str, Any]) -> None:
        """Keep the record; a run that failed is run again where the job's MaxRetries says so."""
        self._records.save(record)
        is_left = record["Attempt"] < (job.get("MaxRetries") or 0)
        if record["JobRunState"] == "FAILED" and is_left and not self._is_closing:
            again = self._new_record(job, {"Arguments": record["Arguments"]})
            again |= {"Attempt": record["Attempt"] + 1, "PreviousRunId": record["Id"]}
            self._records.add(again)
            self._begin(again, job)

    def get(self, body: dict[str, Any]) -> dict[str, Any]:
        """GetJobRun."""
        self._find_job(body["JobName"])
        return {"JobRun": self._public(self._record(body["JobName"], body["RunId"]))}

    def page(self, body: dict[str, Any]) -> dict[str, Any]:
        """GetJobRuns: newest first, a page at a time."""
        self._find_job(body["JobName"])
        runs = self._records.of(body["JobName"])
        first = int(body.get("NextToken") or 0)
        # Glue's pages hold 200 runs at most, whatever the caller asks for.
        last = first + min(int(body.get("MaxResults") or PAGE_RUNS), PAGE_RUNS)
        answer: dict[str, Any] = {"JobRuns": [self._public(run) for run in runs[first:last]]}
        return answer | ({"NextToken": str(last)} if last < len(runs) else {})

    def stop(self, body: dict[str, Any]) -> dict[str, Any]:
        """BatchStopJobRun: the body names each run that could not be stopped."""
        # A batch succeeds as a call even if every run in it fails: the body says which.
        stopped, errors = [], []
        for run_id in body["JobRunIds"]:
            named = {"JobName": body["JobName"], "JobRunId": run_id}
            try:
                self._stop(body["JobName"], run_id)
                stopped.append(named)
            except AwsError as error:
                detail = {"ErrorCode": error.code, "ErrorMessage": error.message}
                errors.append({**named, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": stopped, "Errors": errors}

    def log_file(self, run_id: str, name: str) -> Path:
        """Return where the run's `output` or `error` lines are kept."""
        return self._folder / run_id / f"{name}.log"

    def log_prefixes(self) -> dict[str, str]:
        """Return the prefix of the log groups of every run ever recorded, the newest run first."""
        return {
            record["Id"]: record["Arguments"].get(GROUP_PREFIX, "").rstrip("/") or SHARED_PREFIX
            for record in self._records.of(None)
        }

    def close(self) -> None:
        """Kill what runs; those runs are recorded as failed."""
        self._is_closing = True
        for run in list(self._live.values()):
            run.abandon("the embedded server was shut down while the run was going on")
        self._records.flush()

    def _stop(self, job: str, run_id: str) -> None:
        record = self._record(job, run_id)
        if record["JobRunState"] not in LIVE:
            raise AwsError("InvalidInputException", f"Job run {run_id} is already {record['JobRunState']}")
        self._live[run_id].stop()

    def _record(self, job: str, run_id: str) -> dict[str, Any]:
        record = self._records.get(run_id)
        if record is None or record["JobName"] != job:
            raise AwsError(
                "EntityNotFoundException", f"Job Run with ID: {run_id} could not be found for job {job}"
            )
        return record

    def _public(self, record: dict[str, Any]) -> dict[str, Any]:
        if record["JobRunState"] not in LIVE:
            return record
        # Computed for every answer: the record of a live run is written at its changes only.
        spent = {"ExecutionTime": int(self._clock() - record["StartedOn"]), "DPUSeconds": 0.0}
        return {**record, **spent}

    def _new_record(self, job: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        now = self._clock()
        arguments = {**(job.get("DefaultArguments") or {}), **(body.get("Arguments") or {})}
        workers = body.get("NumberOfWorkers") or job.get("NumberOfWorkers") or 2
        size = WorkerSize(body.get("WorkerType") or job.get("WorkerType") or "G.1X", workers)
        return {
            "Id": f"jr_{uuid4().hex}{uuid4().hex}",
            "Attempt": 0,
            "JobName": job["Name"],
            "StartedOn": now,
            "LastModifiedOn": now,
            "JobRunState": "STARTING",
            # Last, so that a caller's arguments do not replace them.
            "Arguments": {**arguments, **(job.get("NonOverridableArguments") or {})},
            "PredecessorRuns": [],
            "AllocatedCapacity": workers,
            "ExecutionTime": 0,
            "Timeout": body.get("Timeout") or job.get("Timeout") or DEFAULT_TIMEOUT_MINUTES,
            "MaxCapacity": size.dpus,
            "WorkerType": size.type,
            "NumberOfWorkers": workers,
            "LogGroupName": SHARED_PREFIX,
            "GlueVersion": job.get("GlueVersion") or "5.1",
            "ExecutionClass": "STANDARD",
        }
