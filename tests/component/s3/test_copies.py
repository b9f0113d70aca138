"""Copies within S3: of small objects in one call, of large ones in parts, and of none that was replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import ServiceError
from etltctl.s3 import S3, S3Object

LARGEST = 5 * 1024**2  # bytes; the smallest part that S3 takes
BODY = bytes(range(256)) * (LARGEST // 256) + b"the second part"


@pytest.fixture
def s3(aws: Aws) -> Iterator[S3]:
    aws.client("s3").create_bucket(Bucket="copies")
    yield S3(aws)
    S3(aws).delete_folder("s3://copies/t/")


def put(s3: S3, key: str, body: bytes) -> S3Object:
    s3.aws.client("s3").put_object(
        Bucket="copies",
        Key=key,
        Body=body,
        ContentType="application/parquet",
        Metadata={"written-by": "spark"},
    )
    (one,) = s3.objects(f"s3://copies/{key}")
    return one


def calls_of(s3: S3) -> list[str]:
    """Return a list that gets the name of each call from now on."""
    calls: list[str] = []
    s3.aws.client("s3").meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    return calls


def unfinished_uploads(s3: S3) -> list[Any]:
    return list(s3.aws.client("s3").list_multipart_uploads(Bucket="copies").get("Uploads", []))


def test_an_object_that_is_too_large_for_one_call_is_copied_in_parts(s3: S3) -> None:
    large = put(s3, "t/large", BODY)
    calls = calls_of(s3)
    s3.copy(large, "s3://copies/t/copy", largest=LARGEST)
    parts = ["UploadPartCopy", "UploadPartCopy"]
    assert sorted(calls) == sorted(["HeadObject", "CreateMultipartUpload", *parts, "CompleteMultipartUpload"])
    assert s3.read("s3://copies/t/copy") == BODY
    (copy,) = s3.objects("s3://copies/t/copy")
    assert copy.etag.endswith("-2")
    kept = s3.aws.client("s3").head_object(Bucket="copies", Key="t/copy")
    assert (kept["ContentType"], kept["Metadata"]) == ("application/parquet", {"written-by": "spark"})


def test_an_object_of_the_largest_size_is_copied_in_one_call(s3: S3) -> None:
    small = put(s3, "t/small", BODY[:LARGEST])
    calls = calls_of(s3)
    s3.copy(small, "s3://copies/t/copy", largest=LARGEST)
    assert calls == ["CopyObject"]
    assert s3.objects("s3://copies/t/copy")[0].etag == small.etag


@pytest.mark.parametrize("body", [BODY[1:], b"small"])
def test_an_object_that_was_replaced_since_it_was_listed_is_not_copied(s3: S3, body: bytes) -> None:
    large = put(s3, "t/large", BODY)
    put(s3, "t/large", body)
    with pytest.raises(ServiceError) as refused:
        s3.copy(large, "s3://copies/t/copy", largest=LARGEST)
    assert refused.value.code == "PreconditionFailed"
    assert s3.objects("s3://copies/t/copy") == []


def test_parts_of_a_copy_that_fails_are_removed(s3: S3) -> None:
    large = put(s3, "t/large", BODY)
    events = s3.aws.client("s3").meta.events
    events.register_first("before-call.s3.UploadPartCopy", lambda **_: s3.write(large.location, b"another"))
    with pytest.raises(ServiceError) as refused:
        s3.copy(large, "s3://copies/t/copy", largest=LARGEST)
    assert refused.value.code == "PreconditionFailed"
    assert s3.objects("s3://copies/t/copy") == []
    assert unfinished_uploads(s3) == []
