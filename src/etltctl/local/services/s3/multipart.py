"""Multipart uploads: parts as files until they are joined into one object."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from uuid import uuid4

from werkzeug.wrappers import Response

from etltctl.local.services.s3.bucket_folders import file_md5
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.checksums import Digests
from etltctl.local.services.s3.described import checksums_sent, description_of
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import invalid_argument, no_such_upload
from etltctl.local.services.s3.keys import check_key
from etltctl.local.services.s3.listing import Node, timestamp, xml, xml_response
from etltctl.local.services.s3.multipart_listing import parts_xml, uploads_xml
from etltctl.local.services.s3.payload import received
from etltctl.local.services.s3.sources import opened_source, pieces, put_conditions, span_of
from etltctl.local.services.s3.upload_parts import (
    Part,
    Upload,
    check_whole,
    checksum_of_upload,
    chosen_parts,
    etag_of,
    joined,
    named_parts,
)

MAX_PARTS = 10_000
REMEMBERED = 1000  # ends of uploads whose answers are kept, for clients that lost the answer and ask again


class MultipartUploads:
    """The uploads under way; they do not outlive the server, like uploads that a lifecycle rule aborts."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory
        self._uploads: dict[str, Upload] = {}
        self._ended: OrderedDict[tuple[str, str, str], str] = OrderedDict()
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
        algorithm, kind = checksum_of_upload(call)
        upload = Upload(uuid4().hex, call.bucket, call.key, description_of(call), algorithm, kind)
        with self._lock:
            self._uploads[upload.id] = upload
        nodes = [("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id)]
        response = xml_response(xml("InitiateMultipartUploadResult", nodes))
        if algorithm:
            response.headers["x-amz-checksum-algorithm"] = algorithm
            response.headers["x-amz-checksum-type"] = kind
        return response

    def _find(self, call: Call) -> Upload:
        upload = self._uploads.get(call.query["uploadId"])
        if upload is None or (upload.bucket, upload.key) != (call.bucket, call.key):
            raise no_such_upload()
        return upload

    def _put_part(self, call: Call) -> Response:
        upload, number = self._find(call), _part_number(call)
        with received(call, self._directory, _algorithms(upload)) as (path, verified):
            part = self._keep(upload, number, path, verified.etag, verified.checksums)
        return Response(headers={"ETag": f'"{part.etag}"', **checksums_sent(part.checksums)})

    def _copy_part(self, call: Call) -> Response:
        upload, number = self._find(call), _part_number(call)
        with opened_source(call, self._directory) as (stream, info, _):
            start, stop = _copied_span(call, info.size)
            digests = Digests(_algorithms(upload))
            with self._directory.scratch_file() as (path, written):
                for piece in pieces(stream, start, stop):
                    digests.update(piece)
                    written.write(piece)
                written.close()
                part = self._keep(upload, number, path, file_md5(path), digests.checksums)
        sums = [(f"Checksum{name}", value) for name, value in part.checksums.items()]
        nodes = [("ETag", f'"{part.etag}"'), ("LastModified", timestamp(part.uploaded)), *sums]
        return xml_response(xml("CopyPartResult", nodes))

    def _keep(self, upload: Upload, number: int, path: Path, etag: str, checksums: Mapping[str, str]) -> Part:
        # A new name each time: a part that is sent twice must not change under a reader that joins the parts.
        part = Part(path.with_name(f"part-{uuid4().hex}"), etag, path.stat().st_size, checksums)
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
        return xml_response(parts_xml(call, self._find(call)))

    def _list_uploads(self, call: Call) -> Response:
        self._directory.list_keys(call.bucket)
        with self._lock:
            uploads = [upload for upload in self._uploads.values() if upload.bucket == call.bucket]
        return xml_response(uploads_xml(call, uploads))

    def _complete(self, call: Call) -> Response:
        # A client that lost the answer asks again and gets the same one. The object may be another by then.
        if answer := self._ended.get((call.bucket, call.key, call.query["uploadId"])):
            return xml_response(answer)
        upload = self._find(call)
        named = named_parts(call)
        with self._lock:
            chosen = chosen_parts(named, upload)
        # Without the lock: joining takes as long as the disk does, and other uploads must go on meanwhile.
        with self._directory.scratch_file() as (path, stream):
            whole = joined(chosen, stream, upload)
            check_whole(call, chosen, whole)
            stream.close()
            info = self._directory.adopt_file(
                upload.bucket,
                upload.key,
                path,
                etag=etag_of(chosen),
                description=upload.described(chosen, whole),
                **put_conditions(call),
            )
        nodes: list[tuple[str, Node]] = [
            ("Location", f"/{upload.bucket}/{upload.key}"),
            ("Bucket", upload.bucket),
            ("Key", upload.key),
            ("ETag", f'"{info.etag}"'),
            *((f"Checksum{name}", value) for name, value in whole.items()),
            *([("ChecksumType", upload.checksum_type)] if whole else []),
        ]
        answer = xml("CompleteMultipartUploadResult", nodes)
        self._forget(upload, answer)
        return xml_response(answer)

    def _abort(self, call: Call) -> Response:
        self._forget(self._find(call))
        return Response(status=204)

    def _forget(self, upload: Upload, answer: str = "") -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)
            if answer:
                self._ended[upload.bucket, upload.key, upload.id] = answer
                while len(self._ended) > REMEMBERED:
                    self._ended.popitem(last=False)
        for part in upload.parts.values():
            part.path.unlink(missing_ok=True)


def _part_number(call: Call) -> int:
    number = call.number("partNumber", 0, 1, MAX_PARTS)
    if not number:
        raise invalid_argument(f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive")
    return number


def _algorithms(upload: Upload) -> Iterable[str]:
    # The object's checksum needs one of every part, also of parts whose client sent none or that were copied.
    return {upload.algorithm} if upload.algorithm else ()


def _copied_span(call: Call, size: int) -> tuple[int, int]:
    """Return the first and one past the last byte that a part copies.

    Raises:
        AwsError: `InvalidArgument` for a range that the source does not have; S3 shortens none here.
    """
    requested = call.header("x-amz-copy-source-range")
    if not requested:
        return 0, size
    match = re.fullmatch(r"bytes=[0-9]{1,18}-([0-9]{1,18})", requested)
    if not match:
        raise invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last")
    if int(match[1]) >= size or (span := span_of(requested, size)) is None:
        raise invalid_argument(f"Range specified is not valid for source object of size: {size}")
    return span
