"""Remote runs as facts: the status that a service reports of them, and what it means to etltctl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from etltctl.worker_sizes import WorkerSize


class State(StrEnum):
    """What a service's status means: the run goes on, ended well, or ended otherwise."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Outcome(StrEnum):
    """How a run of etltctl ended, or how it stands if its last event is not its end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    INTERRUPTED = "interrupted"
    DETACHED = "detached"
    RUNNING = "running"  # a process drives it
    UNATTENDED = "unattended"  # no process drives it; a remote run that it started may go on
    UNFINISHED = "unfinished"  # no process drives it, and no remote run of it is on record as live


class Verb(StrEnum):
    """What a start did: it started a run, adopted one that goes on, or reused one that had succeeded."""

    STARTED = "started"
    ADOPTED = "adopted"
    REUSED = "reused"


@dataclass(frozen=True)
class Run:
    """One remote run as last polled; `status` is the service's own word, `reason` its explanation."""

    states: ClassVar[Mapping[str, State]] = {}
    stopped: ClassVar[frozenset[str]] = frozenset()
    """The final states in which the service leaves a run that a caller stopped."""
    stop_log: ClassVar[str] = "its log"
    """Where the service or AWS records which caller stopped a run."""
    service: ClassVar[str] = ""

    id: str
    name: str
    status: str
    reason: str = ""

    @property
    def state(self) -> State:
        """The meaning of `status`; an unknown status counts as running, bounded by the deadline of the wait."""
        # A new status of the service must not end a wait: taken for a failure, the step would be started again.
        return self.states.get(self.status, State.RUNNING)

    @property
    def began(self) -> datetime | None:
        """When it began; None if the service does not report it."""
        return None

    @property
    def was_stopped(self) -> bool:
        """Whether a caller stopped it."""
        return self.status in self.stopped

    @property
    def is_known(self) -> bool:
        """Whether `status` is one of the service's documented states."""
        return self.status in self.states


# The code of a failed sync of the embedded server whose kept state cannot be used.
STATE_UNUSABLE = "state-unusable"


@dataclass(frozen=True)
class SyncJob(Run):
    """An Airbyte job of one connection."""

    service: ClassVar[str] = "Airbyte"
    states: ClassVar[Mapping[str, State]] = {
        "pending": State.RUNNING,
        "queued": State.RUNNING,
        "running": State.RUNNING,
        "incomplete": State.RUNNING,  # between two attempts of the same job
        "succeeded": State.SUCCEEDED,
        "failed": State.FAILED,
        # A person stopped it, so what landed is not whole.
        "cancelled": State.FAILED,
    }
    stopped: ClassVar[frozenset[str]] = frozenset({"cancelled"})
    stop_log: ClassVar[str] = "Airbyte's log"

    rows: int | None = None
    bytes: int | None = None
    duration_s: float | None = None
    created: datetime | None = None
    failure_code: str = ""  # what went wrong, as the embedded server names it for programs; Airbyte has none
    note: str = ""  # what the embedded server does before rows come, such as making a connector's environment

    @property
    def began(self) -> datetime | None:
        """When Airbyte made the job."""
        return self.created


@dataclass(frozen=True)
class SparkStage:
    """How far one stage of a Spark job has got. Spark numbers the stages of a script from 0, as its log does."""

    number: int
    done: int
    tasks: int


@dataclass(frozen=True)
class JobRun(Run):
    """A run of one Glue job.

    `name` is the job's name in the settings, and `name_at_glue` the one by which Glue knows the job.
    """

    service: ClassVar[str] = "Glue"
    states: ClassVar[Mapping[str, State]] = {
        "STARTING": State.RUNNING,
        "RUNNING": State.RUNNING,
        # A run that stops still bills, and its files may still change.
        "STOPPING": State.RUNNING,
        "WAITING": State.RUNNING,
        "SUCCEEDED": State.SUCCEEDED,
        "FAILED": State.FAILED,
        "STOPPED": State.FAILED,
        "TIMEOUT": State.FAILED,
        "ERROR": State.FAILED,
        "EXPIRED": State.FAILED,
    }
    stopped: ClassVar[frozenset[str]] = frozenset({"STOPPED"})
    stop_log: ClassVar[str] = "CloudTrail"

    execution_s: int = 0
    dpu_seconds: float = 0.0
    arguments: Mapping[str, str] = field(default_factory=dict)
    previous_id: str = ""  # the run that this one is Glue's own retry of
    started: datetime | None = None
    ended: datetime | None = None
    log_group: str = "/aws-glue/jobs"
    name_at_glue: str = ""
    size: WorkerSize | None = None
    stage: SparkStage | None = None  # from the log: Glue's API reports none

    @property
    def began(self) -> datetime | None:
        """When Glue received the start."""
        return self.started

    @property
    def duration_s(self) -> float | None:
        """From start to end, waiting for capacity included; None while it runs."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


@dataclass(frozen=True)
class QueryExecution(Run):
    """One Athena query execution."""

    service: ClassVar[str] = "Athena"
    states: ClassVar[Mapping[str, State]] = {
        "QUEUED": State.RUNNING,
        "RUNNING": State.RUNNING,
        "SUCCEEDED": State.SUCCEEDED,
        "FAILED": State.FAILED,
        "CANCELLED": State.FAILED,
    }
    stopped: ClassVar[frozenset[str]] = frozenset({"CANCELLED"})
    stop_log: ClassVar[str] = "CloudTrail"

    scanned_bytes: int = 0
    rows: int | None = None  # of an UNLOAD, whose files alone show them
    duration_ms: int = 0
    output_location: str = ""
    submitted: datetime | None = None
    is_retryable: bool = False  # failed for a reason inside Athena: the same query may succeed

    @property
    def began(self) -> datetime | None:
        """When Athena received the query."""
        return self.submitted


@dataclass(frozen=True)
class StackOperation(Run):
    """One operation of CloudFormation on a stack: its creation, an update, its deletion."""

    service: ClassVar[str] = "CloudFormation"
    states: ClassVar[Mapping[str, State]] = {
        "REVIEW_IN_PROGRESS": State.RUNNING,
        "CREATE_IN_PROGRESS": State.RUNNING,
        "CREATE_COMPLETE": State.SUCCEEDED,
        "CREATE_FAILED": State.FAILED,
        "ROLLBACK_IN_PROGRESS": State.RUNNING,
        "ROLLBACK_COMPLETE": State.FAILED,
        "ROLLBACK_FAILED": State.FAILED,
        "UPDATE_IN_PROGRESS": State.RUNNING,
        # The update has gone through, but the stack takes no other operation before the cleanup ends.
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": State.RUNNING,
        "UPDATE_COMPLETE": State.SUCCEEDED,
        "UPDATE_FAILED": State.FAILED,
        "UPDATE_ROLLBACK_IN_PROGRESS": State.RUNNING,
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": State.RUNNING,
        "UPDATE_ROLLBACK_COMPLETE": State.FAILED,
        "UPDATE_ROLLBACK_FAILED": State.FAILED,
        "DELETE_IN_PROGRESS": State.RUNNING,
        "DELETE_COMPLETE": State.SUCCEEDED,
        "DELETE_FAILED": State.FAILED,
        "IMPORT_IN_PROGRESS": State.RUNNING,
        "IMPORT_COMPLETE": State.SUCCEEDED,
        "IMPORT_ROLLBACK_IN_PROGRESS": State.RUNNING,
        "IMPORT_ROLLBACK_COMPLETE": State.FAILED,
        "IMPORT_ROLLBACK_FAILED": State.FAILED,
    }


@dataclass(frozen=True)
class RefreshJob(Run):
    """A background job of Tableau that refreshes the extract of a data source; `id` is empty if it is not listed."""

    service: ClassVar[str] = "Tableau"
    states: ClassVar[Mapping[str, State]] = {
        "Pending": State.RUNNING,
        "InProgress": State.RUNNING,
        "Success": State.SUCCEEDED,
        # Tableau Cloud and Server name the same end differently.
        "Completed": State.SUCCEEDED,
        "Failed": State.FAILED,
        "Cancelled": State.FAILED,
    }
