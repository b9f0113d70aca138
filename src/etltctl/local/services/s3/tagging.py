"""The tags of an object, which are kept with its other facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from xml.etree import ElementTree

from werkzeug.wrappers import Response

from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.described import check_tags
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.errors import malformed_xml
from etltctl.local.services.s3.listing import Node, xml, xml_response
from etltctl.local.services.s3.payload import bare_tag, whole_xml
from etltctl.local.services.s3.sources import check_version


class TaggingOperations:
    """The operations on tags."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory

    def operations(self) -> Mapping[str, Callable[[Call], Response]]:
        """Return what answers each operation."""
        return {
            "GetObjectTagging": self._get,
            "PutObjectTagging": self._put,
            "DeleteObjectTagging": self._delete,
        }

    def _get(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        tags = self._directory.head_object(call.bucket, call.key).description.tags
        nodes: list[tuple[str, Node]] = [
            ("Tag", [("Key", name), ("Value", value)]) for name, value in sorted(tags.items())
        ]
        return xml_response(xml("Tagging", [("TagSet", nodes)]))

    def _put(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        tags = tags_of_document(whole_xml(call))
        self._change(call, tags)
        return Response()

    def _delete(self, call: Call) -> Response:
        check_version(call.query.get("versionId", ""))
        self._change(call, {})
        return Response(status=204)

    def _change(self, call: Call, tags: Mapping[str, str]) -> None:
        # Tags are not part of the object: neither its bytes nor its ETag nor its time change with them.
        self._directory.describe_again(call.bucket, call.key, lambda described: replace(described, tags=tags))


def tags_of_document(document: ElementTree.Element) -> dict[str, str]:
    """Return the tags that a `Tagging` document lists.

    Raises:
        AwsError: `MalformedXML`, or `InvalidTag` as `check_tags`.
    """
    # Clients differ in the namespace that they give, and S3 takes any.
    pairs = [
        {bare_tag(inner): inner.text or "" for inner in node}
        for node in document.iter()
        if bare_tag(node) == "Tag"
    ]
    if bare_tag(document) != "Tagging" or any(set(pair) != {"Key", "Value"} for pair in pairs):
        raise malformed_xml()
    check_tags([(pair["Key"], pair["Value"]) for pair in pairs])
    return {pair["Key"]: pair["Value"] for pair in pairs}
