"""The bytes of an object in S3: announced lengths, MD5 sums and checksums are compared before anything is stored."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from etltctl.local.services.s3.directory import S3Directory
from support.served import send_raw


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
    response, body = send_raw(s3, "PUT", "/lake/k", b"x", **headers)
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
    response, body = send_raw(
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
