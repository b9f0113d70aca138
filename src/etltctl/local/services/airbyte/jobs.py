"""The jobs of the embedded Airbyte: their statuses, kept in one file that survives the server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import LateWrites, read_json, write_atomically

# Every change writes the whole file again, so its size needs a bound.
KEPT_JOBS = 500
FIRST_ID_AFTER_DAMAGE = (
    1_000_000  # above every id of the lost history: a client must not take a new job for an old one
)


class JobType(StrEnum):
    """Airbyte's words for what a job does. Its server makes a reset of a clear: one is the older name of the other."""

    SYNC = "sync"
    RESET = "reset"


class Status(StrEnum):
    """Airbyte's words for a job's state that occur here."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in (Status.PENDING, Status.RUNNING)


@dataclass(frozen=True)
class Job:
    """One job; times are seconds since 1970, `failure_kind` is one of Airbyte's failure types.

    `failure_code` says for etltctl what is wrong, such as STATE_UNUSABLE. It may be empty.
    """

    id: int
    connection_id: str
    status: Status
    created: float
    updated: float
    started: float | None = None
    ended: float | None = None
    rows: int = 0
    bytes: int = 0
    failure: str = ""
    failure_kind: str = ""
    failure_code: str = ""
    type: JobType = JobType.SYNC

    def answer(self, now: float) -> dict[str, Any]:
        """Return the job as the public API shows it, and `etltctl_failure`, which only the embedded server adds."""
        answer: dict[str, Any] = {
            "jobId": self.id,
            "status": str(self.status),
            "jobType": str(self.type),
            "connectionId": self.connection_id,
            "startTime": java_instant(self.created),
        }
        if self.status.is_final:
            answer["lastUpdatedAt"] = java_instant(self.updated)
        if self.status is not Status.PENDING:
            answer["duration"] = java_duration((self.ended or now) - self.created)
            answer.update(bytesSynced=self.bytes, rowsSynced=self.rows)
        if self.failure:
            code = {"code": self.failure_code} if self.failure_code else {}
            answer["etltctl_failure"] = {"message": self.failure, "kind": self.failure_kind, **code}
        return answer


class AlreadyRunningError(Exception):
    """A job of this connection has not ended yet."""


class Jobs:
    """All jobs, newest last. A job found running at the start was cut off with the server before: it failed."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._next_id = 1
        self._generations: dict[str, int] = {}
        self._late = LateWrites()
        was_there = file.is_file()
        kept = read_json(file, _parse)
        if kept is not None:
            self._load(*kept)
        elif was_there:
            # By the time, so that the ids after a second damage differ from those after the first.
            self._next_id = FIRST_ID_AFTER_DAMAGE + int(clock()) % FIRST_ID_AFTER_DAMAGE

    def create(self, connection_id: str, job_type: JobType = JobType.SYNC) -> Job:
        """Return a new, pending job.

        Args:
            connection_id: The connection.
            job_type: What the job does.

        Raises:
            AlreadyRunningError: another job of the connection has not ended.
            OSError: the job cannot be recorded, and so does not exist.
        """
        with self._lock:
            if self._current(connection_id) is not None:
                raise AlreadyRunningError(connection_id)
            now = self._clock()
            job = Job(self._next_id, connection_id, Status.PENDING, created=now, updated=now, type=job_type)
            # On disk before it is answered: after a crash a client must find the job whose id it was given.
            self._write({**self._jobs, job.id: job}, self._next_id + 1)
            self._next_id += 1
            self._remember(job)
            return job

    def run(self, job_id: int) -> Job:
        """Record that the job runs, and return it."""
        return self._change(job_id, status=Status.RUNNING, started=self._clock())

    def end(
        self, job_id: int, status: Status, failure: str = "", failure_kind: str = "", failure_code: str = ""
    ) -> Job:
        """End the job and return it; a job that has ended before stays as it is."""
        failed = {"failure": failure, "failure_kind": failure_kind, "failure_code": failure_code}
        return self._change(job_id, status=status, ended=self._clock(), **failed)

    def count(self, job_id: int, rows: int, size: int) -> None:
        """Add rows and bytes to the job, in memory: progress is not worth a write to disk."""
        with self._lock:
            job = self._jobs[job_id]
            self._jobs[job_id] = replace(job, rows=job.rows + rows, bytes=job.bytes + size)

    def next_generation(self, connection_id: str, newest_written: int) -> int:
        """Return a generation newer than any before, also than the newest one among the files already written."""
        with self._lock:
            # If this list was lost, the files still know the newest generation. A smaller one would hide the new rows.
            generation = max(self._generations.get(connection_id, 0), newest_written) + 1
            self._generations[connection_id] = generation
            self._write(self._jobs, self._next_id)
            return generation

    def find(self, job_id: int) -> Job | None:
        """Return the job with this id."""
        with self._lock:
            return self._jobs.get(job_id)

    def current(self, connection_id: str) -> Job | None:
        """Return the job of the connection that has not ended."""
        with self._lock:
            return self._current(connection_id)

    def all(self) -> list[Job]:
        """Return every job, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def _current(self, connection_id: str) -> Job | None:
        jobs = (job for job in self._jobs.values() if job.connection_id == connection_id)
        return next((job for job in jobs if not job.status.is_final), None)

    def _change(self, job_id: int, **changes: Any) -> Job:
        with self._lock:
            job = self._jobs[job_id]
            # The thread of a sync ends its job in a `finally` too, after it may have ended it with a reason.
            if not job.status.is_final:
                job = replace(job, updated=self._clock(), **changes)
                self._remember(job)
                self._late.write(self._file, self._text(self._jobs, self._next_id))
            return job

    def _remember(self, job: Job) -> None:
        self._jobs[job.id] = job
        while len(self._jobs) > KEPT_JOBS:
            del self._jobs[min(self._jobs)]

    def flush(self) -> None:
        """Write what the disk did not take before."""
        self._late.flush()

    def _write(self, jobs: Mapping[int, Job], next_id: int) -> None:
        write_atomically(self._file, self._text(jobs, next_id))

    def _text(self, jobs: Mapping[int, Job], next_id: int) -> bytes:
        kept = [asdict(job) for job in jobs.values()]
        return json.dumps({"next_id": next_id, "generations": self._generations, "jobs": kept}).encode()

    def _load(self, next_id: int, generations: dict[str, int], jobs: list[Job]) -> None:
        self._next_id, self._generations = next_id, generations
        self._jobs = {job.id: job for job in jobs}
        for job in jobs:
            failure = f"the embedded server ended while this {job.type} ran"
            self.end(job.id, Status.FAILED, failure, "system_error")


def _parse(state: Any) -> tuple[int, dict[str, int], list[Job]]:
    jobs = [_job(kept) for kept in state["jobs"]]
    return int(state["next_id"]), {name: int(number) for name, number in state["generations"].items()}, jobs


def _job(kept: Mapping[str, Any]) -> Job:
    # A file of an earlier version has syncs only, and does not say so.
    job_type = JobType(kept.get("type", JobType.SYNC))
    return Job(**{**kept, "status": Status(kept["status"]), "type": job_type})


def java_instant(seconds: float) -> str:
    """Return whole seconds as Java prints an OffsetDateTime: `2026-01-02T03:04:05Z`, and no seconds when they are 0."""
    text = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text.removesuffix(':00')}Z"


def java_duration(seconds: float) -> str:
    """Return whole seconds as Java prints a Duration: `PT8H6M12S`, `PT0S`."""
    hours, rest = divmod(max(0, int(seconds)), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if number]
    return "PT" + ("".join(parts) or "0S")
