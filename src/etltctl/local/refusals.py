"""How AWS refuses a caller: the code, the words and the format of each protocol."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from secrets import token_hex
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
HINT = 'this is etltctl\'s embedded server: eval "$(etltctl local env)" sets the keys of its state folder'


class Protocol(StrEnum):
    """How a service words its answers."""

    S3 = "s3"
    EC2 = "ec2"
    QUERY = "query"
    JSON = "json"
    REST_JSON = "rest-json"


@dataclass(frozen=True)
class Reason:
    """One reason to refuse: its code and HTTP status in S3, in query services and in JSON services."""

    s3: tuple[str, int]
    query: tuple[str, int]
    json: str
    message: str


_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
MISSING = Reason(
    ("AccessDenied", 403), ("MissingAuthenticationToken", 403), "MissingAuthenticationTokenException",
    f"Request is missing Authentication Token ({HINT})",
)  # fmt: skip
MALFORMED = Reason(
    ("AuthorizationHeaderMalformed", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "The authorization that you provided is malformed",
)  # fmt: skip
OLD_VERSION = Reason(
    ("InvalidRequest", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 "
    '(in boto3: Config(signature_version="s3v4")).',
)  # fmt: skip
UNKNOWN_KEY = Reason(
    ("InvalidAccessKeyId", 403), ("InvalidClientTokenId", 403), "UnrecognizedClientException",
    f"The AWS access key ID that you provided does not exist in our records ({HINT})",
)  # fmt: skip
WRONG_TOKEN = Reason(
    ("InvalidToken", 400), ("InvalidClientTokenId", 403), "UnrecognizedClientException",
    "The security token included in the request is invalid",
)  # fmt: skip
EXPIRED_TOKEN = Reason(
    ("ExpiredToken", 400), ("ExpiredToken", 403), "ExpiredTokenException",
    "The security token included in the request is expired",
)  # fmt: skip
WRONG_SIGNATURE = Reason(
    ("SignatureDoesNotMatch", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException", _SIGNATURE
)  # fmt: skip
SKEWED = Reason(
    ("RequestTimeTooSkewed", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "Signature expired: the difference between the request time and the current time is too large",
)  # fmt: skip
EXPIRED_LINK = Reason(
    ("AccessDenied", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException", "Request has expired"
)  # fmt: skip
UNSIGNED_HEADER = Reason(
    ("AccessDenied", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "There were headers present in the request which were not signed",
)  # fmt: skip
NO_CONTENT_HASH = Reason(
    ("InvalidRequest", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "Missing or invalid required header for this request: x-amz-content-sha256",
)  # fmt: skip
WRONG_CONTENT = Reason(
    ("XAmzContentSHA256Mismatch", 400), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
)  # fmt: skip
TOO_LARGE = Reason(
    ("EntityTooLarge", 400), ("RequestEntityTooLarge", 413), "RequestEntityTooLargeException",
    "The request's body is larger than any operation of this service takes",
)  # fmt: skip


class RefusedError(Exception):
    """A call whose caller is not known, or that is not what its caller signed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason


def refusal(reason: Reason, protocol: Protocol, path: str) -> Response:
    """Return the answer to a refused call, in the words and format of its service."""
    request_id = token_hex(8).upper()
    message = escape(reason.message)
    match protocol:
        case Protocol.JSON | Protocol.REST_JSON:
            status = 400 if protocol is Protocol.JSON else 403
            body = json.dumps({"__type": reason.json, "message": reason.message, "Message": reason.message})
            return Response(
                body,
                status,
                {"x-amzn-ErrorType": reason.json, "x-amzn-RequestId": request_id},
                content_type="application/x-amz-json-1.1",
            )
        case Protocol.S3:
            code, status = reason.s3
            body = (
                f"<Error><Code>{code}</Code><Message>{message}</Message>"
                f"<Resource>{escape(path)}</Resource><RequestId>{request_id}</RequestId></Error>"
            )
        case Protocol.EC2:
            code, status = "AuthFailure", 401
            error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            body = f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>"
        case _:
            code, status = reason.query
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            body = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', status, {"x-amz-request-id": request_id},
        content_type="application/xml",
    )  # fmt: skip


def protocol_of(environ: WSGIEnvironment, service: str) -> Protocol:
    """Return the protocol of a call; `service` is empty for a call that is not signed."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return Protocol.JSON
    if service == "s3":
        return Protocol.S3
    if service == "ec2":
        return Protocol.EC2
    kind = environ.get("CONTENT_TYPE", "")
    if kind.startswith(FORM) or "Action=" in environ.get("QUERY_STRING", ""):
        return Protocol.QUERY
    if service or "json" in kind:
        return Protocol.REST_JSON
    return Protocol.S3
