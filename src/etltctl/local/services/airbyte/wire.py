"""Requests, answers, pages and problems of Airbyte's public API over WSGI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import AwsError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

REFERENCE = "https://reference.airbyte.com/reference/errors"
# A manifest is the largest body that a client sends, and it is far smaller.
MAX_BODY_BYTES = 2**20
# The published description of the API has both.
DEFAULT_LIMIT, MAX_LIMIT = 20, 100


@dataclass(frozen=True)
class Request:
    """One request: `url` is the address of the API, `path` what follows it; of a repeated parameter all is kept."""

    method: str
    url: str
    path: str
    parameters: Mapping[str, Sequence[str]]
    body: bytes
    content_type: str
    authorization: str

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return {name: values[-1] for name, values in self.parameters.items()}

    def values(self, name: str) -> list[str]:
        """Return every value of a list parameter, which may be repeated, separated by commas, or both."""
        return [part for value in self.parameters.get(name, ()) for part in value.split(",") if part]

    def moment(self, name: str) -> datetime | None:
        """Return a parameter as a time, in UTC where it names no zone. Raises ProblemError (400) if it is not one."""
        text = self.query.get(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise bad_request(f"{name} is not a time such as 2026-01-02T03:04:05Z: {text}") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def fields(self) -> dict[str, Any]:
        """Return the body's fields, sent as JSON or as a form. Raises ProblemError (400) if it is neither."""
        if self.content_type.startswith("application/x-www-form-urlencoded"):
            return _last_values(self.body.decode("utf-8", "replace"))
        try:
            fields = json.loads(self.body or b"{}")
        except (ValueError, RecursionError) as error:  # RecursionError: thousands of lists in each other
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
    """Build a problem in the public API's shape; its type is the title's place in the reference."""
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
    """Build the error 400: the request itself is wrong."""
    return problem(HTTPStatus.BAD_REQUEST, "bad-request", "The request is invalid.", {"message": message})


def airbyte_refusal(error: AwsError) -> Response:
    """Return the error as a problem of Airbyte's public API."""
    fields = {**bad_request(error.message).body, "status": error.status}
    return Response(json.dumps(fields), error.status, content_type="application/json")


def unprocessable(message: str) -> ProblemError:
    """Build the error 422: well formed, and still not possible."""
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "unprocessable-entity",
        "The body of the request was not understood",
        {"message": message},
    )


def not_found(kind: str, identifier: str) -> ProblemError:
    """Build the error 404: there is no such resource."""
    return problem(
        HTTPStatus.NOT_FOUND,
        "resource-not-found",
        "The requested resource was not found.",
        {"resourceType": kind, "resourceId": identifier},
    )


def unauthorized() -> ProblemError:
    """Build the error 401: no token, a wrong one, or one that has run out."""
    return problem(
        HTTPStatus.UNAUTHORIZED, "invalid-api-key", "Unauthorized: the token is missing or not valid"
    )


def forbidden(message: str) -> ProblemError:
    """Build the error 403: known, and not to be touched by this caller."""
    return problem(HTTPStatus.FORBIDDEN, "forbidden", "Forbidden", {"message": message})


def unexpected(message: str) -> ProblemError:
    """Build the error 500: an error that no code here expects; the server's log has its trace."""
    detail = (
        "The embedded Airbyte met an unforeseen error; server/server.log in the state folder has its trace."
    )
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected-problem", detail, {"message": message})


def connector_failed(reason: str) -> ProblemError:
    """Build the error 500: the connector of a source failed. Airbyte answers so, with the connector's own words."""
    detail = (
        "An unexpected problem has occurred. If this is an error that needs to be addressed, please submit a pull "
        "request or github issue."
    )
    message = f"Something went wrong in the connector. logs:{reason}"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected-problem", detail, {"message": message})


def wrong_credentials(path: str) -> ProblemError:
    """400 in the shape the community edition's framework gives it."""
    body = {
        "message": "Bad Request",
        "_links": {"self": {"href": path, "templated": False}},
        "_embedded": {"errors": [{"message": "Invalid client id or token"}]},
    }
    return ProblemError(HTTPStatus.BAD_REQUEST, body)


def try_again_later(connection_id: str) -> ProblemError:
    """Build the error 409: a sync of the connection has not ended; the body does not say which."""
    return problem(
        HTTPStatus.CONFLICT,
        "try-again-later",
        "Please try again later.",
        {"message": f"A sync is already running for: {connection_id}"},
    )


def state_conflict(message: str) -> ProblemError:
    """Build the error 409: the resource is not in a state that allows this."""
    return problem(HTTPStatus.CONFLICT, "state-conflict", "State conflict", {"message": message})


def read_request(environ: WSGIEnvironment) -> Request:
    """Return the WSGI environment as a request."""
    length = environ.get("CONTENT_LENGTH") or "0"
    size = min(int(length), MAX_BODY_BYTES) if length.isdigit() else 0
    return Request(
        method=environ["REQUEST_METHOD"],
        url=f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}{environ.get('SCRIPT_NAME', '')}",
        path=environ.get("PATH_INFO", ""),
        parameters=parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        body=environ["wsgi.input"].read(size) if size else b"",
        content_type=environ.get("CONTENT_TYPE", ""),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
    )


def send(start_response: StartResponse, status: HTTPStatus, answer: Any) -> Iterable[bytes]:
    """Send text as text, everything else as JSON; problems too are `application/json`, as Airbyte's are."""
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


def page_of(answers: Sequence[dict[str, Any]], request: Request, kept: Sequence[str]) -> dict[str, Any]:
    """Cut one page. Its links are whole addresses, so that a client can follow them.

    `next` is empty only after an empty page, as in Airbyte: one page too many is the rule.
    """
    limit = _number(request.query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = _number(request.query, "offset", 0, 0, 2**31)
    page = answers[offset : offset + limit]
    filters = [(name, value) for name in kept for value in request.parameters.get(name, ())]

    def link(start: int) -> str:
        return f"{request.url}{request.path}?{urlencode([*filters, ('limit', limit), ('offset', start)])}"

    previous = link(max(0, offset - limit)) if offset else ""
    return {"previous": previous, "next": link(offset + limit) if page else "", "data": page}


def _number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not re.fullmatch(r"\d{1,10}", text) or not least <= int(text) <= most:
        raise bad_request(f"{name} must be a number from {least} to {most}")
    return int(text)
