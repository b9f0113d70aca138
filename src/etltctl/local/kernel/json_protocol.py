"""AWS's JSON protocol: an operation named by a header, a JSON body in, a JSON body or an error out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

Operation = Callable[[dict[str, Any]], dict[str, Any]]

# Where a WSGI environment holds a check that the application makes before a service gets the call: it raises AwsError.
BEFORE_SERVICE = "etltctl.before_service"


class CallerOperation(Protocol):
    """An operation whose answer depends on who asks."""

    def __call__(self, body: dict[str, Any], caller: str) -> dict[str, Any]:
        """Return the answer to `caller`, an ARN."""


class AwsError(Exception):
    """An error as AWS answers it: its code, its message, the HTTP status, and the other members of its shape."""

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members or {}


def answer(operation: Operation, request: Request) -> Response:
    """Return the operation's answer to the request, errors included."""
    try:
        body = operation(json.loads(request.get_data() or b"{}"))
    except AwsError as error:
        return _response(
            # JSON services spell the message's name both ways, and each SDK reads only one.
            {"__type": error.code, "message": error.message, "Message": error.message, **error.members},
            error.status,
        )
    except ConnectionError:
        raise  # the caller has gone
    except OSError as error:
        return unwritable(error)
    return _response(body, 200)


def unwritable(error: OSError) -> Response:
    """Return the answer to a call whose effect could not be kept, in words that all services' clients read."""
    place = f": {error.filename}" if error.filename else ""
    message = f"the embedded server cannot keep its state: {(error.strerror or str(error)).lower()}{place}"
    body = {"__type": "InternalServiceException", "message": message, "Message": message, "detail": message}
    return _response(body, 500)


def operation_name(request: Request) -> str:
    """Return the operation a request asks for, such as `AWSGlue.StartJobRun`; empty if it does not say."""
    return request.headers.get("X-Amz-Target", "")


def _response(body: Mapping[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/x-amz-json-1.1")
