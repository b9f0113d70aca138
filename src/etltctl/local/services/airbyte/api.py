"""Airbyte's public API: who may call what, and what each call answers."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from etltctl.local.services.airbyte.connections import WORKSPACE_ID, Connection
from etltctl.local.services.airbyte.jobs import AlreadyRunningError, Job, Jobs, JobType, Status
from etltctl.local.services.airbyte.records import describe, without_passwords
from etltctl.local.services.airbyte.resource_calls import ResourceCalls
from etltctl.local.services.airbyte.tokens import LIFETIME_S, Tokens
from etltctl.local.services.airbyte.wire import (
    ProblemError,
    Request,
    bad_request,
    not_found,
    page_of,
    problem,
    read_request,
    send,
    state_conflict,
    try_again_later,
    unauthorized,
    unexpected,
    unprocessable,
    wrong_credentials,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LOG = logging.getLogger(__name__)
Handler = Callable[..., Any]
JOB_TYPES = {"sync": JobType.SYNC, "reset": JobType.RESET, "clear": JobType.RESET}


class SyncControl(Protocol):
    """Starts and stops jobs."""

    def start(self, connection: Connection, job_type: JobType) -> Job:
        """Start a job; raise AlreadyRunningError."""

    def cancel(self, connection_id: str) -> None:
        """Cancel the connection's sync and wait until it has stopped."""

    def note_of(self, connection_id: str) -> str:
        """Return what the connection's sync says of its progress; empty for nothing."""


class PublicApi:
    """The calls, by method and path."""

    def __init__(
        self,
        tokens: Tokens,
        jobs: Jobs,
        syncs: SyncControl,
        resources: ResourceCalls,
        clock: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._jobs = jobs
        self._syncs = syncs
        self._resources = resources
        self._clock = clock
        self._open: dict[tuple[str, str], Handler] = {
            ("POST", "/applications/token"): self._issue_token,
            ("GET", "/health"): lambda _: "Successful operation",
        }
        self._guarded: list[tuple[str, str, Handler]] = [
            ("POST", r"/jobs", self._create_job),
            ("GET", r"/jobs", self._list_jobs),
            ("GET", r"/jobs/(\d+)", self._get_job),
            ("DELETE", r"/jobs/(\d+)", self._cancel_job),
            *resources.routes(),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; PATH_INFO begins after the API's base."""
        request = read_request(environ)
        try:
            return send(start_response, HTTPStatus.OK, self._answer(request))
        except ProblemError as refused:
            return send(start_response, refused.status, refused.body)
        except Exception as error:  # noqa: BLE001  the server's own page would name neither the call nor the error
            trace = without_passwords(traceback.format_exc())
            LOG.error("%s %s: unforeseen error\n%s", request.method, request.path, trace)
            unforeseen = unexpected(without_passwords(describe(error)))
            return send(start_response, unforeseen.status, unforeseen.body)

    def _answer(self, request: Request) -> Any:
        path = request.path.rstrip("/")
        if (request.method, path) in self._open:
            return self._open[request.method, path](request)
        scheme, _, token = request.authorization.partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.is_good(token):
            raise unauthorized()
        matches = [
            (method, match, handler)
            for method, pattern, handler in self._guarded
            if (match := re.fullmatch(pattern, path))
        ]
        for method, match, handler in matches:
            if method == request.method:
                return handler(request, *match.groups())
        if matches:
            message = f"{request.method} {path} is not offered here"
            raise problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", message)
        raise not_found("path", path)

    def _issue_token(self, request: Request) -> dict[str, Any]:
        """Answer with a token, whatever the grant type: Airbyte's clients spell it in three ways."""
        fields = request.fields()
        token = self._tokens.issue(str(fields.get("client_id", "")), str(fields.get("client_secret", "")))
        if token is None:
            raise wrong_credentials(request.path)
        return {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S}

    def _create_job(self, request: Request) -> dict[str, Any]:
        fields = request.fields()
        connection = self._resources.runnable(str(fields.get("connectionId")))
        job_type = fields.get("jobType")
        if job_type == "refresh":
            raise unprocessable("Refreshes are not supported in the public API")
        if job_type not in JOB_TYPES:
            raise unprocessable(f"there is no job type {job_type!r}; there are {', '.join(JOB_TYPES)}")
        try:
            return self._syncs.start(connection, JOB_TYPES[job_type]).answer(self._clock())
        except AlreadyRunningError:
            raise try_again_later(connection.id) from None

    def _get_job(self, request: Request, job_id: str) -> dict[str, Any]:  # noqa: ARG002
        job = self._job(job_id)
        # Like the reason of a failure, this is only in the embedded server's answers.
        note = "" if job.status.is_final else self._syncs.note_of(job.connection_id)
        return {**job.answer(self._clock()), **({"etltctl_note": note} if note else {})}

    def _cancel_job(self, request: Request, job_id: str) -> dict[str, Any]:  # noqa: ARG002
        """Like Airbyte, cancels what runs on the job's connection and answers when it has stopped."""
        job = self._job(job_id)
        if self._jobs.current(job.connection_id) is None:
            raise state_conflict("Job is not currently running")
        self._syncs.cancel(job.connection_id)
        return self._job(job_id).answer(self._clock())

    def _list_jobs(self, request: Request) -> dict[str, Any]:
        jobs = [job for job in _between(self._jobs.all(), request) if _is_asked_for(job, request)]
        field, _, direction = request.query.get("orderBy", "createdAt|ASC").partition("|")
        if field not in ("createdAt", "updatedAt") or direction not in ("ASC", "DESC"):
            raise bad_request("orderBy is createdAt or updatedAt, then |ASC or |DESC")
        if field == "updatedAt":
            jobs.sort(key=lambda job: job.updated)
        if direction == "DESC":
            jobs.reverse()
        answers = [job.answer(self._clock()) for job in jobs]
        # Like Airbyte, the link to the next page keeps the connection and drops every other filter.
        return page_of(answers, request, kept=("connectionId", "workspaceIds", "jobType"))

    def _job(self, job_id: str) -> Job:
        job = self._jobs.find(int(job_id))
        if job is None:
            raise not_found("job", job_id)
        return job


def _is_asked_for(job: Job, request: Request) -> bool:
    query = request.query
    status = query.get("status")
    if status and status not in {*Status, "queued", "incomplete"}:
        raise bad_request(f"{status} is not a job status")
    return (
        query.get("connectionId") in (None, job.connection_id)
        and status in (None, job.status)
        and query.get("jobType") in (None, job.type)
        and WORKSPACE_ID in (request.values("workspaceIds") or [WORKSPACE_ID])
    )


def _between(jobs: Iterable[Job], request: Request) -> list[Job]:
    """Return the jobs whose times, in whole seconds as shown, lie within the limits. Both limits are included."""
    limits = [(attribute, request.moment(f"{attribute}At{end}"), end)
              for attribute in ("created", "updated") for end in ("Start", "End")]  # fmt: skip

    def is_within(job: Job) -> bool:
        for attribute, limit, end in limits:
            at = int(getattr(job, attribute))
            if limit is not None and (at < limit.timestamp() if end == "Start" else at > limit.timestamp()):
                return False
        return True

    return [job for job in jobs if is_within(job)]
