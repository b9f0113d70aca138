"""What a request says about an object, and what an answer says about it, as headers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from email.utils import format_datetime
from urllib.parse import parse_qsl

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import CONTROL, Call
from etltctl.local.services.s3.checksums import ALGORITHMS, checksum_header
from etltctl.local.services.s3.errors import invalid_argument
from etltctl.local.services.s3.kept import OCTETS, Description, ObjectInfo

METADATA = "x-amz-meta-"
TAGGING = "x-amz-tagging"
MAX_METADATA_BYTES = 2048
MAX_TAGS = 10
# Kept as they are and sent back with the object.
KEPT_HEADERS = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")


def description_of(call: Call, checksums: Mapping[str, str] | None = None) -> Description:
    """Return what the headers of an upload say about the object."""
    headers = {name: call.header(name.lower()) for name in KEPT_HEADERS}
    codings = [part.strip() for part in headers["Content-Encoding"].split(",")]
    headers["Content-Encoding"] = ",".join(part for part in codings if part != "aws-chunked")
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
    check_tags([name for name, _ in pairs])
    return dict(pairs)


def check_tags(names: list[str]) -> None:
    """Check the names of the tags of one object; raises AwsError `InvalidTag`."""
    if len(names) > MAX_TAGS or len(set(names)) < len(names) or "" in names:
        raise AwsError("InvalidTag", f"an object has at most {MAX_TAGS} tags, each with a name of its own")


def headers_of(info: ObjectInfo, call: Call, *, is_whole: bool) -> dict[str, str]:
    """Return the headers of an answer about an object.

    Args:
        info: the object.
        call: the request; it may override headers and ask for checksums.
        is_whole: whether the answer is about all bytes; checksums are those of the whole object.
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
    if call.header("x-amz-checksum-mode").upper() == "ENABLED" and is_whole:
        headers |= {checksum_header(name): value for name, value in described.checksums.items()}
        headers |= {"x-amz-checksum-type": "FULL_OBJECT"} if described.checksums else {}
    return headers | _overrides(call)


def _overrides(call: Call) -> dict[str, str]:
    asked = {name: call.query.get(f"response-{name.lower()}", "") for name in (*KEPT_HEADERS, "Content-Type")}
    if any(CONTROL.search(value) or not _is_latin(value) for value in asked.values()):
        raise invalid_argument("a response-… parameter is not a valid header")
    return {name: value for name, value in asked.items() if value}


def _is_latin(value: str) -> bool:
    return all(letter < "\u0100" for letter in value)


def _word(value: str) -> str:
    """Return the value as a header can carry it; text that is not ASCII goes as RFC 2047 says, as from S3."""
    return value if value.isascii() else f"=?UTF-8?B?{b64encode(value.encode()).decode()}?="


def checksums_sent(checksums: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that confirm the checksums of an upload."""
    return {checksum_header(name): value for name, value in checksums.items() if name in ALGORITHMS}
