"""Objects in parts: their checksums, their parts as they are read, and the listing of uploads."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from typing import Any

import pytest

from support.served import refusal

FIRST, LAST = b"a" * (5 << 20), b"the end"
BOTH = FIRST + LAST


def sum_of(algorithm: str, content: bytes) -> bytes:
    """Return a checksum as another library computes it."""
    if algorithm == "CRC32":
        return zlib.crc32(content).to_bytes(4, "big")
    return hashlib.new(algorithm.lower(), content).digest()


def text_of(checksum: bytes) -> str:
    return b64encode(checksum).decode()


def upload(s3: Any, key: str, **parameters: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Upload two parts; return what names the upload, and the parts as its end names them."""
    names = {"Bucket": "lake", "Key": key}
    names["UploadId"] = s3.create_multipart_upload(**names, **parameters)["UploadId"]
    parts = []
    for number, body in enumerate((FIRST, LAST), 1):
        answer = s3.upload_part(**names, PartNumber=number, Body=body)
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
    return names, parts


def whole_of(algorithm: str, kind: str) -> str:
    if kind == "FULL_OBJECT":
        return text_of(sum_of(algorithm, BOTH))
    return text_of(sum_of(algorithm, sum_of(algorithm, FIRST) + sum_of(algorithm, LAST))) + "-2"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)
def test_an_object_in_parts_has_a_checksum(s3: Any, algorithm: str, kind: str) -> None:
    names, parts = upload(s3, "k", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    expected, field = whole_of(algorithm, kind), f"Checksum{algorithm}"
    page = s3.list_parts(**names)
    assert (page["ChecksumAlgorithm"], page["ChecksumType"]) == (algorithm, kind)
    wrong = {field: text_of(sum_of(algorithm, b"other"))}
    ending = {**names, "MultipartUpload": {"Parts": parts}}
    assert refusal(lambda: s3.complete_multipart_upload(**ending, **wrong)) == (400, "BadDigest")
    assert refusal(lambda: s3.head_object(Bucket="lake", Key="k"))[0] == 404
    answer = s3.complete_multipart_upload(**ending, **{field: expected})
    assert (answer[field], answer["ChecksumType"]) == (expected, kind)
    head = s3.head_object(Bucket="lake", Key="k", ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (expected, kind)
    attributes = s3.get_object_attributes(
        Bucket="lake", Key="k", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"]
    )
    assert attributes["Checksum"] == {field: expected, "ChecksumType": kind}
    assert [part[field] for part in attributes["ObjectParts"]["Parts"]] == [part[field] for part in parts]
    assert attributes["ObjectSize"] == len(BOTH)
    assert "ETag" not in attributes
    copy = s3.copy_object(Bucket="lake", Key="copy", CopySource="lake/k")["CopyObjectResult"]
    assert copy[field] == text_of(sum_of(algorithm, BOTH))  # a copy is one part
    assert s3.head_object(Bucket="lake", Key="copy", ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"


def test_parts_without_a_checksum_and_copied_parts_get_one(s3: Any) -> None:
    names = {"Bucket": "lake", "Key": "k"}
    s3.put_object(Bucket="lake", Key="source", Body=FIRST)
    names["UploadId"] = s3.create_multipart_upload(**names, ChecksumAlgorithm="SHA256")["UploadId"]
    copied = s3.upload_part_copy(**names, PartNumber=1, CopySource="lake/source")["CopyPartResult"]
    assert copied["ChecksumSHA256"] == text_of(sum_of("SHA256", FIRST))
    part = s3.upload_part(**names, PartNumber=2, Body=LAST, ChecksumAlgorithm="CRC32")
    parts = [{"PartNumber": 1, "ETag": copied["ETag"]}, {"PartNumber": 2, "ETag": part["ETag"]}]
    answer = s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert answer["ChecksumSHA256"] == whole_of("SHA256", "COMPOSITE")


@pytest.mark.parametrize(
    "parameters",
    [
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
    ],
)
def test_a_checksum_that_s3_does_not_have_is_refused(s3: Any, parameters: dict[str, str]) -> None:
    create = {"Bucket": "lake", "Key": "k", **parameters}
    assert refusal(lambda: s3.create_multipart_upload(**create)) == (400, "InvalidRequest")


def test_the_end_of_an_upload_may_be_repeated_and_states_the_size(s3: Any) -> None:
    names, parts = upload(s3, "k")
    ending = {**names, "MultipartUpload": {"Parts": parts}}
    wrong = {"MpuObjectSize": len(BOTH) + 1}
    assert refusal(lambda: s3.complete_multipart_upload(**ending, **wrong)) == (400, "InvalidRequest")
    first = s3.complete_multipart_upload(**ending, MpuObjectSize=len(BOTH))
    assert s3.complete_multipart_upload(**ending)["ETag"] == first["ETag"]
    assert refusal(lambda: s3.abort_multipart_upload(**names)) == (404, "NoSuchUpload")


def test_a_part_is_read_by_its_number(s3: Any) -> None:
    names, parts = upload(s3, "k")
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    s3.put_object(Bucket="lake", Key="plain", Body=b"body")
    answer = s3.get_object(Bucket="lake", Key="k", PartNumber=2)
    assert answer["Body"].read() == LAST
    assert (answer["PartsCount"], answer["ContentRange"]) == (
        2,
        f"bytes {len(FIRST)}-{len(BOTH) - 1}/{len(BOTH)}",
    )
    head = s3.head_object(Bucket="lake", Key="k", PartNumber=1)
    assert (head["ContentLength"], head["PartsCount"]) == (len(FIRST), 2)
    assert s3.get_object(Bucket="lake", Key="plain", PartNumber=1)["Body"].read() == b"body"
    for key, number in (("k", 3), ("plain", 2)):
        refused = refusal(
            lambda key=key, number=number: s3.get_object(Bucket="lake", Key=key, PartNumber=number)
        )
        assert refused == (416, "InvalidPartNumber")
    both = {"Bucket": "lake", "Key": "k", "PartNumber": 1, "Range": "bytes=0-1"}
    assert refusal(lambda: s3.get_object(**both)) == (400, "InvalidRequest")


def test_the_parts_of_an_object_are_listed_in_pages(s3: Any) -> None:
    names, parts = upload(s3, "k")
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    ask = {"Bucket": "lake", "Key": "k", "ObjectAttributes": ["ObjectParts"]}
    page = s3.get_object_attributes(**ask, MaxParts=1)["ObjectParts"]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["TotalPartsCount"]) == (True, 1, 2)
    page = s3.get_object_attributes(**ask, PartNumberMarker=1)["ObjectParts"]
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [(2, len(LAST))]
    unknown = {"Bucket": "lake", "Key": "k", "ObjectAttributes": ["Colour"]}
    assert refusal(lambda: s3.get_object_attributes(**unknown)) == (400, "InvalidArgument")


def test_a_range_that_the_source_of_a_part_does_not_have_is_refused(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="source", Body=b"12345")
    names = {"Bucket": "lake", "Key": "k"}
    names["UploadId"] = s3.create_multipart_upload(**names)["UploadId"]
    for span in ("bytes=0-5", "bytes=5-9", "bytes=3-1", "bytes=-2", "0-1"):
        copy = {**names, "PartNumber": 1, "CopySource": "lake/source", "CopySourceRange": span}
        assert refusal(lambda copy=copy: s3.upload_part_copy(**copy)) == (400, "InvalidArgument")
    assert "Parts" not in s3.list_parts(**names)


def test_uploads_are_listed_by_key_in_pages_and_folders(s3: Any) -> None:
    keys = ["a", "a", "b/1", "b/2", "c d"]
    ids = [s3.create_multipart_upload(Bucket="lake", Key=key)["UploadId"] for key in keys]
    pages = list(
        s3.get_paginator("list_multipart_uploads").paginate(Bucket="lake", PaginationConfig={"PageSize": 2})
    )
    assert len(pages) == 3
    uploads = [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]]
    assert uploads == list(zip(keys, ids, strict=True))
    folded = s3.list_multipart_uploads(Bucket="lake", Delimiter="/")
    assert [each["Prefix"] for each in folded["CommonPrefixes"]] == ["b/"]
    assert [each["Key"] for each in folded["Uploads"]] == ["a", "a", "c d"]
    only = s3.list_multipart_uploads(Bucket="lake", Prefix="b/", KeyMarker="b/1")
    assert [each["Key"] for each in only["Uploads"]] == ["b/2"]
