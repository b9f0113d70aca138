"""The conditions of a read or a copy: ETags and times, in the order that RFC 9110 and S3 give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from etltctl.local.services.s3.errors import unmet_condition
from etltctl.local.services.s3.kept import ObjectInfo


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
    """Return the time in a header; one that cannot be read is no condition."""
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _seconds(time: datetime) -> datetime:
    return time.replace(microsecond=0)  # headers have whole seconds
