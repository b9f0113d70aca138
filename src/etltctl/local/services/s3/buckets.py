"""The operations on buckets: make, list, delete, configure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from werkzeug.wrappers import Response

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call
from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.listing import OWNER, Node, timestamp, token_to_key, xml, xml_response
from etltctl.local.services.s3.operations import CONFIGURATIONS
from etltctl.local.services.s3.payload import parsed, whole_payload, whole_xml

REGION = "us-east-1"
LOCATION = "-location"
NEW_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
MAX_BUCKETS = 10_000


class BucketOperations:
    """The buckets of a directory."""

    def __init__(self, directory: S3Directory) -> None:
        self._directory = directory

    def operations(self) -> Mapping[str, Callable[[Call], Response]]:
        """Return what answers each operation."""
        configuring = {
            name: partial(do, marker=marker)
            for marker, names in CONFIGURATIONS.items()
            for name, do in zip(names, (self._configuration, self._configure, self._forget), strict=False)
        }
        return {
            "ListBuckets": self._list,
            "CreateBucket": self._create,
            "HeadBucket": self._head,
            "DeleteBucket": self._delete,
            "GetBucketLocation": self._location,
            **configuring,
        }

    def _list(self, call: Call) -> Response:
        limit = call.number("max-buckets", MAX_BUCKETS, 1, MAX_BUCKETS)
        prefix, after = call.query.get("prefix", ""), token_to_key(call.query.get("continuation-token", ""))
        region = call.query.get("bucket-region", "")
        names = [
            name
            for name in self._directory.buckets()
            if name.startswith(prefix) and name > after and (not region or self._region(name) == region)
        ]
        entries: list[tuple[str, Node]] = [("Bucket", self._entry(name)) for name in names[:limit]]
        nodes: list[tuple[str, Node]] = [("Owner", OWNER), ("Buckets", entries)]
        if len(names) > limit:
            nodes.append(("ContinuationToken", names[limit - 1].encode().hex()))
        if prefix:
            nodes.append(("Prefix", prefix))
        return xml_response(xml("ListAllMyBucketsResult", nodes))

    def _entry(self, name: str) -> list[tuple[str, Node]]:
        return [
            ("Name", name),
            ("CreationDate", timestamp(self._directory.created(name))),
            ("BucketRegion", self._region(name)),
        ]

    def _create(self, call: Call) -> Response:
        """CreateBucket; in us-east-1 the owner may repeat it, elsewhere not, as in S3."""
        # Each part between two periods must be a name of a host too.
        if not NEW_NAME.fullmatch(call.bucket) or any(pair in call.bucket for pair in ("..", ".-", "-.")):
            raise AwsError("InvalidBucketName", "The specified bucket is not valid.")
        region = self._asked_region(call)
        if self._directory.has_bucket(call.bucket):
            # us-east-1 keeps the answer of the oldest S3 there, for programs that make their bucket at each start.
            if (region, self._region(call.bucket)) != (REGION, REGION):
                raise AwsError(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                    409,
                )
            return Response(headers={"Location": f"/{call.bucket}"})
        self._directory.create_bucket(call.bucket)
        if region != REGION:
            self._directory.configuration_file(call.bucket, LOCATION).write_text(region)
        return Response(headers={"Location": f"/{call.bucket}"})

    def _asked_region(self, call: Call) -> str:
        if call.headers.get("content-length", "0") == "0":
            return REGION
        named = [
            node.text or "" for node in whole_xml(call).iter() if node.tag.endswith("LocationConstraint")
        ]
        region = named[0] if named else REGION
        # `EU` is the old name of eu-west-1; old clients still send it, and S3 gives it back as it was sent.
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d|EU", region):
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid")
        return region

    def _region(self, bucket: str) -> str:
        file = self._directory.configuration_file(bucket, LOCATION)
        return file.read_text() if file.exists() else REGION

    def _head(self, call: Call) -> Response:
        self._check(call.bucket)
        return Response(headers={"x-amz-bucket-region": self._region(call.bucket)})

    def _delete(self, call: Call) -> Response:
        self._directory.delete_bucket(call.bucket)
        return Response(status=204)

    def _location(self, call: Call) -> Response:
        self._check(call.bucket)
        region = self._region(call.bucket)
        # us-east-1 has no name here: clients read an empty element as that region.
        return xml_response(xml("LocationConstraint", "" if region == REGION else region))

    # settings of a bucket are kept as they were written, and have no effect

    def _configuration(self, call: Call, marker: str) -> Response:
        self._check(call.bucket)
        file = self._directory.configuration_file(call.bucket, marker)
        missing = CONFIGURATIONS[marker][-1]
        if not file.exists() and missing:
            raise AwsError(missing, f"The bucket has no {marker}", 404)
        content = file.read_bytes() if file.exists() else xml("VersioningConfiguration", []).encode()
        kind = "application/json" if marker == "policy" else "application/xml"
        return Response(content, content_type=kind)

    def _configure(self, call: Call, marker: str) -> Response:
        self._check(call.bucket)
        content = whole_payload(call)
        if marker != "policy":
            parsed(content)
        file = self._directory.configuration_file(call.bucket, marker)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return Response(status=204 if marker == "policy" else 200)

    def _forget(self, call: Call, marker: str) -> Response:
        self._check(call.bucket)
        self._directory.configuration_file(call.bucket, marker).unlink(missing_ok=True)
        return Response(status=204)

    def _check(self, bucket: str) -> None:
        if not self._directory.has_bucket(bucket):
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
