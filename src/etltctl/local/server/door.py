"""The embedded server's door: every call proves that its caller has a key, before anything else reads it."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from secrets import token_hex
from typing import IO, TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from etltctl.local.kernel.api_models import Addressed
from etltctl.local.kernel.bodies import framed, held
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.refusal_reasons import NO_CONTENT_HASH, WRONG_CONTENT, Reason, RefusedError
from etltctl.local.kernel.refusals import refusal
from etltctl.local.kernel.signatures import Signature, headers_of, read_credential, read_signature
from etltctl.local.services.s3.form_uploads import FORM as BROWSER_FORM
from etltctl.local.services.s3.form_uploads import is_form, read_form
from etltctl.local.services.s3.listing import error_xml

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
# The values of `x-amz-content-sha256`: a hash, that of nothing, a word for no hash, or the beginning of one.
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMED = "STREAMING-"
CONTENT_HASH = "x-amz-content-sha256"

# The secret of an access key; raises RefusedError for a key, or a session token, that is not known.
FindSecret = Callable[[str, str], str]


class SignedCalls:
    """An application of AWS services that answers signed calls only.

    Args:
        application: Answers the calls that are let in.
        find_secret: Returns the secret of an access key and session token, or raises RefusedError.
        open_paths: Paths whose application checks its callers itself.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: WSGIApplication,
        find_secret: FindSecret,
        open_paths: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._find_secret = find_secret
        self._open_paths = tuple(f"{path}/" for path in open_paths)
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hand the call on, or answer with the refusal of the service that it is for."""
        path: str = environ["PATH_INFO"]
        # A signed call is AWS's: a bucket may have the name of an open path.
        if path.startswith(self._open_paths) and read_credential(environ) is None:
            return self._application(environ, start_response)
        try:
            self._check(environ)
        except RefusedError as refused:
            return _refusal(environ, refused.reason)(environ, start_response)
        except AwsError as error:  # a body that is incomplete, malformed or too long
            return worded(environ, error)(environ, start_response)
        return self._application(environ, start_response)

    def _check(self, environ: WSGIEnvironment) -> None:
        if is_form(environ) and read_credential(environ) is None:
            form = read_form(environ)
            form.check_signature(self._find_secret)
            environ[BROWSER_FORM] = form
            return
        signature = read_signature(environ)
        signature.check_time(self._clock())
        secret = self._find_secret(signature.credential.access_key, signature.token)
        # Every service but S3 signs the hash of its body, so the body is read first.
        if signature.credential.service != "s3":
            signature.check(environ, secret, hashlib.sha256(held(environ)).hexdigest())
            return
        stated = _stated_hash(environ, signature)
        signature.check(environ, secret, stated)
        # S3's body may have gigabytes: it is compared while it is stored, and refused at its end.
        if SHA256.fullmatch(stated):
            environ["wsgi.input"] = _checked_body(environ, stated)


class HashedBody(io.RawIOBase):
    """A body that fails at its end if it is not what its hash says, before its reader keeps it."""

    def __init__(self, stream: IO[bytes], stated: str) -> None:
        self._stream = stream
        self._stated = stated.lower()
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes; raise AwsError at the end of a body that was changed on its way."""
        piece = self._stream.read(len(buffer))
        self._digest.update(piece)
        # An empty read is the end; raised here, before the reader can keep what it got.
        if not piece and self._digest.hexdigest() != self._stated:
            raise AwsError(WRONG_CONTENT.s3[0], WRONG_CONTENT.message, WRONG_CONTENT.s3[1])
        buffer[: len(piece)] = piece
        return len(piece)


def _stated_hash(environ: WSGIEnvironment, signature: Signature) -> str:
    """Return what an S3 call says of its body: a hash, or a word for one that is signed otherwise or not at all."""
    headers: Mapping[str, str] = headers_of(environ)
    stated = headers.get(CONTENT_HASH, "")
    # A presigned link cannot carry the header, and leaves its body unsigned unless the query says otherwise.
    if not stated and signature.expires is not None:
        stated = Request(environ).args.get("X-Amz-Content-Sha256", UNSIGNED)
    if not (SHA256.fullmatch(stated) or stated == UNSIGNED or stated.startswith(STREAMED)):
        raise RefusedError(NO_CONTENT_HASH)
    return stated


def _checked_body(environ: WSGIEnvironment, stated: str) -> IO[bytes]:
    stream = framed(environ)  # refuses a length that is not a number
    is_empty = not int(environ.get("CONTENT_LENGTH") or 0) and "HTTP_TRANSFER_ENCODING" not in environ
    # A reader of an empty body may never read from it, and so never reach the comparison.
    if is_empty and stated.lower() != EMPTY:
        raise RefusedError(WRONG_CONTENT)
    return io.BufferedReader(HashedBody(stream, stated), 1 << 20)


class Protocol(StrEnum):
    """How a service words its answers."""

    S3 = "s3"
    EC2 = "ec2"
    QUERY = "query"
    JSON = "json"
    REST_JSON = "rest-json"


def _protocol_of(environ: WSGIEnvironment) -> Protocol:
    """Return the protocol of a call, also of one that is not signed."""
    credential = read_credential(environ)
    service = credential.service if credential else ""
    if "HTTP_X_AMZ_TARGET" in environ:
        return Protocol.JSON
    if service == "s3":
        return Protocol.S3
    # EC2 has its own form of an error, although it takes requests as the query services do.
    if service == "ec2":
        return Protocol.EC2
    kind = environ.get("CONTENT_TYPE", "")
    if kind.startswith(FORM) or "Action=" in environ.get("QUERY_STRING", ""):
        return Protocol.QUERY
    if service or "json" in kind:
        return Protocol.REST_JSON
    return Protocol.S3


def _refusal(environ: WSGIEnvironment, reason: Reason) -> Response:
    """Return the answer to a refused call with the code that its service has for the reason."""
    match _protocol_of(environ):
        case Protocol.S3:
            code, status = reason.s3
        case Protocol.EC2:
            code, status = "AuthFailure", 401
        case Protocol.JSON:
            code, status = reason.json, 400
        case Protocol.REST_JSON:
            code, status = reason.json, 403
        case _:
            code, status = reason.query
    return worded(environ, AwsError(code, reason.message, status))


def worded(environ: WSGIEnvironment, error: AwsError) -> Response:
    """Return the error as the service words it that the call is for."""
    protocol = _protocol_of(environ)
    if protocol is not Protocol.S3:
        return refusal(Addressed("", "", protocol.value), error)
    request_id = token_hex(8).upper()
    body = error_xml(error.code, error.message, environ["PATH_INFO"], request_id)
    return Response(
        body,
        error.status,
        {"x-amz-request-id": request_id, "x-amz-id-2": request_id},
        content_type="application/xml",
    )
