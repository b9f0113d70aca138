"""What a request says about an object, and what an answer says about it, as headers."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from email.utils import format_datetime
from urllib.parse import parse_qsl

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import CONTROL, Call
from etltctl.local.services.s3.checksums import ALGORITHMS, checksum_header
from etltctl.local.services.s3.errors import invalid_argument
from etltctl.local.services.s3.kept import OCTETS, Description, ObjectInfo
from etltctl.local.services.s3.listing import Node

METADATA = "x-amz-meta-"
TAGGING = "x-amz-tagging"
MAX_METADATA_BYTES = 2048
ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 10, 128, 256
# Kept as they are and sent back with the object.
KEPT_HEADERS = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")
# Records like a bucket's own encryption: the files are not encrypted.
ENCRYPTION = "x-amz-server-side-encryption"
RECORDED_HEADERS = (ENCRYPTION, f"{ENCRYPTION}-aws-kms-key-id", f"{ENCRYPTION}-bucket-key-enabled")


def description_of(call: Call, checksums: Mapping[str, str] | None = None) -> Description:
    """Return what the headers of an upload say about the object."""
    headers = {name: call.header(name.lower()) for name in (*KEPT_HEADERS, *RECORDED_HEADERS)}
    codings = [part.strip() for part in headers["Content-Encoding"].split(",")]
    if "aws-chunked" in codings:  # a coding of the request, and not of the object
        headers["Content-Encoding"] = ", ".join(part for part in codings if part != "aws-chunked")
    return Description(
        call.header("content-type") or OCTETS,
        user_metadata(call),
        {name: value for name, value in headers.items() if value},
        checksums or {},
        tags_of(call.header(TAGGING)),
    )


def user_metadata(call: Call) -> dict[str, str]:
    """Return the metadata that the user gave the object, by name without its prefix.

    Raises:
        AwsError: `MetadataTooLarge` for more than S3 takes.
    """
    metadata = {
        name.removeprefix(METADATA): _text(call.header(name))
        for name in call.headers
        if name.startswith(METADATA)
    }
    # S3 counts the bytes of names and values together, without the prefix and without the separators of HTTP.
    if sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        raise AwsError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    return metadata


def _text(value: str) -> str:
    """Return a header's value as text: HTTP hands out its bytes one letter each, and they are UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except ValueError:
        return value


def tags_of(text: str) -> dict[str, str]:
    """Return the tags in the form `a=1&b=2`.

    Raises:
        AwsError: `InvalidArgument` if there are too many or two of one name.
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    check_tags(pairs)
    return dict(pairs)


def check_tags(pairs: list[tuple[str, str]]) -> None:
    """Check the tags of one object; raises AwsError `BadRequest` or `InvalidTag`."""
    if len(pairs) > MAX_TAGS:
        raise AwsError("BadRequest", f"Object tags cannot be greater than {MAX_TAGS}")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")
    # S3 counts characters as UTF-16 does.
    if any(not 0 < _length(name) <= MAX_TAG_KEY for name in names):
        raise AwsError("InvalidTag", "The TagKey you have provided is invalid")
    if any(_length(value) > MAX_TAG_VALUE for _, value in pairs):
        raise AwsError("InvalidTag", "The TagValue you have provided is invalid")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2


def headers_of(info: ObjectInfo, call: Call, *, part: int = 0, is_whole: bool) -> dict[str, str]:
    """Return the headers of an answer about an object.

    Args:
        info: The object.
        call: The request; it may override headers and ask for checksums.
        part: The part that is read, from 1 on; 0 if none is named.
        is_whole: Whether the answer is about all bytes. S3 gives no checksum for a range, as it has none.
    """
    described = info.description
    headers = {
        "ETag": f'"{info.etag}"',
        "Last-Modified": format_datetime(info.last_modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": described.content_type,
        **described.headers,
        **{f"{METADATA}{name}": _word(value) for name, value in described.metadata.items()},
    }
    if described.tags:
        headers["x-amz-tagging-count"] = str(len(described.tags))
    # S3 gives the number of parts only to a client that asks for one of them.
    if part and described.parts:
        headers["x-amz-mp-parts-count"] = str(len(described.parts))
    checksums = described.checksums if is_whole or part else {}
    if part and described.parts:
        checksums = described.parts[part - 1]["checksums"]
    if call.header("x-amz-checksum-mode").upper() == "ENABLED" and checksums:
        headers |= {checksum_header(name): value for name, value in checksums.items()}
        headers["x-amz-checksum-type"] = described.checksum_type
    return headers | _overrides(call)


def attributes_of(call: Call, info: ObjectInfo) -> list[tuple[str, Node]]:
    """Return what GetObjectAttributes is asked for.

    Raises:
        AwsError: `InvalidArgument` if the request names none, or one that S3 does not have.
    """
    names = {name.strip() for name in call.header("x-amz-object-attributes").split(",")} - {""}
    if not names or names - ATTRIBUTES:
        raise invalid_argument("Invalid attribute name specified.")
    described = info.description
    sums: list[tuple[str, Node]] = [(f"Checksum{name}", value) for name, value in described.checksums.items()]
    nodes: dict[str, Node] = {
        "ETag": info.etag,
        "Checksum": [*sums, ("ChecksumType", described.checksum_type)] if sums else "",
        "ObjectParts": _parts_page(call, described) if described.parts else "",
        "StorageClass": "STANDARD",
        "ObjectSize": str(info.size),
    }
    return [(name, node) for name, node in nodes.items() if name in names and node]


def _parts_page(call: Call, described: Description) -> Node:
    limit = min(_number(call, "x-amz-max-parts", 1000), 1000)
    after = _number(call, "x-amz-part-number-marker", 0)
    numbered = list(enumerate(described.parts, 1))
    shown = numbered[after : after + limit]
    is_cut = len(numbered) > after + limit
    parts: list[tuple[str, Node]] = [
        (
            "Part",
            [
                ("PartNumber", str(number)),
                ("Size", str(part["size"])),
                *((f"Checksum{name}", value) for name, value in part["checksums"].items()),
            ],
        )
        for number, part in shown
    ]
    return [
        ("PartsCount", str(len(numbered))),
        ("PartNumberMarker", str(after)),
        *([("NextPartNumberMarker", str(shown[-1][0]))] if shown else []),
        ("MaxParts", str(limit)),
        ("IsTruncated", "true" if is_cut else "false"),
        *parts,
    ]


def _number(call: Call, header: str, default: int) -> int:
    text = call.header(header) or str(default)
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise invalid_argument(f"Provided {header} not an integer or within integer range")
    return int(text)


def _overrides(call: Call) -> dict[str, str]:
    overrides = {
        name: call.query.get(f"response-{name.lower()}", "") for name in (*KEPT_HEADERS, "Content-Type")
    }
    # They come from a URL that anyone may write: a line break here would begin a header of the writer's own.
    if any(CONTROL.search(value) or not _is_latin(value) for value in overrides.values()):
        raise invalid_argument("a response-… parameter is not a valid header")
    return {name: value for name, value in overrides.items() if value}


def _is_latin(value: str) -> bool:
    return all(letter < "\u0100" for letter in value)


def _word(value: str) -> str:
    """Return the value as a header can carry it; text that is not ASCII goes as RFC 2047 says, as from S3."""
    return value if value.isascii() else f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def checksums_sent(checksums: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that confirm the checksums of an upload."""
    return {checksum_header(name): value for name, value in checksums.items() if name in ALGORITHMS}
