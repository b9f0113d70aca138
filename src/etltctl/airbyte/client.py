"""One Airbyte workspace as a client: every call of the public API that a pipeline needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.airbyte.problems import LOCKED, PAUSES_S, STATE_CONFLICT, TRY_AGAIN_LATER
from etltctl.airbyte.resources import Resources
from etltctl.airbyte.transport import Transport
from etltctl.answers import incomplete, require_same, required, required_list
from etltctl.errors import (
    RETRY,
    ConfigurationError,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    ServiceError,
    bounded,
)
from etltctl.retrying import RetryPolicy
from etltctl.runs import State, SyncJob, Verb
from etltctl.waiting import Waiter

if TYPE_CHECKING:
    from etltctl.settings import Settings

START_TIMEOUT_S = 150.0  # the server may take 60 s to create a job before it answers


@dataclass(frozen=True)
class Airbyte:
    """Airbyte's public API at `url`, as one application (client id and secret)."""

    url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    search: Waiter = field(default_factory=lambda: Waiter(timeout=60.0, longest=2.0))
    start_timeout: float = START_TIMEOUT_S

    @classmethod
    def from_settings(
        cls, settings: Settings, reveal: Callable[[str, str], str], policy: RetryPolicy | None = None
    ) -> Airbyte:
        """Airbyte as the settings name it; `reveal` gives the value behind a secret's reference."""
        named = settings.airbyte
        return cls(
            named.url,
            reveal(named.client_id, "airbyte.client_id"),
            reveal(named.client_secret, "airbyte.client_secret"),
            policy or RetryPolicy(),
        )

    def start_or_adopt(
        self,
        connection_id: str,
        name: str,
        *,
        known_job: str = "",
        newest_before: int | None = None,
        before_start: Callable[[int], None] | None = None,
    ) -> tuple[Verb, SyncJob, bool]:
        """Find the connection's sync that belongs to the caller, or start one once.

        A job of an earlier try is adopted while it runs and reused once it has succeeded; after a failed one, a new
        job starts. A sync that another caller has started is adopted, too.

        Args:
            connection_id: The connection.
            name: The name of the source.
            known_job: The job that an earlier try of the same run started.
            newest_before: The newest job when an earlier try was about to start one and recorded no answer.
            before_start: A function that gets the newest job id before the POST.

        Returns:
            What was done, the job, and whether the job is the caller's own.

        Raises:
            OutcomeUnknownError: The answer to the start was lost, and no new job shows up.
        """
        ours = self._ours(connection_id, name, known_job, newest_before)
        if ours is not None and ours.state is not State.FAILED:
            return (Verb.ADOPTED if ours.state is State.RUNNING else Verb.REUSED), ours, True
        deadline = self.search.clock() + self.search.timeout
        while True:
            # Job ids grow, and the POST takes no token: a job newer than this one is the start's own.
            newest = max((int(job.id) for job in self.jobs(connection_id, name, limit=1)), default=0)
            if before_start:
                before_start(newest)
            try:
                return Verb.STARTED, self.start(connection_id, name), True
            except ServiceError as error:
                job = self._after_failed_start(connection_id, name, newest, error)
                if job is not None:
                    return Verb.ADOPTED, job, error.is_open  # else it was there before, in the start's way
                if self.search.clock() >= deadline:
                    raise
                # Only refusals that pass by themselves come here: `_after_failed_start` raises all others.
                self.search.sleep(PAUSES_S[error.code])

    def start(self, connection_id: str, name: str, job_type: str = "sync") -> SyncJob:
        """Start a sync or a `reset`; the POST is sent once, whatever happens to its answer."""
        body = {"connectionId": connection_id, "jobType": job_type}
        answer = self._transport.send("POST", "/jobs", json=body, timeout=self.start_timeout)
        return _job(answer, name, self._transport.named("POST", "/jobs"), connectionId=connection_id)

    def poll(self, job_id: str, name: str) -> SyncJob:
        """Return the job as the server sees it now."""
        path = f"/jobs/{job_id}"
        return _job(self._transport.read(path), name, self._transport.named("GET", path), jobId=job_id)

    def jobs(self, connection_id: str, name: str, *, limit: int = 20) -> list[SyncJob]:
        """Return the connection's latest syncs, newest first, without its resets and clears."""
        query = {"connectionId": connection_id, "jobType": "sync", "orderBy": "createdAt|DESC"}
        call = self._transport.named("GET", "/jobs")
        answers = required_list(self._transport.read("/jobs", limit=limit, **query), "data", call)
        return [_job(job, name, call) for job in answers]

    def find_newer(self, connection_id: str, name: str, newest: int, *, within: float) -> SyncJob | None:
        """Return the newest sync after the job `newest`, searched for a while: the listing may show it late."""

        def newer_sync() -> SyncJob | None:
            return next((job for job in self.jobs(connection_id, name) if int(job.id) > newest), None)

        return self.search.find(newer_sync, within)

    def durations(self, connection_id: str, name: str) -> list[float]:
        """How long the connection's latest successful syncs took, in seconds; empty if Airbyte does not tell."""
        try:
            jobs = self.jobs(connection_id, name)
        except EtltctlError:
            return []
        return [job.duration_s for job in jobs if job.state is State.SUCCEEDED and job.duration_s]

    def connection(self, connection_id: str) -> dict[str, Any]:
        """Return the connection as the server has it: name, status, schedule, its destination's id."""
        return self._object(f"/connections/{connection_id}", connectionId=connection_id)

    def destination(self, destination_id: str) -> dict[str, Any]:
        """Return the destination as the server has it, its secrets masked."""
        return self._object(f"/destinations/{destination_id}", destinationId=destination_id)

    def _object(self, path: str, **sent: str) -> dict[str, Any]:
        answer, call = self._transport.read(path), self._transport.named("GET", path)
        required(answer, "name", call)
        require_same(call, sent, answer)
        return dict(answer)

    def cancel(self, job: SyncJob) -> SyncJob:
        """Cancel the job if it still runs; the server blocks until it has stopped."""
        now = self.poll(job.id, job.name)
        if now.state is not State.RUNNING:
            return now
        try:
            answer = self._transport.send("DELETE", f"/jobs/{job.id}", timeout=self.start_timeout)
            return _job(answer, job.name, self._transport.named("DELETE", f"/jobs/{job.id}"), jobId=job.id)
        except ServiceError as error:
            if error.code != STATE_CONFLICT:
                raise
            return self.poll(job.id, job.name)  # it ended just before

    def _ours(
        self, connection_id: str, name: str, known_job: str, newest_before: int | None
    ) -> SyncJob | None:
        """Return what an earlier try of the same run started, as far as the server shows it."""
        # A recorded job decides alone. Only a start without a recorded answer is searched for.
        if known_job:
            try:
                return self.poll(known_job, name)
            except ConfigurationError as error:
                raise ConfigurationError(
                    f"Airbyte no longer knows job {known_job}, which an earlier try of this run started",
                    hint="start a new run: leave out its id",
                ) from error
        if newest_before is None:
            return None
        newer = [job for job in self.jobs(connection_id, name) if int(job.id) > newest_before]
        return next((job for job in newer if job.state is not State.FAILED), None)

    def _after_failed_start(
        self, connection_id: str, name: str, newest: int, error: ServiceError
    ) -> SyncJob | None:
        """Return the job of a start whose answer was lost, or the job that blocks it; None to send it again."""
        if error.is_open:
            return self._find_started(connection_id, name, newest, error)
        if error.code in {STATE_CONFLICT, LOCKED}:
            raise self._why_refused(connection_id, name, error) from error
        if error.code not in PAUSES_S:
            raise error
        # A connection whose sync runs already is refused in this way: that sync is adopted.
        jobs = self.jobs(connection_id, name) if error.code == TRY_AGAIN_LATER else []
        return next((job for job in jobs if job.state is State.RUNNING), None)

    def _why_refused(self, connection_id: str, name: str, error: ServiceError) -> EtltctlError:
        """Return the state of the connection, which the refusal itself does not name."""
        try:
            connection = self._transport.read(f"/connections/{connection_id}")
        except EtltctlError:
            return error
        if not isinstance(connection, Mapping) or (connection.get("status") or "active") == "active":
            return error
        return ConfigurationError(
            f"Airbyte starts no sync of {name}: its connection is {connection['status']}",
            hint="look at the connection in Airbyte and make it active, then run again",
            connection=connection_id,
            reason=connection.get("statusReason"),
        )

    def _find_started(self, connection_id: str, name: str, newest: int, error: ServiceError) -> SyncJob:
        job = self.find_newer(connection_id, name, newest, within=self.search.timeout)
        if job is None:
            raise OutcomeUnknownError(
                f"Airbyte left open whether a sync of {name} was started, and lists no new job: {error.message}",
                hint=NextStep(RETRY, "  # searches again before it starts; the sync may begin late"),
                connection=connection_id,
                newest_job_before=newest,
            ) from error
        return job

    @cached_property
    def resources(self) -> Resources:
        """What connections are made of: sources, destinations, definitions, and the connections themselves."""
        return Resources(self._transport, self.search)

    @cached_property
    def _transport(self) -> Transport:
        return Transport(self.url, self.client_id, self.client_secret, self.policy)


def _job(answer: Any, name: str, call: str, **sent: str) -> SyncJob:
    """Return the job of an answer.

    Args:
        answer: The answer.
        name: The name of the source.
        call: The call, as an error names it.
        sent: The ids that the call named, by field.

    Raises:
        ServiceError: The answer lacks a field that every job has, or is about another job or connection.
    """
    identifier, status = str(required(answer, "jobId", call)), str(required(answer, "status", call))
    # Of two jobs the one with the greater number is newer.
    if not identifier.isdigit():
        raise incomplete(call, "jobId (a number)")
    require_same(call, sent, answer)
    # The public API gives neither a reason nor a note. The embedded server adds them under etltctl's own names.
    reported, note = answer.get("etltctl_failure"), answer.get("etltctl_note")
    failure = reported if isinstance(reported, Mapping) else {}
    try:
        created = datetime.fromisoformat(answer["startTime"]) if answer.get("startTime") else None
    except (TypeError, ValueError) as error:
        raise incomplete(call, "startTime (a time)") from error
    return SyncJob(
        id=identifier,
        name=name,
        status=status,
        reason=bounded(str(failure.get("message", ""))),
        rows=_count(answer, "rowsSynced", call),
        bytes=_count(answer, "bytesSynced", call),
        duration_s=duration_seconds(str(answer.get("duration") or "")),
        created=created,
        failure_code=str(failure.get("code") or ""),
        note=bounded(str(note or "")),
    )


def _count(answer: Mapping[str, Any], field: str, call: str) -> int | None:
    """Return a number that a job may have; raise ServiceError for anything else, which no comparison would survive."""
    value = answer.get(field)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise incomplete(call, f"{field} (a whole number)")
    return value


def duration_seconds(text: str) -> float | None:
    """Seconds of an ISO 8601 duration of days, hours, minutes and seconds; None if it is not one."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", text)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def wrote(job: SyncJob, key: str, modified: datetime) -> bool:
    """Whether the object comes from this job or a later one.

    The S3 destination puts the start of the sync (milliseconds since 1970) into the file name; a destination with
    another file name pattern is judged by the time the object was written.
    """
    match = re.search(r"/\d{4}_\d{2}_\d{2}_(\d{13})_\d+\.parquet$", key)
    written = datetime.fromtimestamp(int(match[1]) / 1000, UTC) if match else modified
    return job.created is None or written >= job.created
