"""Multipart uploads: parts as files until they are joined into one object."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from uuid import uuid4
from xml.etree import ElementTree

from werkzeug.wrappers import Request, Response

from etltctl.local.s3.bodies import body_chunks, user_metadata
from etltctl.local.s3.directory import S3Directory
from etltctl.local.s3.listing import xml
from etltctl.local.wire import AwsError


@dataclass
class _Upload:
    bucket: str
    key: str
    metadata: dict[str, str]
    content_type: str
    parts: dict[int, tuple[Path, str]] = field(default_factory=dict)


class MultipartUploads:
    """The uploads under way; they do not outlive the server, like uploads that a lifecycle rule aborts."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory
        self._uploads: dict[str, _Upload] = {}
        self._lock = Lock()

    def answer(self, request: Request, bucket: str, key: str) -> Response:
        """Create, upload a part, list, complete or abort."""
        if request.method == "POST" and "uploads" in request.args:
            return self._create(request, bucket, key)
        upload = self._find(request.args.get("uploadId", ""), bucket, key)
        match request.method:
            case "PUT":
                return self._put_part(request, upload)
            case "GET":
                return self._list_parts(upload, request.args["uploadId"])
            case "POST":
                return self._complete(request, upload)
            case "DELETE":
                self._forget(request.args["uploadId"])
                return Response(status=204)
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource", 405)

    def _create(self, request: Request, bucket: str, key: str) -> Response:
        if not self._directory.has_bucket(bucket):
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        upload_id = uuid4().hex
        self._uploads[upload_id] = _Upload(
            bucket, key, user_metadata(request), request.headers.get("Content-Type") or "binary/octet-stream"
        )
        nodes = [("Bucket", bucket), ("Key", key), ("UploadId", upload_id)]
        return _xml(xml("InitiateMultipartUploadResult", nodes))

    def _find(self, upload_id: str, bucket: str, key: str) -> _Upload:
        upload = self._uploads.get(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise AwsError("NoSuchUpload", "The specified multipart upload does not exist.", 404)
        return upload

    def _put_part(self, request: Request, upload: _Upload) -> Response:
        number = int(request.args.get("partNumber", 0))
        digest = hashlib.md5(usedforsecurity=False)
        with self._directory.scratch_file() as (path, stream):
            for piece in body_chunks(request):
                digest.update(piece)
                stream.write(piece)
            stream.close()
            kept = path.with_name(f"part-{uuid4().hex}")
            path.rename(kept)
        with self._lock:
            replaced = upload.parts.get(number)
            upload.parts[number] = (kept, digest.hexdigest())
        if replaced:
            replaced[0].unlink(missing_ok=True)
        return Response(headers={"ETag": f'"{digest.hexdigest()}"'})

    def _list_parts(self, upload: _Upload, upload_id: str) -> Response:
        parts = [
            ("Part", [("PartNumber", str(number)), ("ETag", f'"{etag}"'), ("Size", str(path.stat().st_size))])
            for number, (path, etag) in sorted(upload.parts.items())
        ]
        head = [
            ("Bucket", upload.bucket),
            ("Key", upload.key),
            ("UploadId", upload_id),
            ("IsTruncated", "false"),
        ]
        return _xml(xml("ListPartsResult", [*head, *parts]))

    def _complete(self, request: Request, upload: _Upload) -> Response:
        numbers = _part_numbers(b"".join(body_chunks(request)))
        if not numbers or any(number not in upload.parts for number in numbers):
            raise AwsError("InvalidPart", "One or more of the specified parts could not be found.")
        chosen = [upload.parts[number] for number in numbers]
        joined = hashlib.md5(
            b"".join(bytes.fromhex(etag) for _, etag in chosen), usedforsecurity=False
        ).hexdigest()
        with self._directory.scratch_file() as (path, stream):
            for part, _ in chosen:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, stream)
            stream.close()
            info = self._directory.adopt_file(
                upload.bucket,
                upload.key,
                path,
                etag=f"{joined}-{len(chosen)}",
                metadata=upload.metadata,
                content_type=upload.content_type,
                if_none_match=request.headers.get("If-None-Match") == "*",
            )
        self._forget(request.args["uploadId"])
        nodes = [("Bucket", upload.bucket), ("Key", upload.key), ("ETag", f'"{info.etag}"')]
        return _xml(xml("CompleteMultipartUploadResult", nodes))

    def _forget(self, upload_id: str) -> None:
        upload = self._uploads.pop(upload_id)
        for path, _ in upload.parts.values():
            path.unlink(missing_ok=True)


def _part_numbers(body: bytes) -> list[int]:
    try:
        nodes = ElementTree.fromstring(body).iter()
    except ElementTree.ParseError as error:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed") from error
    return [int(node.text or 0) for node in nodes if node.tag.endswith("PartNumber")]


def _xml(text: str) -> Response:
    return Response(text, content_type="application/xml")
