"""No key leads out of its bucket's folder, in any part of any request."""

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


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of the owner that is in no bucket."""
    file = tmp_path / "outside" / "secret.txt"
    file.parent.mkdir()
    file.write_bytes(SECRET)
    return file


WAYS: dict[str, Callable[[Any, str], Any]] = {
    "get": lambda s3, key: s3.get_object(Bucket="lake", Key=key),
    "put": lambda s3, key: s3.put_object(Bucket="lake", Key=key, Body=b"x"),
    "delete": lambda s3, key: s3.delete_object(Bucket="lake", Key=key),
    "copy to": lambda s3, key: s3.copy_object(Bucket="lake", Key=key, CopySource="lake/a"),
    "copy from": lambda s3, key: s3.copy_object(
        Bucket="lake", Key="b", CopySource={"Bucket": "lake", "Key": key}
    ),
    "multipart": lambda s3, key: s3.create_multipart_upload(Bucket="lake", Key=key),
    "tag": lambda s3, key: s3.put_object_tagging(Bucket="lake", Key=key, Tagging={"TagSet": []}),
}
PLACES = ("{}", "/{}", "a/{}", "..{}", "./..{}")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_path_of_the_machine_is_not_a_key(
    s3: Any, outside: Path, way: Callable[[Any, str], Any], place: str
) -> None:
    s3.put_object(Bucket="lake", Key="a", Body=b"kept")
    assert refusal(lambda: way(s3, place.format(outside))) == (400, "InvalidArgument")
    assert sorted(outside.parent.iterdir()) == [outside]
    assert outside.read_bytes() == SECRET
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="lake")["Contents"]] == ["a"]


@pytest.mark.parametrize("encode", [str, lambda path: quote(path, safe="")], ids=["plain", "%2F"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_the_spelling_of_the_slash_does_not_matter(
    s3: Any, outside: Path, method: str, encode: Callable[[str], str]
) -> None:
    address = s3.meta.endpoint_url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, f"/lake/{encode(str(outside))}", b"x" if method == "PUT" else None)
    assert connection.getresponse().status == 400
    assert outside.read_bytes() == SECRET


def test_a_listing_and_a_batch_of_deletions_stay_in_the_bucket(s3: Any, outside: Path) -> None:
    for prefix in (f"{outside.parent}/", "/", "../", "a//"):
        assert "Contents" not in s3.list_objects_v2(Bucket="lake", Prefix=prefix)
    answer = s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": str(outside)}, {"Key": "b"}]})
    assert [error["Code"] for error in answer["Errors"]] == ["InvalidArgument"]
    assert [each["Key"] for each in answer["Deleted"]] == ["b"]
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


@pytest.mark.parametrize("key", ["a//b", "/a", "a/./b", "a/../b", "a/..", "n" * 256, "a\0b", "a//"])
def test_a_legal_key_that_a_folder_cannot_hold_is_refused(s3: Any, key: str) -> None:
    assert refusal(lambda: s3.put_object(Bucket="lake", Key=key, Body=b"x")) == (400, "InvalidArgument")
    assert "Contents" not in s3.list_objects_v2(Bucket="lake")


def test_a_key_of_more_than_1024_bytes_is_too_long(s3: Any) -> None:
    key = "/".join(["n" * 204] * 5)
    assert refusal(lambda: s3.put_object(Bucket="lake", Key=f"{key}n", Body=b"x")) == (400, "KeyTooLongError")
    s3.put_object(Bucket="lake", Key=key, Body=b"x", Metadata={"m": "1"})
    assert s3.head_object(Bucket="lake", Key=key)["Metadata"] == {"m": "1"}


def test_the_longest_name_of_a_file_keeps_its_metadata(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="n" * 255, Body=b"x", Metadata={"m": "1"})
    assert s3.head_object(Bucket="lake", Key="n" * 255)["Metadata"] == {"m": "1"}


def test_a_key_is_an_object_or_a_folder(s3: Any) -> None:
    s3.put_object(Bucket="lake", Key="a", Body=b"x")
    s3.put_object(Bucket="lake", Key="b/c", Body=b"x")
    for key in ("a/b", "b"):
        status, code = refusal(lambda key=key: s3.put_object(Bucket="lake", Key=key, Body=b"y"))
        assert (status, code) == (409, "InvalidArgument")
    assert refusal(lambda: s3.head_object(Bucket="lake", Key="a/"))[0] == 404
    s3.delete_object(Bucket="lake", Key="a/")  # another key than `a`
    assert s3.get_object(Bucket="lake", Key="a")["Body"].read() == b"x"


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
    assert refusal(lambda: s3.put_object(Bucket="lake", Key="f/", Body=b"x")) == (400, "InvalidArgument")


def test_a_file_name_that_is_not_text_is_not_an_object(s3: Any, directory: S3Directory) -> None:
    (directory.path("lake") / b"\xff\xfe".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    assert "Contents" not in s3.list_objects_v2(Bucket="lake")
    with pytest.raises(AwsError, match="UTF-8"):
        directory.path("lake", "\udcff")
