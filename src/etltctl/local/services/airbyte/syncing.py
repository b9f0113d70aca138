"""Runs jobs in threads, one per connection at a time, and records how each one ends."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from typing import TYPE_CHECKING

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.airbyte.connections import Connection
from etltctl.local.services.airbyte.extraction import Extraction, MakeSource
from etltctl.local.services.airbyte.jobs import Job, Jobs, JobType, Status
from etltctl.local.services.airbyte.records import (
    FailureKind,
    SyncCancelledError,
    SyncError,
    describe,
    without_passwords,
)
from etltctl.local.services.airbyte.states import StreamStates

if TYPE_CHECKING:
    from etltctl.local.services.s3.directory import S3Directory

STOP_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0  # for all syncs together: what does not end is recorded as failed by the next server
LOG = logging.getLogger(__name__)


class Cancellation:
    """The end of a sync, or of another work of a connector, that a caller may ask for."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Asks the sync to stop."""
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Sleep; raise SyncCancelledError as soon as the sync is cancelled."""
        if self._event.wait(seconds):
            raise SyncCancelledError


class Syncs:
    """The running jobs."""

    def __init__(
        self, jobs: Jobs, states: StreamStates, directory: S3Directory, make_source: MakeSource
    ) -> None:
        self._jobs = jobs
        self._states = states
        self._directory = directory
        self._make_source = make_source
        self._running: dict[str, tuple[threading.Thread, Cancellation]] = {}

    def start(self, connection: Connection, job_type: JobType) -> Job:
        """Return a new job of the connection, already under way; raise AlreadyRunningError."""
        job = self._jobs.create(connection.id, job_type)
        cancellation = Cancellation()
        thread = threading.Thread(
            target=self._run, args=(job, connection, cancellation), name=f"{job.type}-{job.id}", daemon=True
        )
        self._running[connection.id] = (thread, cancellation)
        thread.start()
        return job

    def cancel(self, connection_id: str) -> None:
        """Stop the connection's sync, if one runs, and wait until it has stopped."""
        if connection_id in self._running:
            thread, cancellation = self._running[connection_id]
            cancellation.cancel()
            thread.join(STOP_TIMEOUT_S)

    def close(self) -> None:
        """Cancel every sync. The caller ends whatever a live sync still waits for."""
        running = list(self._running.values())
        for _, cancellation in running:
            cancellation.cancel()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for thread, _ in running:
            thread.join(max(deadline - time.monotonic(), 0))

    def _run(self, job: Job, connection: Connection, cancellation: Cancellation) -> None:
        """End the job whatever happens; an error that no code here expects is named and in the server's log."""
        self._jobs.run(job.id)
        try:
            work = Extraction(job, connection, self._jobs, self._states, self._directory)
            if job.type is JobType.SYNC:
                work.sync(self._make_source, cancellation.pause)
            else:
                work.clear()
            self._jobs.end(job.id, Status.SUCCEEDED)
        except SyncCancelledError:
            self._jobs.end(job.id, Status.CANCELLED)
        except SyncError as error:
            LOG.warning("job %d of %s failed: %s", job.id, connection.name, error.message)
            self._jobs.end(job.id, Status.FAILED, error.message, error.kind, error.code)
        except AwsError as error:
            LOG.warning("job %d of %s failed: %s", job.id, connection.name, error)
            message = f"s3://{connection.bucket}/{connection.path}: {error}"
            self._jobs.end(job.id, Status.FAILED, message, FailureKind.CONFIG)
        except OSError as error:
            LOG.warning("job %d of %s failed: %s", job.id, connection.name, error)
            self._jobs.end(job.id, Status.FAILED, _file_trouble(error), FailureKind.SYSTEM)
        except Exception as error:  # noqa: BLE001  a job that never ends would block its connection for ever
            trace = without_passwords(traceback.format_exc())
            LOG.error("job %d of %s: unforeseen error\n%s", job.id, connection.name, trace)
            message = (
                f"the sync ended with an unforeseen error, {without_passwords(describe(error))}; "
                "the server's log (server/server.log in the state folder) has its trace"
            )
            self._jobs.end(job.id, Status.FAILED, message, FailureKind.SYSTEM)
        finally:
            # Reached with the job still open only if the thread was ended from outside, as by SystemExit.
            message = "the sync was broken off: see server/server.log in the state folder"
            self._jobs.end(job.id, Status.FAILED, message, FailureKind.SYSTEM)


def _file_trouble(error: OSError) -> str:
    reason = error.strerror or describe(error)
    file = f" ({error.filename})" if error.filename else ""
    return f"the files could not be written: {reason}{file}"
