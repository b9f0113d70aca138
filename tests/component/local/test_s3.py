"""S3 on a plain directory, called by unmodified boto3 over the wire."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.directory import S3Directory


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_object_is_read_with_its_metadata(s3: Any) -> None:
    put = s3.put_object(Bucket="lake", Key="a/b c+d.bin", Body=b"hello", Metadata={"ab-generation-id": "7"})
    got = s3.get_object(Bucket="lake", Key="a/b c+d.bin")
    assert got["Body"].read() == b"hello"
    assert got["Metadata"] == {"ab-generation-id": "7"}
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'


def test_a_file_written_into_the_folder_is_an_object(s3: Any, directory: S3Directory) -> None:
    path = directory.path("lake", "t/v=1/part-0.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"spark")
    assert s3.get_object(Bucket="lake", Key="t/v=1/part-0.parquet")["Body"].read() == b"spark"
    before = s3.head_object(Bucket="lake", Key="t/v=1/part-0.parquet")["ETag"]
    path.write_bytes(b"other")
    assert s3.head_object(Bucket="lake", Key="t/v=1/part-0.parquet")["ETag"] != before


@pytest.mark.parametrize(
    ("requested", "bytes_"),
    [("bytes=0-3", b"0123"), ("bytes=4-", b"456789"), ("bytes=-3", b"789"), ("bytes=8-99", b"89")],
)
def test_a_range_returns_its_bytes(s3: Any, requested: str, bytes_: bytes) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket="lake", Key="k", Range=requested)
    assert got["Body"].read() == bytes_
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_past_the_end_is_refused(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="lake", Key="k", Range="bytes=10-")
    assert code_of(caught) == "InvalidRange"


def test_a_listing_pages_and_folds_folders(s3: Any) -> None:
    for key in ("a/1", "a/2", "b/1", "c", "d"):
        s3.put_object(Bucket="lake", Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="lake", Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    keys = [
        [c["Prefix"] for c in page.get("CommonPrefixes", [])] + [o["Key"] for o in page.get("Contents", [])]
        for page in pages
    ]
    assert keys == [["a/", "b/"], ["c", "d"]]
    assert [
        o["Key"] for o in s3.list_objects_v2(Bucket="lake", Prefix="a/", StartAfter="a/1")["Contents"]
    ] == ["a/2"]
    assert [o["Key"] for o in s3.list_objects(Bucket="lake", Marker="b/1")["Contents"]] == ["c", "d"]


def test_a_conditional_put_does_not_replace(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="lock", Body=b"mine", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="lake", Key="lock", Body=b"yours", IfNoneMatch="*")
    assert code_of(caught) == "PreconditionFailed"
    assert s3.get_object(Bucket="lake", Key="lock")["Body"].read() == b"mine"


def test_large_bodies_are_uploaded_in_parts_and_read_back_equal(s3: Any) -> None:
    body = os.urandom(20 * 1024 * 1024)
    s3.upload_fileobj(io.BytesIO(body), "lake", "big", ExtraArgs={"Metadata": {"m": "1"}})
    back = io.BytesIO()
    s3.download_fileobj("lake", "big", back)
    assert back.getvalue() == body
    head = s3.head_object(Bucket="lake", Key="big")
    assert head["ETag"].endswith('-3"')
    assert head["Metadata"] == {"m": "1"}


def test_an_aborted_upload_leaves_nothing(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="lake", Key="k")["UploadId"]
    s3.upload_part(Bucket="lake", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket="lake", Key="k", UploadId=upload)
    assert "Contents" not in s3.list_objects_v2(Bucket="lake")
    with pytest.raises(ClientError) as caught:
        s3.list_parts(Bucket="lake", Key="k", UploadId=upload)
    assert code_of(caught) == "NoSuchUpload"


def test_a_copy_keeps_bytes_and_metadata(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="a", Body=b"x", Metadata={"m": "1"})
    s3.copy_object(Bucket="lake", Key="b", CopySource={"Bucket": "lake", "Key": "a"})
    got = s3.get_object(Bucket="lake", Key="b")
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"m": "1"})


def test_deleting_is_final_and_idempotent(s3: Any, directory: S3Directory) -> None:
    s3.put_object(Bucket="lake", Key="a/b/c", Body=b"x")
    s3.put_object(Bucket="lake", Key="a/d", Body=b"x")
    deleted = s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "a/b/c"}, {"Key": "not there"}]})
    assert len(deleted["Deleted"]) == 2
    assert [info.key for info in directory.list_objects("lake")] == ["a/d"]
    assert not directory.path("lake", "a/b").exists()


@pytest.mark.parametrize(("bucket", "code"), [("lake", "NoSuchKey"), ("nowhere", "NoSuchBucket")])
def test_a_missing_object_or_bucket_is_reported_in_s3_s_words(s3: Any, bucket: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert code_of(caught) == code


def test_buckets_are_created_once_and_only_empty_ones_deleted(s3: Any) -> None:
    s3.create_bucket(Bucket="new")
    s3.create_bucket(Bucket="new")  # in us-east-1 the owner may repeat it
    elsewhere = {"LocationConstraint": "eu-west-1"}
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket="new", CreateBucketConfiguration=elsewhere)
    assert code_of(caught) == "BucketAlreadyOwnedByYou"
    s3.put_object(Bucket="new", Key="k", Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket="new")
    assert code_of(caught) == "BucketNotEmpty"
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["lake", "new"]


@pytest.mark.parametrize("name", ["ab", "A-b-c", "a..b", "a.-b", "a-.b", "-ab", "1.2.3.4", "a" * 64])
def test_a_name_that_is_not_a_host_s_makes_no_bucket(s3: Any, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)
    assert code_of(caught) == "InvalidBucketName"


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "./a"])
def test_a_key_cannot_lead_out_of_its_bucket(directory: S3Directory, key: str) -> None:
    directory.put_object("lake", key, b"x")
    assert directory.get_object("lake", key) == b"x"
    with pytest.raises(AwsError, match="is not the path of a file"):
        directory.path("lake", key)
    root = directory.path("lake").parent
    assert [file for file in root.parent.rglob("outside") if file.is_file()] == []
    assert list(root.rglob("a")) == []


def test_objects_and_metadata_survive_a_restart(tmp_path: Path, directory: S3Directory) -> None:
    directory.put_object("lake", "k", b"x", metadata={"m": "1"})
    again = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    assert again.head_object("lake", "k").metadata == {"m": "1"}
