"""S3's rules for a read, a write or a copy: conditions, tags, headers, and parameters that listings repeat."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.served import refusal, send_raw

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)


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
    assert send_raw(s3, "GET", "/lake/k?response-content-type=a%0d%0aX:%20y")[0].status == 400


def test_metadata_that_is_not_ascii_is_returned_as_s3_sends_it(s3: Any) -> None:
    send_raw(s3, "PUT", "/lake/k", b"x", x_amz_meta_place="Zürich".encode().decode("latin-1"))
    response, _ = send_raw(s3, "HEAD", "/lake/k")
    assert (
        response.headers["x-amz-meta-place"] == f"=?UTF-8?B?{base64.b64encode('Zürich'.encode()).decode()}?="
    )


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
        response, body = send_raw(s3, "GET", f"/lake?{query}")
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
        assert send_raw(s3, "PUT", f"/{name}")[0].status == 400


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
