"""The embedded server's door: every call proves that its caller has a key, before anything else reads it."""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request

from etltctl.local.refusals import (
    NO_CONTENT_HASH,
    TOO_LARGE,
    WRONG_CONTENT,
    RefusedError,
    protocol_of,
    refusal,
)
from etltctl.local.signatures import Signature, headers_of, read_credential, read_signature
from etltctl.local.wire import AwsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LARGEST_BODY = 64 << 20  # of services other than S3, whose calls are read whole
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
        if path.startswith(self._open_paths):
            return self._application(environ, start_response)
        try:
            self._check(environ)
        except RefusedError as refused:
            credential = read_credential(environ)
            protocol = protocol_of(environ, credential.service if credential else "")
            return refusal(refused.reason, protocol, path)(environ, start_response)
        return self._application(environ, start_response)

    def _check(self, environ: WSGIEnvironment) -> None:
        signature = read_signature(environ)
        signature.check_time(self._clock())
        secret = self._find_secret(signature.credential.access_key, signature.token)
        if signature.credential.service != "s3":
            body = _read_whole(environ)
            environ["wsgi.input"] = io.BytesIO(body)
            signature.check(environ, secret, hashlib.sha256(body).hexdigest())
            return
        stated = _stated_hash(environ, signature)
        signature.check(environ, secret, stated)
        if SHA256.fullmatch(stated):
            environ["wsgi.input"] = _checked_body(environ, stated)


class HashedBody(io.RawIOBase):
    """A body that fails at its end if it is not what its hash says, before its reader keeps it."""

    def __init__(self, stream: IO[bytes], stated: str, length: int | None) -> None:
        self._stream = stream
        self._stated = stated.lower()
        self._left = length  # None: the stream itself ends with the body
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read some bytes; raise AwsError at the end of a body that was changed on its way."""
        limit = len(buffer) if self._left is None else min(len(buffer), self._left)
        piece = self._stream.read(limit) if limit else b""
        self._digest.update(piece)
        if self._left is not None:
            self._left -= len(piece)
        if not self._left and not (self._left is None and piece) and self._digest.hexdigest() != self._stated:
            raise AwsError(WRONG_CONTENT.s3[0], WRONG_CONTENT.message, WRONG_CONTENT.s3[1])
        buffer[: len(piece)] = piece
        return len(piece)


def _stated_hash(environ: WSGIEnvironment, signature: Signature) -> str:
    """Return what an S3 call says of its body: a hash, or a word for one that is signed otherwise or not at all."""
    headers: Mapping[str, str] = headers_of(environ)
    stated = headers.get(CONTENT_HASH, "")
    if not stated and signature.expires is not None:
        stated = Request(environ).args.get("X-Amz-Content-Sha256", UNSIGNED)
    if not (SHA256.fullmatch(stated) or stated == UNSIGNED or stated.startswith(STREAMED)):
        raise RefusedError(NO_CONTENT_HASH)
    return stated


def _checked_body(environ: WSGIEnvironment, stated: str) -> IO[bytes]:
    is_chunked = environ.get("wsgi.input_terminated", False)
    length = None if is_chunked else int(environ.get("CONTENT_LENGTH") or 0)
    if length == 0 and stated.lower() != EMPTY:
        raise RefusedError(WRONG_CONTENT)
    return io.BufferedReader(HashedBody(environ["wsgi.input"], stated, length), 1 << 20)


def _read_whole(environ: WSGIEnvironment) -> bytes:
    request = Request(environ)
    request.max_content_length = LARGEST_BODY
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge as error:
        raise RefusedError(TOO_LARGE) from error
