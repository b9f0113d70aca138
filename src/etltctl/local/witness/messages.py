"""One call and its answer, as they went over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from etltctl.local.kernel.api_models import Addressed, addressed
from etltctl.local.kernel.bodies import held
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.signatures import headers_of, read_credential

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Parts of an S3 object, or facts about it, that are read and written as XML.
PARTS = frozenset({"acl", "attributes", "legal-hold", "retention", "tagging"})


@dataclass(frozen=True)
class Request:
    """A call; `body` is None if it was not read."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    caller: str
    addressed: Addressed
    body: bytes | None

    @property
    def is_s3(self) -> bool:
        """Whether it is a call to S3, whose bodies may be objects of any size."""
        return self.addressed.service == "s3"

    @property
    def is_airbyte(self) -> bool:
        """Whether it is a call to Airbyte, which no AWS signature names."""
        return not self.addressed.service


@dataclass(frozen=True)
class Answer:
    """What a call was answered with; `body` is None if it was passed on unread."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_refusal(self) -> bool:
        """Whether the server refused the call."""
        return self.status >= HTTPStatus.BAD_REQUEST


def read_request(environ: WSGIEnvironment) -> Request:
    """Return the call that a WSGI environment holds. A body that is not an S3 object is read, and can be read again."""
    credential = read_credential(environ)
    service = credential.service if credential else ""
    body = None
    # An object may have gigabytes, and must reach the disk without being held in memory.
    if service != "s3" or _has_document(environ):
        try:
            body = held(environ)
        except AwsError:  # the application meets it again, and refuses it
            body = b""
    return Request(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        headers_of(environ),
        credential.access_key if credential else "",
        addressed(environ, body or b"") if service not in ("", "s3") else Addressed(service, "", "rest-xml"),
        body,
    )


def read_answer(response: Response, request: Request) -> Answer:
    """Return an answer. The content of an object is not read: it may be long, and any content is right."""
    is_document = "xml" in response.headers.get("Content-Type", "")
    is_read = not request.is_s3 or (is_document and not _is_object(request))
    # Names of headers have no case in HTTP, but the models write them in one.
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.get_data() if is_read else None)


def _is_object(request: Request) -> bool:
    """Return whether an S3 call reads the content of an object, which may be XML too."""
    is_of_content = _parameters(request.query).isdisjoint({*PARTS, "uploadId"})
    return request.method == "GET" and "/" in request.path.strip("/") and is_of_content


def _parameters(query: str) -> set[str]:
    return {pair.partition("=")[0] for pair in query.split("&")}


def _has_document(environ: WSGIEnvironment) -> bool:
    """Return whether the body of an S3 call is XML, as it is of POST, and of PUT to a sub-resource."""
    if environ["REQUEST_METHOD"] == "POST":
        return True
    is_of_bucket = "/" not in environ["PATH_INFO"].strip("/")
    names_part = not _parameters(environ.get("QUERY_STRING", "")).isdisjoint(PARTS)
    return environ["REQUEST_METHOD"] == "PUT" and (is_of_bucket or names_part)
