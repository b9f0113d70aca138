"""Listings as S3 words them: pages, prefixes, folders, and XML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from etltctl.local.services.s3.call import CONTROL
from etltctl.local.services.s3.errors import invalid_argument
from etltctl.local.services.s3.kept import ObjectInfo

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PAGE_KEYS = 1000
ACCOUNT_NUMBER = 123456789012

Node = str | Sequence[tuple[str, "Node"]]
# The canonical user ID of the one account; S3's are 64 hexadecimal digits too.
OWNER: Node = [("ID", f"{ACCOUNT_NUMBER:064x}"), ("DisplayName", "etltctl")]


@dataclass(frozen=True)
class Page:
    """One page of a listing: keys of objects, folders, and where the next page begins."""

    keys: list[str]
    folders: list[str]
    next_after: str


def page(keys: Iterable[str], *, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Return the first `limit` objects and folders whose names come after `after`."""
    entries: list[str] = []
    folders: list[str] = []
    last = ""
    for key in keys:
        rest = key[len(prefix) :]
        folder = (
            prefix + rest[: rest.index(delimiter) + len(delimiter)] if delimiter and delimiter in rest else ""
        )
        name = folder or key
        # A page may end inside a folder: `after` is then the folder, and its other keys belong to that page still.
        if name <= after or (folder and folders[-1:] == [folder]):
            continue
        # One key more than the page is read, and only to know whether there is another page.
        if len(entries) + len(folders) == limit:
            return Page(entries, folders, last)
        if folder:
            folders.append(folder)
        else:
            entries.append(key)
        last = name
    return Page(entries, folders, "")


def listing_xml(
    bucket: str, query: Mapping[str, str], one_page: Page, objects: Sequence[ObjectInfo], limit: int
) -> str:
    """Return the answer to ListObjectsV2, or to the first version of it."""
    is_v2 = "list-type" in query
    coded = query.get("encoding-type") == "url"

    def name(key: str) -> str:
        return quote(key, safe="/") if coded else key

    with_owner = not is_v2 or query.get("fetch-owner") == "true"
    nodes = _head(bucket, query, one_page, limit, name)
    if is_v2:
        nodes += _position_v2(query, one_page, len(objects) + len(one_page.folders), name)
    else:
        nodes.append(("Marker", name(query.get("marker", ""))))
        if one_page.next_after and query.get("delimiter"):
            nodes.append(("NextMarker", name(one_page.next_after)))
    nodes += [("Contents", _contents(info, name(info.key), with_owner)) for info in objects]
    nodes += [("CommonPrefixes", [("Prefix", name(folder))]) for folder in one_page.folders]
    return xml("ListBucketResult", nodes)


def versions_xml(
    bucket: str, query: Mapping[str, str], one_page: Page, objects: Sequence[ObjectInfo], limit: int
) -> str:
    """Return the answer to ListObjectVersions: without versioning, every object is its only version, `null`."""
    coded = query.get("encoding-type") == "url"

    def name(key: str) -> str:
        return quote(key, safe="/") if coded else key

    nodes = _head(bucket, query, one_page, limit, name)
    nodes += [
        ("KeyMarker", name(query.get("key-marker", ""))),
        ("VersionIdMarker", query.get("version-id-marker", "")),
    ]
    if one_page.next_after:
        nodes += [("NextKeyMarker", name(one_page.next_after)), ("NextVersionIdMarker", "null")]
    version: list[tuple[str, Node]] = [("VersionId", "null"), ("IsLatest", "true")]
    nodes += [("Version", [*version, *_contents(info, name(info.key), True)]) for info in objects]
    nodes += [("CommonPrefixes", [("Prefix", name(folder))]) for folder in one_page.folders]
    return xml("ListVersionsResult", nodes)


def _head(
    bucket: str, query: Mapping[str, str], one_page: Page, limit: int, name: Callable[[str], str]
) -> list[tuple[str, Node]]:
    """Return what every listing says first: what was asked for, and whether this is all of it."""
    nodes: list[tuple[str, Node]] = [
        ("Name", bucket),
        ("Prefix", name(query.get("prefix", ""))),
        ("MaxKeys", str(limit)),
        ("IsTruncated", "true" if one_page.next_after else "false"),
    ]
    if query.get("encoding-type") == "url":
        nodes.append(("EncodingType", "url"))
    if delimiter := query.get("delimiter"):
        nodes.append(("Delimiter", name(delimiter)))
    return nodes


def _position_v2(
    query: Mapping[str, str], one_page: Page, count: int, name: Callable[[str], str]
) -> list[tuple[str, Node]]:
    """Return the place of this page; S3 repeats in it what the request said."""
    nodes: list[tuple[str, Node]] = [("KeyCount", str(count))]
    if "continuation-token" in query:
        nodes.append(("ContinuationToken", query["continuation-token"]))
    if start := query.get("start-after"):
        nodes.append(("StartAfter", name(start)))
    if one_page.next_after:
        nodes.append(("NextContinuationToken", one_page.next_after.encode().hex()))
    return nodes


def token_to_key(token: str) -> str:
    """Return the key that a continuation token stands for.

    Raises:
        AwsError: `InvalidArgument` if no listing gave out this token.
    """
    try:
        return bytes.fromhex(token).decode()
    except ValueError as error:
        raise invalid_argument("The continuation token provided is incorrect") from error


def timestamp(when: datetime) -> str:
    """Return a time as S3 writes it in XML."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def xml(root: str, nodes: Node) -> str:
    """Return a small XML document in S3's namespace."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{_inner(nodes)}</{root}>'


def xml_response(text: str) -> Response:
    """Return the document as an answer."""
    return Response(text, content_type="application/xml")


def error_xml(code: str, message: str, resource: str, request_id: str) -> str:
    """Return an error; S3 gives these no namespace, and clients expect none."""
    texts = {"Code": code, "Message": message, "Resource": resource, "RequestId": request_id}
    # XML has no way at all to write most control characters, and an error must be readable.
    nodes = [(name, CONTROL.sub("\ufffd", text)) for name, text in texts.items()]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{_inner(nodes)}</Error>'


def _inner(node: Node) -> str:
    # Keys may hold control characters; as references they are not XML 1.0, but what S3 sends and its clients read.
    if isinstance(node, str):
        return CONTROL.sub(lambda letter: f"&#{ord(letter[0])};", escape(node))
    return "".join(f"<{name}>{_inner(inner)}</{name}>" for name, inner in node)


def _contents(info: ObjectInfo, key: str, with_owner: bool) -> list[tuple[str, Node]]:
    nodes: list[tuple[str, Node]] = [
        ("Key", key),
        ("LastModified", timestamp(info.last_modified)),
        ("ETag", f'"{info.etag}"'),
        ("Size", str(info.size)),
        ("StorageClass", "STANDARD"),
    ]
    return [*nodes, ("Owner", OWNER)] if with_owner else nodes
