"""A stub of Tableau's REST API over a real socket: sign-in, projects, data sources, uploads in chunks, refresh jobs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from werkzeug.serving import WSGIRequestHandler, make_server

VERSION = "3.22"
SITE_ID, USER_ID = "site-1", "user-1"
DONE = 'createdAt="2026-01-02T03:04:05Z" startedAt="2026-01-02T03:04:06Z" completedAt="2026-01-02T03:04:09Z"'
JOB_WORDS = {
    "Pending": 'createdAt="2026-01-02T03:04:05Z"',
    "InProgress": 'createdAt="2026-01-02T03:04:05Z" startedAt="2026-01-02T03:04:06Z" finishCode="1"',
    "Success": f'{DONE} finishCode="0"',
    "Failed": f'{DONE} finishCode="1"',
    "Cancelled": f'{DONE} finishCode="2"',
}


class RefusalError(Exception):
    """An error in Tableau's shape."""

    def __init__(self, status: int, code: str, summary: str, detail: str) -> None:
        super().__init__(code)
        self.status, self.code, self.summary, self.detail = status, code, summary, detail


@dataclass
class Site:
    """A site with one token; it keeps every request for the test."""

    content_url: str = "lake"
    projects: list[str] = field(default_factory=lambda: ["default", "Weather"])
    datasources: dict[str, str] = field(default_factory=dict)  # name → project
    job_words: list[str] = field(default_factory=lambda: ["Pending", "InProgress", "Success"])
    already_queued: bool = False
    listed_jobs: list[tuple[str, str, str]] = field(default_factory=list)  # id, name, status
    published: list[dict[str, Any]] = field(default_factory=list)
    chunks: dict[str, list[bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    expire_at: str = ""  # the sign-in has expired at the first call of this path
    signed_in: int = 0
    url: str = ""
    refuse: dict[str, RefusalError] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        self.requests.append(f"{environ['REQUEST_METHOD']} {path}")
        try:
            status, answer = self._answer(environ, path, body)
        except RefusalError as refused:
            status = f"{refused.status} Refused"
            answer = (
                f'<error code="{refused.code}"><summary>{refused.summary}</summary>'
                f"<detail>{refused.detail}</detail></error>"
            )
        text = f'<?xml version="1.0" encoding="UTF-8"?><tsResponse xmlns="http://tableau.com/api">{answer}</tsResponse>'
        start_response(
            status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text.encode())))]
        )
        return [text.encode()]

    def _answer(self, environ: Any, path: str, body: bytes) -> tuple[str, str]:
        if path == "/api/2.4/serverInfo":
            return "200 OK", (
                '<serverInfo><productVersion build="20241.1">2024.1</productVersion>'
                f"<restApiVersion>{VERSION}</restApiVersion></serverInfo>"
            )
        rest = path.removeprefix(f"/api/{VERSION}")
        if rest == "/auth/signin":
            return self._sign_in(body)
        self._check_token(environ, rest)
        inner = rest.removeprefix(f"/sites/{SITE_ID}")
        query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        routes: list[tuple[str, Callable[..., tuple[str, str]]]] = [
            (r"GET /projects", self._list_projects),
            (r"GET /datasources", self._list_datasources),
            (r"POST /fileUploads", self._begin_upload),
            (r"PUT /fileUploads/(\w+)", self._append),
            (r"POST /datasources", self._publish),
            (r"POST /datasources/([^/]+)/refresh", self._refresh),
            (r"GET /jobs", self._list_jobs),
            (r"GET /jobs/([^/]+)", self._job),
            (r"PUT /jobs/([^/]+)", self._cancel),
        ]
        for pattern, handler in routes:
            match = re.fullmatch(pattern, f"{environ['REQUEST_METHOD']} {inner}")
            if match:
                if pattern in self.refuse:
                    raise self.refuse[pattern]
                return handler(query, body, environ, *match.groups())
        raise RefusalError(404, "404000", "Not found", path)

    def _sign_in(self, body: bytes) -> tuple[str, str]:
        credentials = ET.fromstring(body)[0]
        token = (credentials.get("personalAccessTokenName"), credentials.get("personalAccessTokenSecret"))
        site = credentials[0].get("contentUrl")
        if token != ("ci", "s3cret") or site != self.content_url:
            raise RefusalError(
                401, "401001", "Signin Error", "The personal access token you provided is invalid."
            )
        self.signed_in += 1
        return "200 OK", (
            f'<credentials token="token-{self.signed_in}"><site id="{SITE_ID}" contentUrl="{site}"/>'
            f'<user id="{USER_ID}"/></credentials>'
        )

    def _check_token(self, environ: Any, path: str) -> None:
        if self.expire_at and path.endswith(self.expire_at):
            self.expire_at = ""
            raise RefusalError(
                401, "401002", "Unauthorized Access", "Invalid authentication credentials were provided."
            )
        assert environ["HTTP_X_TABLEAU_AUTH"] == f"token-{self.signed_in}"

    def _list_projects(self, *_: Any) -> tuple[str, str]:
        elements = "".join(f'<project id="id-{name}" name="{name}"/>' for name in self.projects)
        return "200 OK", f"{_pages(len(self.projects))}<projects>{elements}</projects>"

    def _list_datasources(self, query: dict[str, str], *_: Any) -> tuple[str, str]:
        searched = query["filter"].removeprefix("name:eq:")
        matching = {name: project for name, project in self.datasources.items() if name == searched}
        elements = "".join(
            f'<datasource id="ds-{name}" name={quoteattr(name)} contentUrl="x" type="hyper">'
            f'<project id="id-{project}" name="{project}"/><owner id="{USER_ID}"/><tags/></datasource>'
            for name, project in matching.items()
        )
        return "200 OK", f"{_pages(len(matching))}<datasources>{elements}</datasources>"

    def _begin_upload(self, *_: Any) -> tuple[str, str]:
        upload = f"upload{len(self.chunks)}"
        self.chunks[upload] = []
        return "201 Created", f'<fileUpload uploadSessionId="{upload}" fileSize="0"/>'

    def _append(self, query: dict[str, str], body: bytes, environ: Any, upload: str) -> tuple[str, str]:
        self.chunks[upload].append(_parts(body, environ)["tableau_file"])
        return "200 OK", f'<fileUpload uploadSessionId="{upload}" fileSize="1"/>'

    def _publish(self, query: dict[str, str], body: bytes, environ: Any) -> tuple[str, str]:
        parts = _parts(body, environ)
        datasource = ET.fromstring(parts["request_payload"])[0]
        project = str(datasource[0].get("id")).removeprefix("id-")
        content = parts.get("tableau_datasource") or b"".join(self.chunks[query["uploadSessionId"]])
        name = str(datasource.get("name"))
        self.published.append({"name": name, "project": project, "query": query, "content": content})
        self.datasources[name] = project
        return "201 Created", (
            f'<datasource id="ds-{name}" name={quoteattr(name)} contentUrl="x" type="hyper" '
            f'webpageUrl="{self.url}/#/datasources/1"><project id="id-{project}" name="{project}"/>'
            f'<owner id="{USER_ID}"/><tags/></datasource>'
        )

    def _refresh(self, query: dict[str, str], body: bytes, environ: Any, datasource: str) -> tuple[str, str]:
        if self.already_queued:
            raise RefusalError(
                409, "409093", "Resource Conflict", "Job for the extract refresh is already queued."
            )
        return (
            "202 Accepted",
            f'<job id="job-1" mode="Asynchronous" type="RefreshExtract" {JOB_WORDS["Pending"]}/>',
        )

    def _list_jobs(self, query: dict[str, str], *_: Any) -> tuple[str, str]:
        assert query["filter"] == "jobType:eq:refresh_extracts"
        elements = "".join(
            f'<backgroundJob id="{job}" status="{status}" title={quoteattr(name)} priority="50" '
            f'jobType="refresh_extracts" createdAt="2026-01-02T03:04:05Z"/>'
            for job, name, status in self.listed_jobs
        )
        return "200 OK", f"{_pages(len(self.listed_jobs))}<backgroundJobs>{elements}</backgroundJobs>"

    def _job(self, query: dict[str, str], body: bytes, environ: Any, job: str) -> tuple[str, str]:
        state = self.job_words.pop(0) if len(self.job_words) > 1 else self.job_words[0]
        notes = (
            "<extractRefreshJob><notes>the database is away</notes></extractRefreshJob>"
            if state == "Failed"
            else ""
        )
        return (
            "200 OK",
            f'<job id="{job}" mode="Asynchronous" type="RefreshExtract" {JOB_WORDS[state]}>{notes}</job>',
        )

    def _cancel(self, query: dict[str, str], body: bytes, environ: Any, job: str) -> tuple[str, str]:
        self.cancelled.append(job)
        return "200 OK", ""


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def served(site: Site) -> Iterator[Site]:
    """Yield the site, reachable at its `url`."""
    server = make_server("127.0.0.1", 0, site, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    site.url = f"http://127.0.0.1:{server.port}"
    yield site
    server.shutdown()
    server.server_close()


def _pages(total: int) -> str:
    return f'<pagination pageNumber="1" pageSize="100" totalAvailable="{total}"/>'


def _parts(body: bytes, environ: Any) -> dict[str, bytes]:
    """Return the parts of a multipart body by name."""
    boundary = re.search(r"boundary=([^;\s]+)", environ["CONTENT_TYPE"])[1].strip('"').encode()  # type: ignore[index]
    parts = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)[1].decode()  # type: ignore[index]
        parts[name] = content.removesuffix(b"\r\n")
    return parts
