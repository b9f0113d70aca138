"""Airbyte's public API: who may call what, and what each call answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from etltctl.local.airbyte.connections import WORKSPACE_ID, Connection, stable_id, workspace_answer
from etltctl.local.airbyte.jobs import AlreadyRunningError, Job, Jobs, Status
from etltctl.local.airbyte.tokens import LIFETIME_S, Tokens
from etltctl.local.airbyte.wire import (
    ProblemError,
    Request,
    bad_request,
    not_found,
    problem,
    read_request,
    send,
    state_conflict,
    try_again_later,
    unauthorized,
    unprocessable,
    wrong_credentials,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
Handler = Callable[..., Any]


class SyncControl(Protocol):
    """Starts and stops syncs."""

    def start(self, connection: Connection) -> Job:
        """A new job; raises AlreadyRunningError."""

    def cancel(self, connection_id: str) -> None:
        """Returns when the connection's sync has stopped."""


class PublicApi:
    """The calls, by method and path. Resources are read-only: what there is comes from the project's settings."""

    def __init__(
        self,
        tokens: Tokens,
        jobs: Jobs,
        syncs: SyncControl,
        connections: Mapping[str, Connection],
        clock: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._jobs = jobs
        self._syncs = syncs
        self._connections = connections
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
            ("GET", r"/(workspaces|connections|sources|destinations)", self._list_resources),
            ("GET", r"/(workspaces|connections|sources|destinations)/([^/]+)", self._get_resource),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; PATH_INFO begins after the API's base."""
        request = read_request(environ)
        try:
            return send(start_response, HTTPStatus.OK, self._answer(request))
        except ProblemError as refused:
            return send(start_response, refused.status, refused.body)

    def _answer(self, request: Request) -> Any:
        path = request.path.rstrip("/")
        if (request.method, path) in self._open:
            return self._open[request.method, path](request)
        scheme, _, token = request.authorization.partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.is_good(token):
            raise unauthorized()
        matches = [
            (method, found, handler)
            for method, pattern, handler in self._guarded
            if (found := re.fullmatch(pattern, path))
        ]
        for method, found, handler in matches:
            if method == request.method:
                return handler(request, *found.groups())
        if matches:
            message = f"{request.method} {path} is not offered here: resources come from etltctl's settings"
            raise problem(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", message)
        raise not_found("path", path)

    def _issue_token(self, request: Request) -> dict[str, Any]:
        """The grant type is not looked at, as in Airbyte, whose clients spell it in three ways."""
        fields = request.fields()
        token = self._tokens.issue(str(fields.get("client_id", "")), str(fields.get("client_secret", "")))
        if token is None:
            raise wrong_credentials(request.path)
        return {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S}

    def _create_job(self, request: Request) -> dict[str, Any]:
        fields = request.fields()
        connection = self._connections.get(str(fields.get("connectionId")))
        if connection is None:
            raise not_found("connection", str(fields.get("connectionId")))
        if fields.get("jobType") != "sync":
            raise unprocessable(f"job type {fields.get('jobType')!r} is not supported here; sync is")
        try:
            return self._syncs.start(connection).answer(self._clock())
        except AlreadyRunningError:
            raise try_again_later(connection.id) from None

    def _get_job(self, request: Request, job_id: str) -> dict[str, Any]:  # noqa: ARG002
        return self._job(job_id).answer(self._clock())

    def _cancel_job(self, request: Request, job_id: str) -> dict[str, Any]:  # noqa: ARG002
        """Like Airbyte, cancels what runs on the job's connection and answers when it has stopped."""
        job = self._job(job_id)
        if self._jobs.current(job.connection_id) is None:
            raise state_conflict("Job is not currently running")
        self._syncs.cancel(job.connection_id)
        return self._job(job_id).answer(self._clock())

    def _list_jobs(self, request: Request) -> dict[str, Any]:
        jobs = [job for job in self._jobs.all() if _is_asked_for(job, request.query)]
        field, _, direction = request.query.get("orderBy", "createdAt|ASC").partition("|")
        if field not in ("createdAt", "updatedAt") or direction not in ("ASC", "DESC"):
            raise bad_request("orderBy is createdAt or updatedAt, then |ASC or |DESC")
        if field == "updatedAt":
            jobs.sort(key=lambda job: job.updated)
        if direction == "DESC":
            jobs.reverse()
        answers = [job.answer(self._clock()) for job in jobs]
        # Like Airbyte, the link to the next page keeps the connection and drops every other filter.
        return _page(answers, request, kept=("connectionId", "workspaceIds", "jobType"))

    def _list_resources(self, request: Request, kind: str) -> dict[str, Any]:
        return _page(list(self._resources(kind).values()), request, kept=("workspaceIds", "includeDeleted"))

    def _get_resource(self, request: Request, kind: str, identifier: str) -> dict[str, Any]:  # noqa: ARG002
        found = self._resources(kind).get(identifier)
        if found is None:
            raise not_found(kind.removesuffix("s"), identifier)
        return found

    def _resources(self, kind: str) -> dict[str, dict[str, Any]]:
        if kind == "workspaces":
            return {WORKSPACE_ID: workspace_answer()}
        singular = kind.removesuffix("s")
        return {
            stable_id(singular, each.name): getattr(each, f"{singular}_answer")()
            for each in self._connections.values()
        }

    def _job(self, job_id: str) -> Job:
        job = self._jobs.find(int(job_id))
        if job is None:
            raise not_found("job", job_id)
        return job


def _is_asked_for(job: Job, query: Mapping[str, str]) -> bool:
    status = query.get("status")
    if status and status not in {*Status, "queued", "incomplete"}:
        raise bad_request(f"{status} is not a job status")
    return (
        query.get("connectionId") in (None, job.connection_id)
        and status in (None, job.status)
        and query.get("jobType") in (None, "sync")
        and WORKSPACE_ID in query.get("workspaceIds", WORKSPACE_ID).split(",")
    )


def _page(answers: Sequence[dict[str, Any]], request: Request, kept: Sequence[str]) -> dict[str, Any]:
    """`next` is empty only after an empty page, as in Airbyte: one page too many is the rule."""
    limit = _number(request.query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = _number(request.query, "offset", 0, 0, 2**31)
    page = answers[offset : offset + limit]
    filters = {name: request.query[name] for name in kept if name in request.query}

    def link(start: int) -> str:
        return f"{request.path}?{urlencode({**filters, 'limit': limit, 'offset': start})}"

    previous = link(max(0, offset - limit)) if offset else ""
    return {"previous": previous, "next": link(offset + limit) if page else "", "data": page}


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"\d{1,10}", text) or not least <= int(text) <= most:
        raise bad_request(f"{name} must be a number from {least} to {most}")
    return int(text)
