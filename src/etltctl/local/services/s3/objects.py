"""The operations on objects: read, write, copy, delete, list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import IO
from xml.etree import ElementTree

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.checksums import Digests
from etltctl.local.services.s3.described import attributes_of, checksums_sent, description_of, headers_of
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from etltctl.local.services.s3.kept import FULL_OBJECT, Description, ObjectInfo
from etltctl.local.services.s3.listing import (
    PAGE_KEYS,
    Node,
    Page,
    listing_xml,
    page,
    timestamp,
    token_to_key,
    versions_xml,
    xml,
    xml_response,
)
from etltctl.local.services.s3.payload import bare_tag, received, whole_xml
from etltctl.local.services.s3.sources import (
    check_version,
    is_replaced,
    is_unchanged,
    opened_source,
    part_span,
    pieces,
    put_conditions,
    span_of,
)

NOT_MODIFIED_HEADERS = ("ETag", "Last-Modified", "Cache-Control", "Expires")
MAX_DELETED = 1000
MAX_PARTS = 10_000
ONTO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


class ObjectOperations:
    """The objects of a directory."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory

    def operations(self) -> Mapping[str, Callable[[Call], Response]]:
        """Return what answers each operation."""
        return {
            "GetObject": self._get,
            "HeadObject": self._get,
            "GetObjectAttributes": self._attributes,
            "PutObject": self._put,
            "CopyObject": self._copy,
            "DeleteObject": self._delete,
            "DeleteObjects": self._delete_many,
            "ListObjects": self._list,
            "ListObjectsV2": self._list,
            "ListObjectVersions": self._list_versions,
        }

    def _get(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        # The file stays open while it is sent, so an object that is replaced meanwhile is still sent whole.
        stream, info = self._directory.open_object(call.bucket, call.key)
        try:
            return self._answer(call, stream, info)
        except AwsError:
            stream.close()
            raise

    def _answer(self, call: Call, stream: IO[bytes], info: ObjectInfo) -> Response:
        if is_unchanged(call.headers, info):
            stream.close()
            return _unchanged(info, call)
        number = call.number("partNumber", 0, 1, MAX_PARTS)
        if number and call.header("range"):
            raise invalid_request("Cannot specify both Range header and partNumber query parameter")
        span = part_span(info, number) if number else span_of(call.header("range"), info.size)
        start, stop = span or (0, info.size)
        headers = headers_of(info, call, part=number, is_whole=span is None)
        headers["Content-Length"] = str(stop - start)
        if span:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{info.size}"
        if call.method == "HEAD":
            stream.close()
        body = () if call.method == "HEAD" else pieces(stream, start, stop)
        return Response(body, 206 if span else 200, headers, direct_passthrough=True)

    def _attributes(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        info = self._directory.head_object(call.bucket, call.key)
        response = xml_response(xml("GetObjectAttributesResponse", attributes_of(call, info)))
        response.headers["Last-Modified"] = format_datetime(info.last_modified, usegmt=True)
        return response

    def _put(self, call: Call) -> Response:
        with received(call, self._directory) as (path, verified):
            info = self._directory.adopt_file(
                call.bucket,
                call.key,
                path,
                etag=verified.etag,
                description=description_of(call, verified.checksums),
                **put_conditions(call),
            )
        return Response(headers={"ETag": f'"{info.etag}"', **checksums_sent(info.description.checksums)})

    def _copy(self, call: Call) -> Response:
        with opened_source(call, self._directory) as (stream, info, place):
            is_new = is_replaced(call, "x-amz-metadata-directive")
            if place == (call.bucket, call.key) and not is_new:
                raise invalid_request(ONTO_ITSELF)
            # A copy is one part, so a checksum of the source's parts does not hold for it.
            named = call.header("x-amz-checksum-algorithm").upper()
            digests = Digests({named} if named else info.description.checksums)
            with self._directory.scratch_file() as (path, written):
                for piece in pieces(stream, 0, info.size):
                    digests.update(piece)
                    written.write(piece)
                written.close()
                described = _described_copy(call, info, digests.checksums, is_new=is_new)
                copied = self._directory.adopt_file(
                    call.bucket, call.key, path, description=described, **put_conditions(call)
                )
        nodes: list[tuple[str, Node]] = [
            ("ETag", f'"{copied.etag}"'),
            ("LastModified", timestamp(copied.last_modified)),
            *((f"Checksum{name}", value) for name, value in digests.checksums.items()),
        ]
        return xml_response(xml("CopyObjectResult", nodes))

    def _delete(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        self._directory.delete_object(call.bucket, call.key, if_match=call.header("if-match").strip('"'))
        return Response(status=204)

    def _delete_many(self, call: Call) -> Response:
        self._directory.list_keys(call.bucket)  # refuses a bucket that is not there
        document = whole_xml(call)
        objects = [node for node in document if bare_tag(node) == "Object"]
        if bare_tag(document) != "Delete" or not 0 < len(objects) <= MAX_DELETED:
            raise malformed_xml()
        is_quiet = any(bare_tag(node) == "Quiet" and node.text == "true" for node in document)
        results = [self._delete_one(call.bucket, node) for node in objects]
        return xml_response(
            xml("DeleteResult", [each for each in results if each[0] == "Error" or not is_quiet])
        )

    def _delete_one(self, bucket: str, node: ElementTree.Element) -> tuple[str, Node]:
        named = {bare_tag(inner): inner.text or "" for inner in node}
        key = named.pop("Key", "")
        try:
            if not key:
                raise malformed_xml()
            check_version(named.pop("VersionId", ""))
            if_match = named.pop("ETag", "").strip('"')
            if named:
                message = f"the embedded S3 does not model {', '.join(sorted(named))} in DeleteObjects"
                raise AwsError("NotImplemented", message, 501)
            self._directory.delete_object(bucket, key, if_match=if_match)
        # One key that is refused stops no other: the answer has a line for each.
        except AwsError as error:
            return "Error", [("Key", key), ("Code", error.code), ("Message", error.message)]
        return "Deleted", [("Key", key)]

    def _list(self, call: Call) -> Response:
        query = call.query
        if query.get("list-type", "2") != "2":
            raise invalid_argument("Invalid List Type specified in Request")
        after = query.get("start-after") or query.get("marker") or ""
        if "continuation-token" in query:
            after = token_to_key(query["continuation-token"])
        one_page, objects, limit = self._page(call, after)
        return xml_response(listing_xml(call.bucket, query, one_page, objects, limit))

    def _list_versions(self, call: Call) -> Response:
        if call.query.get("version-id-marker", "null") not in {"", "null"}:
            raise invalid_argument("Invalid version id specified")
        one_page, objects, limit = self._page(call, call.query.get("key-marker", ""))
        return xml_response(versions_xml(call.bucket, call.query, one_page, objects, limit))

    def _page(self, call: Call, after: str) -> tuple[Page, list[ObjectInfo], int]:
        query = call.query
        if query.get("encoding-type", "url") != "url":
            raise invalid_argument("Invalid Encoding Method specified in Request")
        limit = min(call.number("max-keys", PAGE_KEYS, 0, 2**31 - 1), PAGE_KEYS)
        prefix = query.get("prefix", "")
        keys = self._directory.list_keys(call.bucket, prefix, after)
        one_page = page(keys, prefix=prefix, delimiter=query.get("delimiter", ""), after=after, limit=limit)
        return one_page, self._directory.look_at(call.bucket, one_page.keys), limit


def _unchanged(info: ObjectInfo, call: Call) -> Response:
    headers = headers_of(info, call, is_whole=True)
    kept = {name: headers[name] for name in NOT_MODIFIED_HEADERS if name in headers}
    return Response(status=304, headers=kept)


def _described_copy(
    call: Call, info: ObjectInfo, checksums: Mapping[str, str], *, is_new: bool
) -> Description:
    """Return what is kept about a copy: of the source, or of the request if it says REPLACE."""
    requested, source = description_of(call), info.description
    described = requested if is_new else source
    tags = requested.tags if is_replaced(call, "x-amz-tagging-directive") else source.tags
    return replace(described, tags=tags, checksums=checksums, checksum_type=FULL_OBJECT, parts=())
