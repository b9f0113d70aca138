"""Bodies of requests, read no further than they go: by their length, or in HTTP chunks."""

from __future__ import annotations

import io
import re
from typing import IO, TYPE_CHECKING, Any

from etltctl.local.kernel.json_protocol import AwsError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIEnvironment

READ_BYTES = 1 << 20
MAX_BODY_BYTES = 5 << 30  # the largest object that S3 takes in one request
MAX_HELD_BYTES = 16 << 20  # of a body that is held in memory; no API here takes a longer one
MAX_LINE_BYTES = 8192
BROKEN = "etltctl.broken_body"
FRAMED = "etltctl.framed_body"  # set once the stream ends with the body, whatever wraps it later
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Incoming:
    """The bytes of a connection, handed out as they come.

    After an answer werkzeug empties the connection with one read of 10 MB. From a buffered stream that read
    returns only when the client has sent so much or has gone, and so a client that waits would wait for ever.
    """

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, at least one unless the client has ended."""
        # `read1` returns what has arrived; `read` would wait for the whole size.
        piece: bytes = self._source.read1(min(size, READ_BYTES) if size >= 0 else READ_BYTES)
        return piece

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self._source, name)


class SizedBody(io.RawIOBase):
    """The bytes that `Content-Length` announces."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source = source
        self._left = size

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer as far as the source gives bytes of the body.

        Raises:
            AwsError: The client ended before the body did.
        """
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._left)
        if not size:
            return 0
        piece = self._source.read(size)
        # A body that ends early must never pass for a whole one: half an object would be stored.
        if not piece:
            raise incomplete_body()
        view[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)


class ChunkedBody(SizedBody):
    """The bytes inside HTTP chunks (RFC 9112, section 7.1), with their total bounded.

    werkzeug has a decoder too. It resizes the buffer that it is given when the client ends inside a chunk, and
    CPython then reads memory that is not the buffer's.
    """

    def __init__(self, source: IO[bytes], limit: int = MAX_BODY_BYTES) -> None:
        super().__init__(source, 0)
        self._room = limit
        self._is_over = False
        self._is_first = True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer as far as the current chunk goes.

        Raises:
            AwsError: The client ended before the body did, or the chunks are malformed or too long.
        """
        if not self._left and not self._is_over:
            self._begin_chunk()
        return super().readinto(buffer)

    def _begin_chunk(self) -> None:
        if not self._is_first and read_line(self._source):
            raise malformed("a chunk of the request body is longer than it says")
        self._is_first = False
        # int() alone would also take a sign, spaces and underscores, which other readers refuse.
        size = CHUNK_SIZE.fullmatch(read_line(self._source).partition(b";")[0].strip())
        if size is None:
            raise malformed("a chunk of the request body does not begin with its size")
        self._left = int(size[0], 16)
        self._room -= self._left
        if self._room < 0:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        if not self._left:
            self._is_over = True
            while read_line(self._source):  # trailers
                pass


def read_line(source: IO[bytes]) -> bytes:
    """Return a line without its end; raises AwsError if it is too long or the client ended inside it."""
    line = source.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise incomplete_body() if len(line) < MAX_LINE_BYTES else malformed("a line of the body is too long")
    return line.rstrip(b"\r\n")


def framed(environ: WSGIEnvironment) -> IO[bytes]:
    """Return the body of a request as a stream that ends with it, and leave it in the environment.

    Raises:
        AwsError: the headers contradict each other or name a coding other than chunks.
    """
    if BROKEN in environ:
        raise environ[BROKEN]
    if FRAMED not in environ:
        environ["wsgi.input"] = _framed(environ)
        environ[FRAMED] = True
        environ["wsgi.input_terminated"] = True
    stream: IO[bytes] = environ["wsgi.input"]
    return stream


def _framed(environ: WSGIEnvironment) -> SizedBody:
    coding, length = environ.get("HTTP_TRANSFER_ENCODING", ""), environ.get("CONTENT_LENGTH", "")
    # Two lengths in one request are how a second request is smuggled in (RFC 9112, section 6.3).
    if coding and length:
        raise malformed("a request has either Content-Length or Transfer-Encoding")
    if coding:
        if coding.strip().lower() != "chunked":
            raise AwsError("NotImplemented", f"Transfer-Encoding: {coding} is not supported", 501)
        return ChunkedBody(environ["wsgi.input"])
    if length and not re.fullmatch(r"[0-9]{1,18}", length):
        raise malformed("Content-Length is not a number")
    if int(length or 0) > MAX_BODY_BYTES:
        raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    return SizedBody(environ["wsgi.input"], int(length or 0))


def held(environ: WSGIEnvironment) -> bytes:
    """Return the whole body and leave it in the environment to be read again, with its true length.

    Raises:
        AwsError: as `framed`, and if the body is incomplete or too long to be held in memory.
    """
    try:
        body = _whole(framed(environ))
    except AwsError as error:
        environ[BROKEN] = error  # a second reader would take the rest of the body for all of it
        raise
    # Later readers, moto among them, know bodies by their length only.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _whole(stream: IO[bytes]) -> bytes:
    if isinstance(stream, io.BytesIO):
        return stream.getvalue()
    pieces, size = [], 0
    while piece := stream.read(READ_BYTES):
        size += len(piece)
        if size > MAX_HELD_BYTES:
            message = f"a request body of more than {MAX_HELD_BYTES} bytes; nothing was changed"
            raise AwsError("RequestEntityTooLarge", message, 413)
        pieces.append(piece)
    return b"".join(pieces)


def incomplete_body() -> AwsError:
    """Build the error for a client that ended before its request did."""
    return AwsError("IncompleteBody", "The request body ended before it was complete; nothing was changed")


def malformed(reason: str) -> AwsError:
    """Build the error for a request whose framing cannot be understood."""
    return AwsError("InvalidRequest", f"{reason}; nothing was changed")
