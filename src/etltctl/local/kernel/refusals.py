"""Refusals in the words of the protocol that the caller speaks, so that its SDK reads them and does not retry."""

from __future__ import annotations

import json
from logging import getLogger
from typing import TYPE_CHECKING
from uuid import uuid4
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from etltctl.local.kernel.api_models import Addressed
from etltctl.local.kernel.json_protocol import AwsError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What an operation raises for input that it did not expect.
MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

log = getLogger("etltctl.local")


def not_implemented(request: Addressed) -> AwsError:
    """Build the error for an operation that the embedded server does not have."""
    operation = request.operation or "this request"
    return AwsError(
        "NotImplementedException",
        f"the embedded server does not model {request.service or 'the service'} {operation}; nothing was changed",
        501,
    )


def not_understood(error: Exception) -> AwsError:
    """Build the error for a request that made its operation fail with one of `MALFORMED`."""
    log.warning("a request was not understood", exc_info=error)
    text = f"the request was not understood: {type(error).__name__}: {error}"
    return AwsError("ValidationException", text[:500])


def refusal(request: Addressed, error: AwsError) -> Response:
    """Return the error as the service's protocol words it, with an id of the request."""
    request_id = str(uuid4())
    code, message = error.code, error.message
    headers = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id}
    match request.protocol:
        case "json" | "rest-json":
            body: str | bytes = json.dumps({"__type": code, "message": message, "Message": message})
            kind = "application/x-amz-json-1.1" if request.protocol == "json" else "application/json"
            # For REST services, SDKs take the code from this header.
            headers["x-amzn-errortype"] = code
        case "smithy-rpc-v2-cbor":
            body, kind = _cbor({"__type": code, "message": message}), "application/cbor"
            headers["smithy-protocol"] = "rpc-v2-cbor"
        case "ec2":
            body, kind = (
                _xml("Response", f"<Errors>{_error(error)}</Errors>", "RequestID", request_id),
                "text/xml",
            )
        case _:
            body, kind = _xml("ErrorResponse", _error(error), "RequestId", request_id), "text/xml"
    return Response(body, error.status, headers, content_type=kind)


def plain_refusal(error: AwsError) -> Response:
    """Return the error as the server's own requests word it."""
    return Response(json.dumps({"message": error.message}), error.status, content_type="application/json")


def is_page(response: Response, environ: WSGIEnvironment) -> bool:
    """Return whether a failure is a web page or nothing at all, which no SDK can read."""
    # An answer to HEAD has no body by rule, which says nothing about it.
    if response.status_code < 400 or environ["REQUEST_METHOD"] == "HEAD":
        return False
    body = response.get_data()
    return not body or body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))


def _error(error: AwsError) -> str:
    # The query protocol states whose fault an error is.
    kind = "Sender" if error.status < 500 else "Receiver"
    texts = {"Type": kind, "Code": error.code, "Message": _readable(error.message)}
    return f"<Error>{''.join(f'<{name}>{escape(text)}</{name}>' for name, text in texts.items())}</Error>"


def _readable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _xml(root: str, inner: str, id_name: str, request_id: str) -> str:
    return f"<{root}>{inner}<{id_name}>{request_id}</{id_name}></{root}>"


def _cbor(texts: dict[str, str]) -> bytes:
    """Return a map of texts as CBOR (RFC 8949); botocore has an encoder, but not as a public part of it."""
    words = [part.encode() for pair in texts.items() for part in pair]
    return bytes([0xA0 | len(texts)]) + b"".join(
        b"\x79" + len(word).to_bytes(2, "big") + word for word in words
    )
