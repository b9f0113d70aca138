"""The S3 REST API over a directory, as a WSGI application."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree

from werkzeug.wrappers import Request, Response

from etltctl.local.s3.bodies import METADATA, body_chunks, user_metadata
from etltctl.local.s3.directory import ObjectInfo, S3Directory
from etltctl.local.s3.listing import PAGE_KEYS, error_xml, listing_xml, page, timestamp, token_to_key, xml
from etltctl.local.s3.multipart import MultipartUploads
from etltctl.local.wire import AwsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SEND_BYTES = 1 << 20
# What a bucket can be told, and what S3 answers if it was not; versioning is told as never switched on.
CONFIGURATIONS = {
    "policy": "NoSuchBucketPolicy",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "versioning": "",
}


class S3Api:
    """Path-style S3: `/bucket/key`."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory
        self._uploads = MultipartUploads(directory)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request; every error is S3's XML."""
        request = Request(environ)
        bucket, _, key = request.path.lstrip("/").partition("/")
        try:
            response = self._answer(request, bucket, key)
        except AwsError as error:
            body = error_xml(error.code, error.message, request.path)
            response = Response(body, error.status, content_type="application/xml")
        except ConnectionError:
            raise  # the caller has gone
        except OSError as error:
            told = f"the object cannot be kept: {(error.strerror or str(error)).lower()}"
            body = error_xml("InternalError", told, request.path)
            response = Response(body, 500, content_type="application/xml")
        return response(environ, start_response)

    def _answer(self, request: Request, bucket: str, key: str) -> Response:
        if not bucket:
            return self._list_buckets()
        return self._on_object(request, bucket, key) if key else self._on_bucket(request, bucket)

    # buckets

    def _list_buckets(self) -> Response:
        entries = [("Bucket", [("Name", name)]) for name in self._directory.buckets()]
        return _xml(xml("ListAllMyBucketsResult", [("Buckets", entries)]))

    def _on_bucket(self, request: Request, bucket: str) -> Response:
        if name := CONFIGURATIONS.keys() & set(request.args):
            return self._on_configuration(request, bucket, name.pop())
        match request.method:
            case "PUT":
                if self._directory.has_bucket(bucket):
                    raise AwsError("BucketAlreadyOwnedByYou", "You already own the bucket", 409)
                self._directory.create_bucket(bucket)
                return Response(headers={"Location": f"/{bucket}"})
            case "HEAD" | "GET" if not self._directory.has_bucket(bucket):
                raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
            case "HEAD":
                return Response(headers={"x-amz-bucket-region": "us-east-1"})
            case "DELETE":
                self._directory.delete_bucket(bucket)
                return Response(status=204)
            case "POST" if "delete" in request.args:
                return self._delete_objects(request, bucket)
            case "GET" if "location" in request.args:
                return _xml(xml("LocationConstraint", []))
            case "GET":
                return self._list_objects(request.args, bucket)
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource", 405)

    def _list_objects(self, asked: Mapping[str, str], bucket: str) -> Response:
        prefix = asked.get("prefix", "")
        limit = min(int(asked.get("max-keys", PAGE_KEYS)), PAGE_KEYS)
        after = asked.get("start-after") or asked.get("marker") or ""
        if token := asked.get("continuation-token"):
            try:
                after = token_to_key(token)
            except ValueError as error:
                raise AwsError("InvalidArgument", "The continuation token provided is incorrect") from error
        keys = self._directory.list_keys(bucket, prefix, after)
        listed = page(keys, prefix=prefix, delimiter=asked.get("delimiter", ""), after=after, limit=limit)
        objects = self._directory.look_at(bucket, listed.keys)
        return _xml(listing_xml(bucket, asked, listed, objects, limit))

    def _delete_objects(self, request: Request, bucket: str) -> Response:
        keys = [
            node.text or ""
            for node in ElementTree.fromstring(_body(request)).iter()
            if node.tag.endswith("Key")
        ]
        for key in keys:
            self._directory.delete_object(bucket, key)
        return _xml(xml("DeleteResult", [("Deleted", [("Key", key)]) for key in keys]))

    def _on_configuration(self, request: Request, bucket: str, name: str) -> Response:
        """A bucket's policy, encryption and the like: kept as it was written, and not acted on."""
        if not self._directory.has_bucket(bucket):
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        file = self._directory.configuration_file(bucket, name)
        match request.method:
            case "PUT":
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(_body(request))
                return Response(status=200)
            case "DELETE":
                file.unlink(missing_ok=True)
                return Response(status=204)
        if not file.exists() and CONFIGURATIONS[name]:
            raise AwsError(CONFIGURATIONS[name], f"The bucket has no {name}", 404)
        content = file.read_bytes() if file.exists() else xml("VersioningConfiguration", [])
        kind = "application/json" if name == "policy" else "application/xml"
        return Response(content, content_type=kind)

    # objects

    def _on_object(self, request: Request, bucket: str, key: str) -> Response:
        if "uploadId" in request.args or "uploads" in request.args:
            return self._uploads.answer(request, bucket, key)
        match request.method:
            case "GET" | "HEAD":
                return self._get(request, bucket, key)
            case "PUT" if "x-amz-copy-source" in request.headers:
                return self._copy(request, bucket, key)
            case "PUT":
                return self._put(request, bucket, key)
            case "DELETE":
                self._directory.delete_object(
                    bucket, key, if_match=request.headers.get("If-Match", "").strip('"')
                )
                return Response(status=204)
        raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource", 405)

    def _get(self, request: Request, bucket: str, key: str) -> Response:
        info = self._directory.head_object(bucket, key)
        wanted = request.headers.get("If-Match")
        if wanted and wanted.strip('"') != info.etag:
            raise AwsError(
                "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
            )
        start, stop = _range(request.headers.get("Range", ""), info.size)
        headers = _headers(info) | {"Content-Length": str(stop - start)}
        is_part = "Range" in request.headers and request.headers["Range"].startswith("bytes=")
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
        body = () if request.method == "HEAD" else self._pieces(bucket, key, start, stop)
        return Response(body, 206 if is_part else 200, headers, direct_passthrough=True)

    def _pieces(self, bucket: str, key: str, start: int, stop: int) -> Iterable[bytes]:
        with self._directory.path(bucket, key).open("rb") as stream:
            stream.seek(start)
            while start < stop and (piece := stream.read(min(SEND_BYTES, stop - start))):
                start += len(piece)
                yield piece

    def _put(self, request: Request, bucket: str, key: str) -> Response:
        digest = hashlib.md5(usedforsecurity=False)
        with self._directory.scratch_file() as (path, stream):
            for piece in body_chunks(request):
                digest.update(piece)
                stream.write(piece)
            stream.close()
            info = self._directory.adopt_file(
                bucket,
                key,
                path,
                etag=digest.hexdigest(),
                metadata=user_metadata(request),
                content_type=request.headers.get("Content-Type") or "binary/octet-stream",
                if_none_match=request.headers.get("If-None-Match") == "*",
                if_match=request.headers.get("If-Match", "").strip('"'),
            )
        return Response(headers={"ETag": f'"{info.etag}"'})

    def _copy(self, request: Request, bucket: str, key: str) -> Response:
        source = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("?")[0]
        from_bucket, _, from_key = source.partition("/")
        info = self._directory.head_object(from_bucket, from_key)
        is_new = request.headers.get("x-amz-metadata-directive") == "REPLACE"
        with self._directory.scratch_file() as (path, stream):
            for piece in self._pieces(from_bucket, from_key, 0, info.size):
                stream.write(piece)
            stream.close()
            copied = self._directory.adopt_file(
                bucket,
                key,
                path,
                metadata=user_metadata(request) if is_new else info.metadata,
                content_type=info.content_type,
            )
        nodes = [("ETag", f'"{copied.etag}"'), ("LastModified", timestamp(copied.last_modified))]
        return _xml(xml("CopyObjectResult", nodes))


def _range(header: str, size: int) -> tuple[int, int]:
    """First and one past the last byte of a Range header; the whole object without one."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header)
    if not match or match[0] == "bytes=-":
        return 0, size
    if not match[1]:
        start, stop = max(size - int(match[2]), 0), size
    else:
        start, stop = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    if start >= stop:
        raise AwsError("InvalidRange", "The requested range is not satisfiable", 416)
    return start, stop


def _headers(info: ObjectInfo) -> dict[str, str]:
    return {
        "ETag": f'"{info.etag}"',
        "Last-Modified": format_datetime(info.last_modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": info.content_type,
        **{f"{METADATA}{name}": value for name, value in info.metadata.items()},
    }


def _body(request: Request) -> bytes:
    return b"".join(body_chunks(request))


def _xml(text: str) -> Response:
    return Response(text, content_type="application/xml")
