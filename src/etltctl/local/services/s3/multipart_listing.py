"""The listings of multipart uploads and of their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import quote

from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.listing import OWNER, Node, timestamp, xml
from etltctl.local.services.s3.upload_parts import Part, Upload

PAGE = 1000
LARGEST = 2**31 - 1


def parts_xml(call: Call, upload: Upload) -> str:
    """Return the answer to ListParts."""
    # S3 takes any number and gives at most a page.
    limit = min(call.number("max-parts", PAGE, 0, LARGEST), PAGE)
    after = call.number("part-number-marker", 0, 0, LARGEST)
    parts = [(number, part) for number, part in sorted(upload.parts.items()) if number > after]
    shown = parts[:limit]
    head: list[tuple[str, Node]] = [
        ("Bucket", upload.bucket),
        ("Key", upload.key),
        ("UploadId", upload.id),
        ("PartNumberMarker", str(after)),
        *([("NextPartNumberMarker", str(shown[-1][0]))] if shown else []),
        ("MaxParts", str(limit)),
        ("IsTruncated", "true" if len(parts) > limit else "false"),
        ("Initiator", OWNER),
        ("Owner", OWNER),
        ("StorageClass", "STANDARD"),
        *_checksum_nodes(upload),
    ]
    return xml("ListPartsResult", [*head, *(_part_node(*each) for each in shown)])


def uploads_xml(call: Call, uploads: Iterable[Upload]) -> str:
    """Return the answer to ListMultipartUploads: uploads by key and then by their beginning, folders folded."""
    limit = min(call.number("max-uploads", PAGE, 0, LARGEST), PAGE)
    query = call.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")

    def name(key: str) -> str:
        return quote(key, safe="/") if query.get("encoding-type") == "url" else key

    ordered = sorted((u for u in uploads if u.key.startswith(prefix)), key=lambda u: (u.key, u.began, u.id))
    # Each entry is a folder with an empty id or an upload; a page ends with either.
    entries: dict[tuple[str, str], Upload | None] = {}
    for upload in ordered:
        folder = _folder(upload.key, prefix, delimiter)
        entries[(folder, "") if folder else (upload.key, upload.id)] = None if folder else upload
    left = _after(list(entries.items()), marker, id_marker)
    shown = left[:limit]
    head: list[tuple[str, Node]] = [
        ("Bucket", call.bucket),
        ("KeyMarker", name(marker)),
        ("UploadIdMarker", id_marker),
        ("Prefix", name(prefix)),
        ("MaxUploads", str(limit)),
        ("IsTruncated", "true" if len(left) > limit else "false"),
    ]
    if delimiter:
        head.append(("Delimiter", name(delimiter)))
    if query.get("encoding-type") == "url":
        head.append(("EncodingType", "url"))
    if shown:
        head += [("NextKeyMarker", name(shown[-1][0][0])), ("NextUploadIdMarker", shown[-1][0][1])]
    nodes: list[tuple[str, Node]] = [
        ("Upload", _upload_node(upload, name)) if upload else ("CommonPrefixes", [("Prefix", name(key))])
        for (key, _), upload in shown
    ]
    return xml("ListMultipartUploadsResult", [*head, *nodes])


def _folder(key: str, prefix: str, delimiter: str) -> str:
    rest = key[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return ""
    return prefix + rest[: rest.index(delimiter) + len(delimiter)]


def _after(
    entries: list[tuple[tuple[str, str], Upload | None]], marker: str, id_marker: str
) -> list[tuple[tuple[str, str], Upload | None]]:
    """Return the entries after a place; without an upload's id, all of the marker's key are before it."""
    if not marker:
        return entries
    names = [name for name, _ in entries]
    if id_marker and (marker, id_marker) in names:
        return entries[names.index((marker, id_marker)) + 1 :]
    return [entry for entry in entries if entry[0][0] > marker]


def _checksum_nodes(upload: Upload) -> list[tuple[str, Node]]:
    if not upload.algorithm:
        return []
    return [("ChecksumAlgorithm", upload.algorithm), ("ChecksumType", upload.checksum_type)]


def _part_node(number: int, part: Part) -> tuple[str, Node]:
    sums = [(f"Checksum{name}", value) for name, value in part.checksums.items()]
    facts = [
        ("PartNumber", str(number)),
        ("LastModified", timestamp(part.uploaded)),
        ("ETag", f'"{part.etag}"'),
        ("Size", str(part.size)),
    ]
    return "Part", [*facts, *sums]


def _upload_node(upload: Upload, name: Callable[[str], str]) -> Node:
    return [
        ("Key", name(upload.key)),
        ("UploadId", upload.id),
        ("Initiator", OWNER),
        ("Owner", OWNER),
        ("StorageClass", "STANDARD"),
        ("Initiated", timestamp(upload.began)),
        *_checksum_nodes(upload),
    ]
