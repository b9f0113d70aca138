"""S3's rules for a read, a write or a copy: conditions, checksums, headers, parts, echoed parameters."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.services.s3.directory import S3Directory
from support.served import refusal

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)
PART = 5 << 20


def raw(
    s3: Any, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a request that no SDK would send."""
    connection = http.client.HTTPConnection(s3.meta.endpoint_url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response, response.read()


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"IfMatch": "it"}, 200),
        ({"IfMatch": "other"}, 412),
        ({"IfNoneMatch": "it"}, 304),
        ({"IfNoneMatch": "other"}, 200),
        ({"IfModifiedSince": YESTERDAY}, 200),
        ({"IfModifiedSince": TOMORROW}, 304),
        ({"IfUnmodifiedSince": YESTERDAY}, 412),
        ({"IfUnmodifiedSince": TOMORROW}, 200),
        ({"IfMatch": "it", "IfUnmodifiedSince": YESTERDAY}, 200),
        ({"IfNoneMatch": "other", "IfModifiedSince": TOMORROW}, 200),
    ],
)
@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_a_read_has_conditions(s3: Any, operation: str, conditions: dict[str, Any], status: int) -> None:
    etag = s3.put_object(Bucket="lake", Key="k", Body=b"x")["ETag"]
    headers = {name: etag if value == "it" else value for name, value in conditions.items()}
    if status == 200:
        getattr(s3, operation)(Bucket="lake", Key="k", **headers)
    else:
        assert refusal(lambda: getattr(s3, operation)(Bucket="lake", Key="k", **headers))[0] == status


@pytest.mark.parametrize(
    "conditions",
    [
        {"CopySourceIfMatch": "other"},
        {"CopySourceIfNoneMatch": "it"},
        {"CopySourceIfModifiedSince": TOMORROW},
        {"CopySourceIfUnmodifiedSince": YESTERDAY},
    ],
)
def test_a_copy_has_conditions(s3: Any, conditions: dict[str, Any]) -> None:
    etag = s3.put_object(Bucket="lake", Key="k", Body=b"x")["ETag"]
    headers = {name: etag if value == "it" else value for name, value in conditions.items()}
    copy = {"Bucket": "lake", "Key": "b", "CopySource": "lake/k"}
    assert refusal(lambda: s3.copy_object(**copy, **headers))[0] == 412
    assert refusal(lambda: s3.head_object(Bucket="lake", Key="b"))[0] == 404


def test_a_write_and_a_deletion_may_need_an_object_whatever_its_etag(s3: Any) -> None:
    write = {"Bucket": "lake", "Key": "k", "Body": b"x", "IfMatch": "*"}
    assert refusal(lambda: s3.put_object(**write)) == (404, "NoSuchKey")
    s3.put_object(Bucket="lake", Key="k", Body=b"")
    s3.put_object(**write)
    assert refusal(lambda: s3.delete_object(Bucket="lake", Key="k", IfMatch="other"))[0] == 412
    s3.delete_object(Bucket="lake", Key="k", IfMatch="*")
    s3.delete_object(Bucket="lake", Key="k", IfMatch="other")  # no object, no condition
    assert refusal(lambda: s3.head_object(Bucket="lake", Key="k"))[0] == 404


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("deflate, gzip", "deflate, gzip"), ("gzip, aws-chunked", "gzip"), ("aws-chunked", None)],
)
def test_the_coding_of_a_request_is_not_the_object_s(s3: Any, sent: str, kept: str | None) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"x", ContentEncoding=sent)
    answer = s3.get_object(Bucket="lake", Key="k")
    assert (answer["Body"].read(), answer.get("ContentEncoding")) == (b"x", kept)


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("k", "v"), ("k", "w")], "InvalidTag"),
        ([(str(n), "") for n in range(11)], "BadRequest"),
    ],
)
def test_tags_beyond_s3_s_limits_are_refused(s3: Any, tags: list[tuple[str, str]], code: str) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"x", Tagging="b=1&a")
    tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags]}
    put = {"Bucket": "lake", "Key": "k", "Tagging": tagging}
    assert refusal(lambda: s3.put_object_tagging(**put)) == (400, code)
    kept = [{"Key": "a", "Value": ""}, {"Key": "b", "Value": "1"}]
    assert s3.get_object_tagging(Bucket="lake", Key="k")["TagSet"] == kept


def test_without_versioning_every_object_is_its_only_version(s3: Any) -> None:
    for key in ("a", "b/1", "b/2", "c d"):
        s3.put_object(Bucket="lake", Key=key, Body=b"x")
    pages = list(
        s3.get_paginator("list_object_versions").paginate(Bucket="lake", PaginationConfig={"PageSize": 3})
    )
    assert len(pages) == 2
    versions = [each for page in pages for each in page["Versions"]]
    assert [each["Key"] for each in versions] == ["a", "b/1", "b/2", "c d"]
    assert {(each["VersionId"], each["IsLatest"]) for each in versions} == {("null", True)}
    folded = s3.list_object_versions(Bucket="lake", Delimiter="/")
    assert [each["Prefix"] for each in folded["CommonPrefixes"]] == ["b/"]
    named = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
    s3.delete_objects(Bucket="lake", Delete={"Objects": named})
    assert "Versions" not in s3.list_object_versions(Bucket="lake")


def test_a_copy_takes_new_metadata_and_a_new_type_with_replace(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="a ?+%", Body=b"x", ContentType="text/plain", Metadata={"m": "1"})
    source = {"Bucket": "lake", "Key": "a ?+%"}
    s3.copy_object(
        Bucket="lake", Key="b", CopySource=source, MetadataDirective="REPLACE", ContentType="text/csv"
    )
    head = s3.head_object(Bucket="lake", Key="b")
    assert (head["ContentType"], head["Metadata"]) == ("text/csv", {})
    s3.copy_object(Bucket="lake", Key="c", CopySource=source, ContentType="text/csv")
    head = s3.head_object(Bucket="lake", Key="c")
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"m": "1"})
    assert refusal(lambda: s3.copy_object(Bucket="lake", Key="b", CopySource="lake/b")) == (
        400,
        "InvalidRequest",
    )


def test_headers_of_an_object_are_returned_and_can_be_overridden(s3: Any) -> None:
    headers = {
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
    }
    s3.put_object(Bucket="lake", Key="k", Body=b"x", Expires=TOMORROW, **headers)
    got = s3.get_object(Bucket="lake", Key="k")
    assert {name: got[name] for name in headers} == headers
    assert got["ExpiresString"].endswith("GMT")
    overrides = {"ResponseContentType": "text/csv", "ResponseContentDisposition": "inline"}
    got = s3.get_object(Bucket="lake", Key="k", **overrides)
    assert (got["ContentType"], got["ContentDisposition"]) == ("text/csv", "inline")
    assert raw(s3, "GET", "/lake/k?response-content-type=a%0d%0aX:%20y")[0].status == 400


def test_metadata_that_is_not_ascii_is_returned_as_s3_sends_it(s3: Any) -> None:
    raw(s3, "PUT", "/lake/k", b"x", x_amz_meta_place="Zürich".encode().decode("latin-1"))
    response, _ = raw(s3, "HEAD", "/lake/k")
    assert (
        response.headers["x-amz-meta-place"] == f"=?UTF-8?B?{base64.b64encode('Zürich'.encode()).decode()}?="
    )


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content_MD5": base64.b64encode(hashlib.md5(b"y").digest()).decode()}, b"BadDigest"),
        ({"Content_MD5": "no"}, b"InvalidDigest"),
        ({"Content_MD5": ""}, b"InvalidDigest"),
        ({"x_amz_checksum_crc32": "AAAAAA=="}, b"BadDigest"),
        ({"x_amz_checksum_crc32c": "AAAAAA=="}, b"BadDigest"),
        ({"x_amz_checksum_crc64nvme": "AAAAAAAAAAA="}, b"BadDigest"),
        ({"x_amz_checksum_sha1": base64.b64encode(hashlib.sha1(b"y").digest()).decode()}, b"BadDigest"),
        ({"x_amz_checksum_sha256": "no"}, b"InvalidRequest"),
        ({"x_amz_content_sha256": hashlib.sha256(b"y").hexdigest()}, b"XAmzContentSHA256Mismatch"),
    ],
)
def test_bytes_that_differ_from_the_announced_ones_are_not_stored(
    s3: Any, directory: S3Directory, headers: dict[str, str], code: bytes
) -> None:
    response, body = raw(s3, "PUT", "/lake/k", b"x", **headers)
    assert response.status == 400
    assert code in body
    assert directory.list_objects("lake") == []


@pytest.mark.parametrize(
    ("algorithm", "checksum"),
    [  # of the nine digits, which every catalogue of CRCs uses
        ("CRC32", "y/Q5Jg=="),
        ("CRC32C", "4waSgw=="),
        ("CRC64NVME", "rosUhgp5mIg="),
        ("SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ],
)
def test_checksums_are_verified_and_returned(s3: Any, algorithm: str, checksum: str) -> None:
    put = s3.put_object(Bucket="lake", Key="k", Body=b"123456789", **{f"Checksum{algorithm}": checksum})
    assert put[f"Checksum{algorithm}"] == checksum
    head = s3.head_object(Bucket="lake", Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == checksum
    assert f"Checksum{algorithm}" not in s3.head_object(Bucket="lake", Key="k")


NINE_DIGITS = {
    "crc32": "y/Q5Jg==",
    "crc32c": "4waSgw==",
    "crc64nvme": "rosUhgp5mIg=",
    "sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "sha256": base64.b64encode(hashlib.sha256(b"123456789").digest()).decode(),
}


@pytest.mark.parametrize("name", NINE_DIGITS)
@pytest.mark.parametrize(
    ("content", "trailer", "code"),
    [(b"123456789", "right", b""), (b"123456780", "right", b"BadDigest"), (b"123456789", "", b"BadDigest")],
    ids=["right", "wrong", "missing"],
)
def test_a_checksum_in_a_trailer_is_compared(
    s3: Any, directory: S3Directory, name: str, content: bytes, trailer: str, code: bytes
) -> None:
    line = f"x-amz-checksum-{name}:{NINE_DIGITS[name]}\r\n".encode() if trailer else b""
    response, body = raw(
        s3,
        "PUT",
        "/lake/k",
        b"5\r\n" + content[:5] + b"\r\n4\r\n" + content[5:] + b"\r\n0\r\n" + line + b"\r\n",
        Content_Encoding="aws-chunked",
        x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        x_amz_decoded_content_length="9",
        x_amz_trailer=f"x-amz-checksum-{name}",
    )
    assert code in body
    assert response.status == (400 if code else 200)
    assert [info.key for info in directory.list_objects("lake")] == ([] if code else ["k"])
    if not code:
        assert response.headers[f"x-amz-checksum-{name}"] == NINE_DIGITS[name]
        assert s3.get_object(Bucket="lake", Key="k")["Body"].read() == content


def test_listings_repeat_their_parameters(s3: Any) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="lake", Key=key, Body=b"x")
    first = s3.list_objects_v2(Bucket="lake", StartAfter="a", MaxKeys=1, FetchOwner=True)
    assert first["StartAfter"] == "a"
    assert first["Contents"][0]["Owner"]["ID"]
    token = first["NextContinuationToken"]
    assert s3.list_objects_v2(Bucket="lake", ContinuationToken=token)["ContinuationToken"] == token
    old = s3.list_objects(Bucket="lake", Marker="a")
    assert (old["Marker"], old["Contents"][0]["Owner"]["ID"]) == ("a", first["Contents"][0]["Owner"]["ID"])
    assert "Owner" not in s3.list_objects_v2(Bucket="lake")["Contents"][0]
    for query in ("max-keys=blah", "max-keys=-1", "list-type=2&continuation-token=zz", "encoding-type=x"):
        response, body = raw(s3, "GET", f"/lake?{query}")
        assert (response.status, b"InvalidArgument" in body) == (400, True)


def test_buckets_have_an_owner_and_a_date_of_creation(s3: Any) -> None:
    buckets = s3.list_buckets()
    assert buckets["Owner"]["ID"]
    assert datetime.now(UTC) - buckets["Buckets"][0]["CreationDate"] < timedelta(minutes=5)


def test_a_bucket_in_another_region_keeps_it(s3: Any) -> None:
    s3.create_bucket(Bucket="eu-lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket="eu-lake")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="eu-lake")["BucketRegion"] == "eu-west-1"
    for name in ("ab", "Upper", "a..b", "192.168.1.1"):
        assert raw(s3, "PUT", f"/{name}")[0].status == 400


def test_deletions_may_be_quiet_and_are_at_most_1000(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"x")
    quiet = s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "k"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert "Contents" not in s3.list_objects_v2(Bucket="lake")
    many = [{"Key": f"{number}"} for number in range(1001)]
    assert refusal(lambda: s3.delete_objects(Bucket="lake", Delete={"Objects": many})) == (
        400,
        "MalformedXML",
    )


def test_tags_are_stored_and_do_not_change_the_object(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"x", Tagging="a=1")
    s3.put_object_tagging(Bucket="lake", Key="k", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3.get_object_tagging(Bucket="lake", Key="k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.copy_object(Bucket="lake", Key="c", CopySource="lake/k")
    s3.delete_object_tagging(Bucket="lake", Key="k")
    assert s3.get_object_tagging(Bucket="lake", Key="k")["TagSet"] == []
    assert s3.head_object(Bucket="lake", Key="c")["TagCount"] == 1
    assert s3.get_object(Bucket="lake", Key="k")["Body"].read() == b"x"


def test_every_answer_has_an_id(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="k", Body=b"x")
    assert s3.get_object(Bucket="lake", Key="k")["ResponseMetadata"]["RequestId"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="lake", Key="none")
    assert caught.value.response["ResponseMetadata"]["RequestId"]


# multipart


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
