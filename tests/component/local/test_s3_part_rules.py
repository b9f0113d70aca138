"""S3's rules for an upload in parts: copied ranges, order and sizes of parts, conditions of its end."""

from __future__ import annotations

import os
from typing import Any

from etltctl.local.services.s3.directory import S3Directory
from support.served import refusal

PART = 5 << 20


def start_upload(s3: Any) -> dict[str, str]:
    """Start a multipart upload and return its parameters."""
    upload = s3.create_multipart_upload(Bucket="lake", Key="k")["UploadId"]
    return {"Bucket": "lake", "Key": "k", "UploadId": upload}


def completed(s3: Any, upload: dict[str, str], *parts: tuple[int, str], **conditions: str) -> Any:
    """Complete an upload and return the answer."""
    named = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": named}, **conditions)


def test_a_copy_of_more_than_8_mb_is_complete(s3: Any) -> None:
    body = os.urandom(9 << 20)
    s3.put_object(Bucket="lake", Key="a", Body=body)
    s3.copy({"Bucket": "lake", "Key": "a"}, "lake", "b")
    assert s3.get_object(Bucket="lake", Key="b")["Body"].read() == body
    assert s3.head_object(Bucket="lake", Key="b")["ETag"].endswith('-2"')


def test_a_part_may_be_copied_from_a_range(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="a", Body=b"0123456789")
    upload = start_upload(s3)
    part = s3.upload_part_copy(**upload, PartNumber=1, CopySource="lake/a", CopySourceRange="bytes=2-4")
    completed(s3, upload, (1, part["CopyPartResult"]["ETag"]))
    assert s3.get_object(Bucket="lake", Key="k")["Body"].read() == b"234"


def test_parts_are_checked_before_they_are_joined(s3: Any, directory: S3Directory) -> None:
    upload = start_upload(s3)
    one, two = (s3.upload_part(**upload, PartNumber=number, Body=b"x")["ETag"] for number in (1, 2))
    assert refusal(lambda: completed(s3, upload, (1, two.replace("9", "0")))) == (400, "InvalidPart")
    assert refusal(lambda: completed(s3, upload, (3, one))) == (400, "InvalidPart")
    assert refusal(lambda: completed(s3, upload, (2, two), (1, one))) == (400, "InvalidPartOrder")
    assert refusal(lambda: completed(s3, upload, (1, one), (2, two))) == (400, "EntityTooSmall")
    assert refusal(lambda: s3.upload_part(**upload, PartNumber=10001, Body=b"x")) == (400, "InvalidArgument")
    assert directory.list_objects("lake") == []
    uploads = s3.list_multipart_uploads(Bucket="lake")["Uploads"]
    assert [each["UploadId"] for each in uploads] == [upload["UploadId"]]
    assert [each["PartNumber"] for each in s3.list_parts(**upload, MaxParts=1)["Parts"]] == [1]


def test_an_upload_s_end_has_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket="lake", Key="k", Body=b"old")["ETag"]
    upload = start_upload(s3)
    part = s3.upload_part(**upload, PartNumber=1, Body=b"new")["ETag"]
    assert refusal(lambda: completed(s3, upload, (1, part), IfNoneMatch="*"))[0] == 412
    assert refusal(lambda: completed(s3, upload, (1, part), IfMatch='"other"'))[0] == 412
    completed(s3, upload, (1, part), IfMatch=etag)
    assert s3.get_object(Bucket="lake", Key="k")["Body"].read() == b"new"
