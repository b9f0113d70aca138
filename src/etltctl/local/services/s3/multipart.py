"""Multipart uploads: parts as files until they are joined into one object."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO
from uuid import uuid4

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.bucket_folders import file_md5
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.checksums import ALGORITHMS
from etltctl.local.services.s3.described import checksums_sent, description_of
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import invalid_argument, invalid_part, malformed_xml, no_such_upload
from etltctl.local.services.s3.kept import Description
from etltctl.local.services.s3.keys import check_key
from etltctl.local.services.s3.listing import OWNER, Node, timestamp, xml, xml_response
from etltctl.local.services.s3.payload import bare_tag, received, whole_xml
from etltctl.local.services.s3.sources import opened_source, pieces, put_conditions, span_of

LEAST_PART_BYTES = 5 << 20  # of every part but the last
MAX_PARTS = 10_000
PAGE = 1000


@dataclass(frozen=True)
class _Part:
    path: Path
    etag: str
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)
    uploaded: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class _Upload:
    id: str
    bucket: str
    key: str
    description: Description
    parts: dict[int, _Part] = field(default_factory=dict)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))


class MultipartUploads:
    """The uploads under way; they do not outlive the server, like uploads that a lifecycle rule aborts."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory
        self._uploads: dict[str, _Upload] = {}
        self._lock = Lock()

    def operations(self) -> Mapping[str, Callable[[Call], Response]]:
        """Return what answers each operation."""
        return {
            "CreateMultipartUpload": self._create,
            "UploadPart": self._put_part,
            "UploadPartCopy": self._copy_part,
            "ListParts": self._list_parts,
            "ListMultipartUploads": self._list_uploads,
            "CompleteMultipartUpload": self._complete,
            "AbortMultipartUpload": self._abort,
        }

    def _create(self, call: Call) -> Response:
        self._directory.list_keys(call.bucket)  # refuses a bucket that is not there
        check_key(call.bucket, call.key)  # and a key that could not be kept in the end
        upload = _Upload(uuid4().hex, call.bucket, call.key, description_of(call))
        with self._lock:
            self._uploads[upload.id] = upload
        nodes = [("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id)]
        response = xml_response(xml("InitiateMultipartUploadResult", nodes))
        for name in ("x-amz-checksum-algorithm", "x-amz-checksum-type"):
            if value := call.header(name):
                response.headers[name] = value
        return response

    def _find(self, call: Call) -> _Upload:
        upload = self._uploads.get(call.query["uploadId"])
        if upload is None or (upload.bucket, upload.key) != (call.bucket, call.key):
            raise no_such_upload()
        return upload

    def _put_part(self, call: Call) -> Response:
        upload, number = self._find(call), call.number("partNumber", 0, 1, MAX_PARTS)
        with received(call, self._directory) as (path, verified):
            part = self._keep(upload, number, path, verified.etag, verified.checksums)
        return Response(headers={"ETag": f'"{part.etag}"', **checksums_sent(part.checksums)})

    def _copy_part(self, call: Call) -> Response:
        upload, number = self._find(call), call.number("partNumber", 0, 1, MAX_PARTS)
        with opened_source(call, self._directory) as (stream, info, _):
            requested = call.header("x-amz-copy-source-range")
            if requested and not re.fullmatch(r"bytes=[0-9]+-[0-9]+", requested):
                raise invalid_argument(
                    "The x-amz-copy-source-range value must be of the form bytes=first-last"
                )
            start, stop = span_of(requested, info.size) or (0, info.size)
            with self._directory.scratch_file() as (path, written):
                for piece in pieces(stream, start, stop):
                    written.write(piece)
                written.close()
                part = self._keep(upload, number, path, file_md5(path), {})
        nodes = [("ETag", f'"{part.etag}"'), ("LastModified", timestamp(part.uploaded))]
        return xml_response(xml("CopyPartResult", nodes))

    def _keep(
        self, upload: _Upload, number: int, path: Path, etag: str, checksums: Mapping[str, str]
    ) -> _Part:
        if not number:
            raise invalid_argument(f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive")
        part = _Part(path.with_name(f"part-{uuid4().hex}"), etag, path.stat().st_size, checksums)
        with self._lock:
            if upload.id not in self._uploads:  # it was completed or aborted while the part came in
                raise no_such_upload()
            path.rename(part.path)
            replaced = upload.parts.get(number)
            upload.parts[number] = part
        if replaced:
            replaced.path.unlink(missing_ok=True)
        return part

    def _list_parts(self, call: Call) -> Response:
        upload = self._find(call)
        limit = call.number("max-parts", PAGE, 0, 2**31 - 1)
        after = call.number("part-number-marker", 0, 0, 2**31 - 1)
        parts = [(number, part) for number, part in sorted(upload.parts.items()) if number > after]
        shown, is_cut = parts[: min(limit, PAGE)], len(parts) > min(limit, PAGE)
        head: list[tuple[str, Node]] = [
            ("Bucket", upload.bucket),
            ("Key", upload.key),
            ("UploadId", upload.id),
            ("PartNumberMarker", str(after)),
            *([("NextPartNumberMarker", str(shown[-1][0]))] if shown else []),
            ("MaxParts", str(min(limit, PAGE))),
            ("IsTruncated", "true" if is_cut else "false"),
            ("Initiator", OWNER),
            ("Owner", OWNER),
            ("StorageClass", "STANDARD"),
        ]
        return xml_response(xml("ListPartsResult", [*head, *(_part_node(*each) for each in shown)]))

    def _list_uploads(self, call: Call) -> Response:
        self._directory.list_keys(call.bucket)
        if call.query.get("delimiter"):
            raise AwsError(
                "NotImplemented",
                "the embedded S3 lists uploads without a delimiter; nothing was changed",
                501,
            )
        limit = min(call.number("max-uploads", PAGE, 0, 2**31 - 1), PAGE)
        prefix = call.query.get("prefix", "")
        marker = (call.query.get("key-marker", ""), call.query.get("upload-id-marker", "~"))
        with self._lock:
            uploads = sorted(
                (upload.key, upload.id, upload)
                for upload in self._uploads.values()
                if upload.bucket == call.bucket and upload.key.startswith(prefix)
            )
        left = [upload for key, id_, upload in uploads if not marker[0] or (key, id_) > marker]
        shown = left[:limit]
        head: list[tuple[str, Node]] = [
            ("Bucket", call.bucket),
            ("KeyMarker", marker[0]),
            ("UploadIdMarker", call.query.get("upload-id-marker", "")),
            ("Prefix", prefix),
            ("MaxUploads", str(limit)),
            ("IsTruncated", "true" if len(left) > limit else "false"),
        ]
        if shown:
            head += [("NextKeyMarker", shown[-1].key), ("NextUploadIdMarker", shown[-1].id)]
        nodes = [("Upload", _upload_node(upload)) for upload in shown]
        return xml_response(xml("ListMultipartUploadsResult", [*head, *nodes]))

    def _complete(self, call: Call) -> Response:
        upload = self._find(call)
        with self._lock:
            chosen = _chosen(_named_parts(call), upload)
        digests = b"".join(bytes.fromhex(part.etag) for part in chosen)
        joined = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        with self._directory.scratch_file() as (path, stream):
            for part in chosen:
                with _opened(part) as source:
                    shutil.copyfileobj(source, stream, 1 << 20)
            stream.close()
            info = self._directory.adopt_file(
                upload.bucket,
                upload.key,
                path,
                etag=f"{joined}-{len(chosen)}",
                description=upload.description,
                **put_conditions(call),
            )
        self._forget(upload.id)
        nodes = [
            ("Location", f"/{upload.bucket}/{upload.key}"),
            ("Bucket", upload.bucket),
            ("Key", upload.key),
            ("ETag", f'"{info.etag}"'),
        ]
        return xml_response(xml("CompleteMultipartUploadResult", nodes))

    def _abort(self, call: Call) -> Response:
        self._forget(self._find(call).id)
        return Response(status=204)

    def _forget(self, upload_id: str) -> None:
        with self._lock:
            upload = self._uploads.pop(upload_id, None)
        for part in upload.parts.values() if upload else ():
            part.path.unlink(missing_ok=True)


def _opened(part: _Part) -> IO[bytes]:
    try:
        return part.path.open("rb")
    except FileNotFoundError as error:  # replaced, or the upload was aborted meanwhile
        raise invalid_part() from error


def _named_parts(call: Call) -> list[dict[str, str]]:
    """Return the parts as the request names them; raises AwsError `MalformedXML`."""
    document = whole_xml(call)
    parts = [
        {bare_tag(inner): inner.text or "" for inner in node} for node in document if bare_tag(node) == "Part"
    ]
    if bare_tag(document) != "CompleteMultipartUpload" or not parts:
        raise malformed_xml()
    if any(not re.fullmatch(r"[0-9]{1,6}", part.get("PartNumber", "")) for part in parts):
        raise malformed_xml()
    return parts


def _chosen(named: list[dict[str, str]], upload: _Upload) -> list[_Part]:
    """Return the parts that make the object, in their order.

    Raises:
        AwsError: `InvalidPartOrder`, `InvalidPart` or `EntityTooSmall`.
    """
    numbers = [int(part["PartNumber"]) for part in named]
    if numbers != sorted(set(numbers)):
        raise AwsError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        )
    if any(
        not _is_part(named_part, upload.parts.get(number))
        for number, named_part in zip(numbers, named, strict=True)
    ):
        raise invalid_part()
    chosen = [upload.parts[number] for number in numbers]
    if any(part.size < LEAST_PART_BYTES for part in chosen[:-1]):
        raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    return chosen


def _is_part(named: Mapping[str, str], part: _Part | None) -> bool:
    if part is None or named.get("ETag", "").strip().strip('"') != part.etag:
        return False
    sums = {name: named[f"Checksum{name}"] for name in ALGORITHMS if f"Checksum{name}" in named}
    return all(part.checksums.get(name, value) == value for name, value in sums.items())


def _part_node(number: int, part: _Part) -> tuple[str, Node]:
    sums = [(f"Checksum{name}", value) for name, value in part.checksums.items()]
    facts = [
        ("PartNumber", str(number)),
        ("LastModified", timestamp(part.uploaded)),
        ("ETag", f'"{part.etag}"'),
        ("Size", str(part.size)),
    ]
    return "Part", [*facts, *sums]


def _upload_node(upload: _Upload) -> Node:
    return [
        ("Key", upload.key),
        ("UploadId", upload.id),
        ("Initiator", OWNER),
        ("Owner", OWNER),
        ("StorageClass", "STANDARD"),
        ("Initiated", timestamp(upload.began)),
    ]
