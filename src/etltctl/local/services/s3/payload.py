"""The payload of an upload: plain or in AWS's chunks, verified, written to a file of the lake's own disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from etltctl.local.kernel.bodies import CHUNK_SIZE, READ_BYTES, incomplete_body, malformed, read_line
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.checksums import CONTENT_SHA256, Verified
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import malformed_xml

MAX_XML_BYTES = 8 << 20  # 1,000 keys of 1,024 bytes, each letter escaped
MAX_TRAILERS = 20
DECODED_LENGTH = "x-amz-decoded-content-length"


@contextmanager
def received(call: Call, directory: S3Directory, also: Iterable[str] = ()) -> Iterator[tuple[Path, Verified]]:
    """Write the payload to a scratch file, which is gone afterwards unless it was renamed.

    Args:
        call: The request.
        directory: Where the scratch file is made.
        also: Checksums to compute besides those that the request announces.

    Raises:
        AwsError: the payload is incomplete or is not the one that its checksums announce.
    """
    if not {"content-length", "transfer-encoding"} & set(call.headers):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    verified = Verified(call.headers, also)
    with directory.scratch_file() as (path, stream):
        for piece in _verified(call, verified):
            stream.write(piece)
        stream.close()
        yield path, verified


def whole_xml(call: Call, *, is_part_list: bool = False) -> ElementTree.Element:
    """Return the payload as XML.

    Args:
        call: The request.
        is_part_list: Whether the payload ends a multipart upload. The checksum in its headers is then that of the
            object that it makes, and not of the payload.

    Raises:
        AwsError: `MalformedXML`, or as `received`.
    """
    headers = {
        name: value
        for name, value in call.headers.items()
        if not (is_part_list and name.startswith("x-amz-checksum-"))
    }
    return parsed(_whole(call, headers))


def parsed(document: bytes) -> ElementTree.Element:
    """Return a document as XML; raises AwsError `MalformedXML`."""
    try:
        return ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise malformed_xml() from error


def whole_payload(call: Call) -> bytes:
    """Return a payload that is small: a document, not an object."""
    return _whole(call, call.headers)


def _whole(call: Call, headers: Mapping[str, str]) -> bytes:
    pieces, size = [], 0
    for piece in _verified(call, Verified(headers)):
        size += len(piece)
        if size > MAX_XML_BYTES:
            raise AwsError("MaxMessageLengthExceeded", "Your request was too large.")
        pieces.append(piece)
    return b"".join(pieces)


def bare_tag(node: ElementTree.Element) -> str:
    """Return the name of an element without its namespace."""
    return str(node.tag).rpartition("}")[2]


def _verified(call: Call, verified: Verified) -> Iterator[bytes]:
    trailers: dict[str, str] = {}
    size = 0
    for piece in _unwrapped(call.body, trailers) if _is_wrapped(call) else _pieces(call.body):
        verified.update(piece)
        size += len(piece)
        yield piece
    # Chunks that end early look like a shorter body, so the length that the client states has the last word.
    announced = call.header(DECODED_LENGTH)
    if _is_wrapped(call) and announced and announced != str(size):
        raise incomplete_body()
    verified.check(trailers)


def _is_wrapped(call: Call) -> bool:
    # `aws-chunked` alone proves nothing: a client may name the coding and send the plain bytes.
    is_named = "aws-chunked" in call.header("content-encoding") and call.header(DECODED_LENGTH)
    return bool(is_named) or call.header(CONTENT_SHA256).startswith("STREAMING-")


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(READ_BYTES):
        yield piece


def _unwrapped(stream: IO[bytes], trailers: dict[str, str]) -> Iterator[bytes]:
    """Yield the bytes inside AWS's chunks: `SIZE-IN-HEX[;chunk-signature=…]`, bytes, an empty line. Size 0 ends it."""
    while True:
        # The signature of each chunk is not checked: the first one and the checksums cover the whole.
        size = CHUNK_SIZE.fullmatch(read_line(stream).partition(b";")[0].strip())
        if size is None:
            raise malformed("a chunk of the payload does not begin with its size")
        left = int(size[0], 16)
        if not left:
            break
        while left:
            piece = stream.read(min(left, READ_BYTES))
            if not piece:
                raise incomplete_body()
            left -= len(piece)
            yield piece
        if read_line(stream):
            raise malformed("a chunk of the payload is longer than it says")
    _read_trailers(stream, trailers)
    for _ in _pieces(stream):  # to its end, or the connection would be reset
        pass


def _read_trailers(stream: IO[bytes], trailers: dict[str, str]) -> None:
    for _ in range(MAX_TRAILERS):
        line = stream.readline(8192).strip()
        if not line:
            return
        name, _, value = line.decode("latin-1").partition(":")
        trailers[re.sub(r"\s", "", name).lower()] = value.strip()
    raise malformed("the payload has too many trailers")
