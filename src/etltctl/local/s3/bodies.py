"""What S3 requests carry: user metadata and bodies, plain or in signed chunks with trailers, streamed to a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from werkzeug.wrappers import Request

from etltctl.local.wire import AwsError

READ_BYTES = 1 << 20
METADATA = "x-amz-meta-"


def body_chunks(request: Request) -> Iterator[bytes]:
    """The request's payload piece by piece, whatever encoding wraps it."""
    is_chunked = "aws-chunked" in request.headers.get("Content-Encoding", "") or request.headers.get(
        "X-Amz-Content-Sha256", ""
    ).startswith("STREAMING-")
    yield from _unwrapped(request.stream) if is_chunked else _pieces(request.stream)


def user_metadata(request: Request) -> dict[str, str]:
    """The metadata that the user gave the object, by name without its prefix."""
    named = ((name.lower(), value) for name, value in request.headers.items())
    return {name.removeprefix(METADATA): value for name, value in named if name.startswith(METADATA)}


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(READ_BYTES):
        yield piece


def _unwrapped(stream: IO[bytes]) -> Iterator[bytes]:
    """`SIZE-IN-HEX[;chunk-signature=…]`, the bytes, an empty line; a chunk of size 0, then trailers, ends it."""
    while True:
        header = stream.readline().strip()
        try:
            left = int(header.split(b";")[0], 16)
        except ValueError as error:
            raise AwsError("IncompleteBody", "The request body ended before it was complete") from error
        if left == 0:
            while stream.readline().strip():
                pass
            return
        while left:
            piece = stream.read(min(left, READ_BYTES))
            if not piece:
                raise AwsError("IncompleteBody", "The request body ended before it was complete")
            left -= len(piece)
            yield piece
        stream.readline()
