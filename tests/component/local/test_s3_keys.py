"""Every key of S3 is kept as it is, and none leads out of its bucket's folder, in any part of any request."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.directory import S3Directory
from support.served import refusal

SECRET = b"the owner's own file"


def keys_of(s3: Any, **parameters: Any) -> list[str]:
    """Return the keys of the bucket `lake` as its pages list them."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="lake", PaginationConfig={"PageSize": parameters.pop("MaxKeys", None)}, **parameters
    )
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def body_of(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket="lake", Key=key)["Body"].read())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of the owner that is in no bucket."""
    file = tmp_path / "outside" / "secret.txt"
    file.parent.mkdir()
    file.write_bytes(SECRET)
    return file


PLACES = ("{}", "/{}", "a/{}", "..{}", "./..{}")


@pytest.mark.parametrize("place", PLACES)
def test_a_path_of_the_machine_is_a_key_like_any_other(s3: Any, outside: Path, place: str) -> None:
    key = place.format(outside)
    assert refusal(lambda: s3.get_object(Bucket="lake", Key=key)) == (404, "NoSuchKey")
    s3.put_object(Bucket="lake", Key=key, Body=b"x", Tagging="a=1")
    s3.copy_object(Bucket="lake", Key="copy", CopySource={"Bucket": "lake", "Key": key})
    s3.copy_object(Bucket="lake", Key=f"{key}.again", CopySource="lake/copy")
    assert body_of(s3, key) == body_of(s3, f"{key}.again") == b"x"
    assert s3.get_object_tagging(Bucket="lake", Key=key)["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert keys_of(s3) == sorted(["copy", key, f"{key}.again"])
    s3.delete_object(Bucket="lake", Key=key)
    assert keys_of(s3) == sorted(["copy", f"{key}.again"])
    assert sorted(outside.parent.iterdir()) == [outside]
    assert outside.read_bytes() == SECRET


@pytest.mark.parametrize("encode", [str, lambda path: quote(path, safe="")], ids=["plain", "%2F"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_the_spelling_of_the_slash_does_not_matter(
    s3: Any, outside: Path, method: str, encode: Callable[[str], str]
) -> None:
    address = s3.meta.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, f"/lake/{encode(str(outside))}", b"x" if method == "PUT" else None)
    assert connection.getresponse().status == {"PUT": 200, "DELETE": 204}.get(method, 404)
    assert keys_of(s3) == ([str(outside)] if method == "PUT" else [])
    assert outside.read_bytes() == SECRET


def test_a_listing_and_a_batch_of_deletions_stay_in_the_bucket(s3: Any, outside: Path) -> None:
    for prefix in (f"{outside.parent}/", "/", "../", "a//"):
        assert "Contents" not in s3.list_objects_v2(Bucket="lake", Prefix=prefix)
    answer = s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": str(outside)}, {"Key": "b"}]})
    assert [each["Key"] for each in answer["Deleted"]] == [str(outside), "b"]
    assert outside.exists()


@pytest.mark.parametrize("link", ["file", "folder", "bucket"])
def test_a_symbolic_link_is_not_followed(
    s3: Any, directory: S3Directory, outside: Path, tmp_path: Path, link: str
) -> None:
    bucket, key = ("evil", "secret.txt") if link == "bucket" else ("lake", "f")
    target = outside if link == "file" else outside.parent
    key = "f/secret.txt" if link == "folder" else key
    (tmp_path / "s3" / ("evil" if link == "bucket" else "lake/f")).symlink_to(target)
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key=key),
        lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"x"),
        lambda: s3.delete_object(Bucket=bucket, Key=key),
    ):
        assert refusal(call) == (403, "AccessDenied")
    assert outside.read_bytes() == SECRET
    assert directory.list_objects("lake") == []
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["lake"]


ODD_KEYS = ["a//b", "/a", "a/./b", "a/../b", "a/..", "n" * 256, "a//", "é" * 512, "%2F/+/=//", "//"]


def test_a_key_that_is_not_a_path_is_kept_listed_and_deleted(s3: Any, directory: S3Directory) -> None:
    for key in [*ODD_KEYS, "a/b"]:
        s3.put_object(Bucket="lake", Key=key, Body=key.encode(), Metadata={"n": str(len(key))})
    for key in [*ODD_KEYS, "a/b"]:
        answer = s3.get_object(Bucket="lake", Key=key)
        assert (answer["Body"].read(), answer["Metadata"]["n"]) == (key.encode(), str(len(key)))
    assert keys_of(s3) == sorted([*ODD_KEYS, "a/b"], key=str.encode)
    assert keys_of(s3, MaxKeys=2) == sorted([*ODD_KEYS, "a/b"], key=str.encode)
    assert keys_of(s3, Prefix="a//") == ["a//", "a//b"]
    folded = s3.list_objects_v2(Bucket="lake", Prefix="a/", Delimiter="/")
    assert [each["Prefix"] for each in folded["CommonPrefixes"]] == ["a/../", "a/./", "a//"]
    assert [each["Key"] for each in folded["Contents"]] == ["a/..", "a/b"]
    reopened = S3Directory(
        directory.path("lake").parent, directory.configuration_file("lake", "x").parents[2]
    )
    assert reopened.get_object("lake", "a//b") == b"a//b"
    s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": key} for key in [*ODD_KEYS, "a/b"]]})
    assert keys_of(s3) == []
    s3.delete_bucket(Bucket="lake")


@pytest.mark.parametrize("key", ["a\0b", "a/\0"])
def test_a_zero_byte_in_a_key_is_refused(s3: Any, key: str) -> None:
    assert refusal(lambda: s3.put_object(Bucket="lake", Key=key, Body=b"x")) == (400, "InvalidArgument")
    assert keys_of(s3) == []


def test_a_key_of_more_than_1024_bytes_is_too_long(s3: Any) -> None:
    key = "/".join(["n" * 204] * 5)
    assert refusal(lambda: s3.put_object(Bucket="lake", Key=f"{key}n", Body=b"x")) == (400, "KeyTooLongError")
    s3.put_object(Bucket="lake", Key=key, Body=b"x", Metadata={"m": "1"})
    assert s3.head_object(Bucket="lake", Key=key)["Metadata"] == {"m": "1"}


def test_the_longest_name_of_a_file_keeps_its_metadata(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="n" * 255, Body=b"x", Metadata={"m": "1"})
    assert s3.head_object(Bucket="lake", Key="n" * 255)["Metadata"] == {"m": "1"}


@pytest.mark.parametrize("order", [1, -1], ids=["object first", "folder first"])
def test_a_key_is_an_object_and_a_prefix_of_others(s3: Any, directory: S3Directory, order: int) -> None:
    for key in ["a", "a/", "a/b", "a/b/c"][::order]:
        s3.put_object(Bucket="lake", Key=key, Body=key.encode(), Metadata={"k": key})
    assert keys_of(s3) == ["a", "a/", "a/b", "a/b/c"]
    for key in keys_of(s3):
        assert body_of(s3, key) == key.encode()
        assert s3.head_object(Bucket="lake", Key=key)["Metadata"] == {"k": key}
    assert (
        directory.path("lake", "a/b/c").read_bytes() == b"a/b/c"
    )  # what lies in a folder, other programs read
    s3.put_object(Bucket="lake", Key="a", Body=b"new")
    s3.delete_object(Bucket="lake", Key="a/b")
    assert body_of(s3, "a") == b"new"
    assert keys_of(s3) == ["a", "a/", "a/b/c"]
    for key in ("a/b/c", "a/"):
        s3.delete_object(Bucket="lake", Key=key)
    s3.put_object(Bucket="lake", Key="a", Body=b"newer")
    assert directory.path("lake", "a").read_bytes() == body_of(s3, "a") == b"newer"
    s3.delete_object(Bucket="lake", Key="a")
    assert refusal(lambda: s3.get_object(Bucket="lake", Key="a")) == (404, "NoSuchKey")


def test_metadata_of_similar_keys_stay_separate(s3: Any) -> None:
    for key in ("a", "a.json/b", "a.json.d/b"):
        s3.put_object(Bucket="lake", Key=key, Body=b"x", Metadata={"key": key})
    for key in ("a", "a.json/b", "a.json.d/b"):
        assert s3.head_object(Bucket="lake", Key=key)["Metadata"] == {"key": key}


def test_a_folder_marker_is_an_object(s3: Any, directory: S3Directory) -> None:
    s3.put_object(Bucket="lake", Key="f/", Body=b"")
    s3.put_object(Bucket="lake", Key="f/a", Body=b"x")
    assert s3.head_object(Bucket="lake", Key="f/")["ContentLength"] == 0
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="lake", Prefix="f/")["Contents"]] == [
        "f/",
        "f/a",
    ]
    s3.delete_object(Bucket="lake", Key="f/a")
    assert [info.key for info in directory.list_objects("lake")] == ["f/"]
    s3.delete_object(Bucket="lake", Key="f/")
    assert directory.list_objects("lake") == []
    assert not directory.path("lake", "f").exists()


def test_a_folder_marker_may_hold_bytes(s3: Any) -> None:
    for body in (b"", b"x", b"", b"yy"):
        s3.put_object(Bucket="lake", Key="f/", Body=body)
        assert body_of(s3, "f/") == body
        assert keys_of(s3) == ["f/"]


def test_a_file_name_that_is_not_text_is_not_an_object(s3: Any, directory: S3Directory) -> None:
    (directory.path("lake") / b"\xff\xfe".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    assert "Contents" not in s3.list_objects_v2(Bucket="lake")
    with pytest.raises(AwsError, match="UTF-8"):
        directory.path("lake", "\udcff")
