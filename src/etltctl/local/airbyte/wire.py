"""Requests, answers and problems of Airbyte's public API over WSGI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

REFERENCE = "https://reference.airbyte.com/reference/errors"
MAX_BODY_BYTES = 2**20


@dataclass(frozen=True)
class Request:
    """One request: the path without the API's prefix, the last value of each query parameter, the body as sent."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    content_type: str
    authorization: str

    def fields(self) -> dict[str, Any]:
        """The body's fields, sent as JSON or as a form. Raises ProblemError (400) if it is neither."""
        if self.content_type.startswith("application/x-www-form-urlencoded"):
            return _last_values(self.body.decode("utf-8", "replace"))
        try:
            fields = json.loads(self.body or b"{}")
        except ValueError as error:
            raise bad_request("the body is not valid JSON") from error
        if not isinstance(fields, dict):
            raise bad_request("the body is not a JSON object")
        return fields


class ProblemError(Exception):
    """The call fails with this status and body."""

    def __init__(self, status: HTTPStatus, body: Mapping[str, Any]) -> None:
        super().__init__(body.get("detail", ""))
        self.status = status
        self.body = body


def problem(
    status: HTTPStatus, title: str, detail: str, data: Mapping[str, Any] | None = None
) -> ProblemError:
    """A problem in the public API's shape; its type is the title's place in the reference."""
    body = {
        "status": status.value,
        "type": f"{REFERENCE}#{title}",
        "title": title,
        "detail": detail,
        "documentationUrl": None,
        "data": data,
    }
    return ProblemError(status, body)


def bad_request(message: str) -> ProblemError:
    """400: the request itself is wrong."""
    return problem(HTTPStatus.BAD_REQUEST, "bad-request", "The request is invalid.", {"message": message})


def unprocessable(message: str) -> ProblemError:
    """422: well formed, and still not possible."""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "unprocessable-entity",
        "The body of the request was not understood",
        {"message": message},
    )


def not_found(kind: str, identifier: str) -> ProblemError:
    """404: there is no such resource."""
    return problem(
        HTTPStatus.NOT_FOUND,
        "resource-not-found",
        "The requested resource was not found.",
        {"resourceType": kind, "resourceId": identifier},
    )


def unauthorized() -> ProblemError:
    """401: no token, a wrong one, or one that has run out."""
    return problem(
        HTTPStatus.UNAUTHORIZED, "invalid-api-key", "Unauthorized: the token is missing or not valid"
    )


def forbidden(message: str) -> ProblemError:
    """403: known, and not to be touched by this caller."""
    return problem(HTTPStatus.FORBIDDEN, "forbidden", "Forbidden", {"message": message})


def wrong_credentials(path: str) -> ProblemError:
    """400 in the shape the community edition's framework gives it."""
    body = {
        "message": "Bad Request",
        "_links": {"self": {"href": path, "templated": False}},
        "_embedded": {"errors": [{"message": "Invalid client id or token"}]},
    }
    return ProblemError(HTTPStatus.BAD_REQUEST, body)


def try_again_later(connection_id: str) -> ProblemError:
    """409: a sync of the connection has not ended; the body does not say which."""
    return problem(
        HTTPStatus.CONFLICT,
        "try-again-later",
        "Please try again later.",
        {"message": f"A sync is already running for: {connection_id}"},
    )


def state_conflict(message: str) -> ProblemError:
    """409: the resource is not in a state that allows this."""
    return problem(HTTPStatus.CONFLICT, "state-conflict", "State conflict", {"message": message})


def read_request(environ: WSGIEnvironment) -> Request:
    """The WSGI environment as a request."""
    length = environ.get("CONTENT_LENGTH") or "0"
    size = min(int(length), MAX_BODY_BYTES) if length.isdigit() else 0
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        query=_last_values(environ.get("QUERY_STRING", "")),
        body=environ["wsgi.input"].read(size) if size else b"",
        content_type=environ.get("CONTENT_TYPE", ""),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
    )


def send(start_response: StartResponse, status: HTTPStatus, answer: Any) -> Iterable[bytes]:
    """Sends text as text, everything else as JSON; problems too are `application/json`, as Airbyte's are."""
    if answer is None:
        start_response(f"{HTTPStatus.NO_CONTENT.value} {HTTPStatus.NO_CONTENT.phrase}", [])
        return []
    is_text = isinstance(answer, str)
    body = (answer if is_text else json.dumps(answer)).encode()
    kind = "text/plain; charset=utf-8" if is_text else "application/json"
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def _last_values(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
