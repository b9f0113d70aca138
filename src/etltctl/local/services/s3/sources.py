"""What of an object is read: conditions of a read, ranges, parts, and the source of a copy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any
from urllib.parse import unquote

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import invalid_argument, unmet_condition
from etltctl.local.services.s3.kept import ObjectInfo
from etltctl.local.services.s3.operations import COPY_SOURCE

SEND_BYTES = 1 << 20


def is_unchanged(headers: Mapping[str, str], info: ObjectInfo, prefix: str = "") -> bool:
    """Check the conditions of a request against an object.

    Args:
        headers: the request's headers by lower-case name.
        info: the object that is read or copied.
        prefix: what the names of the headers begin with; empty for a read, `x-amz-copy-source-` for a copy.

    Returns:
        Whether the caller has these bytes already (`If-None-Match`, `If-Modified-Since`).

    Raises:
        AwsError: `PreconditionFailed` if the caller wants other bytes (`If-Match`, `If-Unmodified-Since`).
    """
    # Section 13.2.2 of RFC 9110: a condition on the ETag makes the one on the time moot, for its clock is coarser.
    match = headers.get(f"{prefix}if-match", "")
    if match and not _names_etag(match, info.etag):
        raise unmet_condition()
    unmodified = _time(headers.get(f"{prefix}if-unmodified-since", ""))
    if not match and unmodified and _seconds(info.last_modified) > unmodified:
        raise unmet_condition()
    if none_match := headers.get(f"{prefix}if-none-match", ""):
        return _names_etag(none_match, info.etag)
    since = _time(headers.get(f"{prefix}if-modified-since", ""))
    return since is not None and _seconds(info.last_modified) <= since


def _names_etag(header: str, etag: str) -> bool:
    names = [name.strip().removeprefix("W/").strip('"') for name in header.split(",")]
    return etag in names or "*" in names


def _time(text: str) -> datetime | None:
    """Return the time in a header; one that cannot be read is not a condition."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)  # headers have whole seconds


@contextmanager
def opened_source(
    call: Call, directory: S3Directory
) -> Iterator[tuple[IO[bytes], ObjectInfo, tuple[str, str]]]:
    """Open the object that a copy reads; yields its bytes, its description, and its bucket and key.

    Raises:
        AwsError: there is no such object, or a condition of the copy does not hold.
    """
    # The version's id stands outside the encoded key, so it is taken off before the key is decoded.
    place, _, version = call.header(COPY_SOURCE).partition("?versionId=")
    check_version(version)
    bucket, _, key = unquote(place).removeprefix("/").partition("/")
    if not bucket or not key:
        raise invalid_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    # Opened before the conditions are checked: they then hold for the bytes that are copied.
    stream, info = directory.open_object(bucket, key)
    with stream:
        if is_unchanged(call.headers, info, prefix="x-amz-copy-source-"):
            raise unmet_condition()
        yield stream, info, (bucket, key)


def check_version(version: str) -> None:
    """Check a version's id: without versioning, every object has the one version `null`.

    Raises:
        AwsError: `NoSuchVersion` (404).
    """
    if version not in {"", "null"}:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404)


def put_conditions(call: Call) -> dict[str, Any]:
    """Return the conditions of a write for `S3Directory.adopt_file`."""
    none_match = call.header("if-none-match")
    # S3 has no write that depends on another object's ETag not being there; Ceph has, and clients test for either.
    if none_match not in {"", "*"}:
        raise AwsError("NotImplemented", "If-None-Match on a write takes `*` only; nothing was changed", 501)
    return {"if_none_match": bool(none_match), "if_match": call.header("if-match").strip('"')}


def is_replaced(call: Call, name: str) -> bool:
    """Return whether a directive of a copy says REPLACE instead of COPY."""
    directive = call.header(name) or "COPY"
    if directive not in {"COPY", "REPLACE"}:
        raise invalid_argument(f"Unknown {name}: {directive}")
    return directive == "REPLACE"


def pieces(stream: IO[bytes], start: int, stop: int) -> Iterator[bytes]:
    """Iterate over the bytes from `start` up to, not including, `stop`, and close the stream."""
    with stream:
        if start:
            stream.seek(start)
        while start < stop and (piece := stream.read(min(SEND_BYTES, stop - start))):
            start += len(piece)
            yield piece


def span_of(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and one past the last byte of a Range header; None for the whole object.

    Raises:
        AwsError: `InvalidRange` (416) if the object has no such bytes.
    """
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", header)
    if not match or match[0] == "bytes=-" or (match[1] and match[2] and int(match[1]) > int(match[2])):
        return None  # S3 answers a range that is not one with the whole object
    # `-5` asks for the last five bytes, and all of a shorter object.
    if not match[1]:
        start, stop = max(size - int(match[2]), 0), size
    else:
        start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    if start >= stop:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return start, stop


def part_span(info: ObjectInfo, number: int) -> tuple[int, int] | None:
    """Return the first and one past the last byte of a part; None for a whole object that is empty.

    Args:
        info: The object; one that was not uploaded in parts is part 1 of itself.
        number: The part's place in the object, from 1 on.

    Raises:
        AwsError: `InvalidPartNumber` (416) if the object has no such part.
    """
    sizes = [int(part["size"]) for part in info.description.parts] or [info.size]
    if number > len(sizes):
        raise AwsError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
    start = sum(sizes[: number - 1])
    return (start, start + sizes[number - 1]) if sizes[number - 1] else None
