"""Listings as S3 words them: pages, prefixes, folders, and XML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from etltctl.local.s3.directory import ObjectInfo

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
PAGE_KEYS = 1000

Node = str | Sequence[tuple[str, "Node"]]


@dataclass(frozen=True)
class Page:
    """One page of a listing: keys of objects, folders, and where the next page begins."""

    keys: list[str]
    folders: list[str]
    next_after: str


def page(keys: Iterable[str], *, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """The first `limit` objects and folders whose names come after `after`."""
    found: list[str] = []
    folders: list[str] = []
    last = ""
    for key in keys:
        rest = key[len(prefix) :]
        folder = (
            prefix + rest[: rest.index(delimiter) + len(delimiter)] if delimiter and delimiter in rest else ""
        )
        name = folder or key
        if name <= after or (folder and folders[-1:] == [folder]):
            continue
        if len(found) + len(folders) == limit:
            return Page(found, folders, last)
        if folder:
            folders.append(folder)
        else:
            found.append(key)
        last = name
    return Page(found, folders, "")


def listing_xml(
    bucket: str, asked: Mapping[str, str], listed: Page, objects: Sequence[ObjectInfo], limit: int
) -> str:
    """The answer to ListObjectsV2, or to the first version of it."""
    is_v2 = asked.get("list-type") == "2"
    coded = asked.get("encoding-type") == "url"

    def name(key: str) -> str:
        return quote(key, safe="/") if coded else key

    nodes: list[tuple[str, Node]] = [
        ("Name", bucket),
        ("Prefix", name(asked.get("prefix", ""))),
        ("MaxKeys", str(limit)),
        ("IsTruncated", "true" if listed.next_after else "false"),
    ]
    if coded:
        nodes.append(("EncodingType", "url"))
    if delimiter := asked.get("delimiter"):
        nodes.append(("Delimiter", name(delimiter)))
    if is_v2:
        nodes.append(("KeyCount", str(len(objects) + len(listed.folders))))
    if listed.next_after:
        nodes.append(
            ("NextContinuationToken" if is_v2 else "NextMarker", _token(listed.next_after, is_v2, name))
        )
    nodes += [("Contents", _contents(info, name(info.key))) for info in objects]
    nodes += [("CommonPrefixes", [("Prefix", name(folder))]) for folder in listed.folders]
    return xml("ListBucketResult", nodes)


def token_to_key(token: str) -> str:
    """The key a continuation token stands for; raises ValueError if it is not one of ours."""
    return bytes.fromhex(token).decode()


def timestamp(when: datetime) -> str:
    """A time as S3 writes it in XML."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def xml(root: str, nodes: Sequence[tuple[str, Node]]) -> str:
    """A small XML document in S3's namespace."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{_inner(nodes)}</{root}>'


def error_xml(code: str, message: str, resource: str) -> str:
    """An error; S3 gives these no namespace, and clients expect none."""
    nodes = [("Code", code), ("Message", message), ("Resource", resource)]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{_inner(nodes)}</Error>'


def _inner(nodes: Sequence[tuple[str, Node]]) -> str:
    return "".join(
        f"<{name}>{escape(node) if isinstance(node, str) else _inner(node)}</{name}>" for name, node in nodes
    )


def _contents(info: ObjectInfo, key: str) -> list[tuple[str, Node]]:
    return [
        ("Key", key),
        ("LastModified", timestamp(info.last_modified)),
        ("ETag", f'"{info.etag}"'),
        ("Size", str(info.size)),
        ("StorageClass", "STANDARD"),
    ]


def _token(key: str, is_v2: bool, name: Callable[[str], str]) -> str:
    return key.encode().hex() if is_v2 else name(key)
