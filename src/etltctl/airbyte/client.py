"""One Airbyte workspace as a client: every call of the public API that a pipeline needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.errors import (
    AccessError,
    ConfigurationError,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
)
from etltctl.retrying import RetryPolicy
from etltctl.runs import State, SyncJob, Verb

if TYPE_CHECKING:
    import httpx

START_TIMEOUT_S = 150.0  # the server may take 60 s to create a job before it answers
TRANSIENT_CODES = frozenset({"408", "429", "500", "502", "503", "504"})
TRY_AGAIN_LATER = "try-again-later"
BAD_ANSWER = "bad-answer"


@dataclass(frozen=True)
class Airbyte:
    """Airbyte's public API at `url`, as one application (client id and secret)."""

    url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def start_or_adopt(
        self,
        connection_id: str,
        name: str,
        *,
        known_job: str = "",
        before_start: Callable[[str], None] | None = None,
    ) -> tuple[Verb, SyncJob]:
        """The sync of this connection that belongs to the caller: found, or started once.

        `known_job` is the job an earlier try of the same run started: still running it is adopted, succeeded it
        is reused, failed a new one starts. `before_start` is told the newest job id seen before the POST, so
        that a caller that dies can find what it started. A sync that somebody else already runs is adopted.
        Raises OutcomeUnknownError if the answer to the start was lost and no new job shows up.
        """
        if known_job:
            job = self.look_at(known_job, name)
            if job.state is not State.FAILED:
                return (Verb.ADOPTED if job.state is State.RUNNING else Verb.REUSED), job
        newest = max((int(job.id) for job in self.jobs(connection_id, name, limit=1)), default=0)
        if before_start:
            before_start(str(newest))
        try:
            return Verb.STARTED, self.start(connection_id, name)
        except ServiceError as error:
            found = self._find_started(connection_id, name, newest, error)
            if found is None:
                raise
            return Verb.ADOPTED, found

    def start(self, connection_id: str, name: str) -> SyncJob:
        """Starts a sync; the POST is sent once, whatever happens to its answer."""
        body = {"connectionId": connection_id, "jobType": "sync"}
        return _job(self._send("POST", "/jobs", json=body, timeout=START_TIMEOUT_S), name)

    def look_at(self, job_id: str, name: str) -> SyncJob:
        """The job as the server sees it now."""
        return _job(self._read(f"/jobs/{job_id}"), name)

    def jobs(self, connection_id: str, name: str, *, limit: int = 20) -> list[SyncJob]:
        """The newest jobs of the connection, newest first."""
        query = {"connectionId": connection_id, "limit": limit, "orderBy": "createdAt|DESC"}
        return [_job(job, name) for job in self._read("/jobs", **query)["data"]]

    def cancel(self, job: SyncJob) -> SyncJob:
        """Cancels the job if it still runs; the server blocks until it has stopped."""
        now = self.look_at(job.id, job.name)
        if now.state is not State.RUNNING:
            return now
        return _job(self._send("DELETE", f"/jobs/{job.id}", timeout=START_TIMEOUT_S), job.name)

    def _find_started(
        self, connection_id: str, name: str, newest: int, error: ServiceError
    ) -> SyncJob | None:
        """After a start whose outcome is open: the job it made, or the one that is in its way."""
        if error.code == TRY_AGAIN_LATER:
            jobs = self.jobs(connection_id, name)
            return next((job for job in jobs if job.state is State.RUNNING), None)
        if not _is_transient(error) and error.code != BAD_ANSWER:
            return None
        job = next((job for job in self.jobs(connection_id, name) if int(job.id) > newest), None)
        if job is None:
            raise OutcomeUnknownError(
                f"the answer to starting the sync of {name} was lost and no new job is listed",
                hint="look at the connection in Airbyte before you start again: the sync may begin late",
                connection=connection_id,
                newest_job_before=newest,
            ) from error
        return job

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        from etltctl.airbyte.auth import TokenAuth

        url = public_api_url(self.url)
        return httpx.Client(
            base_url=url,
            auth=TokenAuth(url, self.client_id, self.client_secret),
            timeout=httpx.Timeout(60.0, connect=10.0),
            headers={"Accept": "application/json"},
        )

    def _read(self, path: str, **query: Any) -> Any:
        def read() -> Any:
            return self._send("GET", path, params=query)

        return self.policy.call(read, is_transient=_is_transient)

    def _send(self, method: str, path: str, **request: Any) -> Any:
        import httpx

        try:
            response = self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"Airbyte at {self.url} did not answer: {error or type(error).__name__}",
                hint="check airbyte.url and the network",
                code=type(error).__name__,
            ) from error
        if response.is_success:
            return _answer(response, self.url)
        raise problem(response.status_code, _body(response), f"{method} {path}")


def public_api_url(url: str) -> str:
    """The base of the public API, however the setting spells it: one `/v1`, no slash at the end."""
    url = re.sub(r"(/v1)+/*$", "", url.rstrip("/"))
    return f"{url}/v1"


def problem(
    status: int, body: Mapping[str, Any], call: str
) -> ServiceError | AccessError | ConfigurationError:
    """The error a problem answer means; Airbyte words it in five different shapes."""
    data = body.get("data") or {}
    embedded = (body.get("_embedded") or {}).get("errors") or [{}]
    detail = (
        body.get("detail") or data.get("message") or embedded[0].get("message") or body.get("message") or ""
    )
    if status == 409 and data.get("message"):
        detail = data["message"]
    message = (
        f"Airbyte {call}: HTTP {status} {detail or body.get('title') or body.get('errorId', '')}".rstrip()
    )
    kind = str(body.get("title") or body.get("type") or status)
    if status in {401, 403}:
        return AccessError(message, hint="check airbyte.client_id, airbyte.client_secret and the workspace")
    if status == 404:
        return ConfigurationError(message, hint="check the connection_id of the source and airbyte.url")
    return ServiceError(message, code=TRY_AGAIN_LATER if TRY_AGAIN_LATER in kind else str(status))


def _answer(response: httpx.Response, url: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise ServiceError(
            f"Airbyte at {url} answered with something that is not JSON",
            code=BAD_ANSWER,
            hint="check airbyte.url: https://api.airbyte.com/v1, or https://HOST/api/public/v1 when self-hosted",
        ) from error


def _body(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {"message": response.text[:200]}
    return body if isinstance(body, dict) else {"message": str(body)[:200]}


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, UnreachableError) or (
        isinstance(error, ServiceError) and error.code in TRANSIENT_CODES
    )


def _job(answer: Mapping[str, Any], name: str) -> SyncJob:
    return SyncJob(
        id=str(answer["jobId"]),
        name=name,
        word=answer["status"],
        reason=(answer.get("etltctl_failure") or {}).get("message", ""),
        rows=answer.get("rowsSynced"),
        bytes=answer.get("bytesSynced"),
        duration_s=duration_seconds(answer.get("duration") or ""),
        created=datetime.fromisoformat(answer["startTime"]) if answer.get("startTime") else None,
    )


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
    if job.created is None:
        return True
    match = re.search(r"/\d{4}_\d{2}_\d{2}_(\d{13})_\d+\.parquet$", key)
    written = datetime.fromtimestamp(int(match[1]) / 1000, UTC) if match else modified
    return written >= job.created
