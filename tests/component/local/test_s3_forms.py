"""Uploads of browsers: a form is stored as its signed policy says, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import re
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config

from support.served import Served, refusal

BUCKET = "forms"
BOUNDARY = "----a-boundary"


@pytest.fixture(scope="module")
def s3(server: Served) -> Any:
    server.request("POST", "stack", {"buckets": [BUCKET]})
    return server.client("s3")


def signed(server: Served, key: str, version: str = "s3v4", **more: Any) -> dict[str, str]:
    """Return the fields of a form as boto3 makes them."""
    client = boto3.client(
        "s3",
        endpoint_url=server.environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=server.keys.access_key_id,
        aws_secret_access_key=server.keys.secret_access_key,
        config=Config(signature_version=version),
    )
    fields: dict[str, str] = client.generate_presigned_post(BUCKET, key, **more)["fields"]
    return fields


def post(
    server: Served, fields: Mapping[str, str], body: bytes, path: str = f"/{BUCKET}", name: str = "a.txt"
) -> tuple[int, str, dict[str, str]]:
    """Send a form; return the status, the error's code, and the headers."""
    parts = [f'name="{field}"\r\n\r\n{value}'.encode() for field, value in fields.items()]
    parts.append(f'name="file"; filename="{name}"\r\n\r\n'.encode() + body)
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode()
    whole = b"".join(start + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, whole, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    answer = connection.getresponse()
    code = re.search("<Code>(.*)</Code>", answer.read().decode())
    return answer.status, code[1] if code else "", {k.lower(): v for k, v in answer.getheaders()}


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_signed_form_stores_its_file(server: Served, s3: Any, version: str) -> None:
    fields = {"Content-Type": "text/plain", "x-amz-meta-who": "é", "tagging": "<Tagging/>"}
    conditions = [{name: value} for name, value in fields.items()]
    body = bytes(range(256)) * 20_000  # 5 MB, in several pieces
    form = signed(server, "up/${filename}", version, Fields=fields, Conditions=conditions)
    status, _, headers = post(server, form, body, name="b c.txt")
    assert status == 204
    assert headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert {"x-amz-request-id", "x-amz-id-2"} <= headers.keys()
    answer = s3.get_object(Bucket=BUCKET, Key="up/b c.txt")
    assert answer["Body"].read() == body
    assert answer["ContentType"] == "text/plain"


def test_a_form_chooses_its_answer(server: Served, s3: Any) -> None:
    for field, value, status in [
        ("success_action_status", "201", 201),
        ("success_action_status", "200", 200),
        ("success_action_status", "404", 204),
        ("success_action_redirect", "http://127.0.0.1/done?a=1", 303),
        ("success_action_redirect", "not a url", 204),
        ("success_action_redirect", "http://127.0.0.1/\r\nSet-Cookie: a=b", 204),
        ("success_action_redirect", "http://127.0.0.1/\u2028", 204),
    ]:
        form = signed(server, "k", Fields={field: value}, Conditions=[{field: value}])
        answer = post(server, form, b"x")
        assert answer[0] == status
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"x"


CHANGES: dict[str, tuple[dict[str, str], tuple[int, str]]] = {
    "unsigned": ({"policy": ""}, (403, "SignatureDoesNotMatch")),
    "other signature": ({"x-amz-signature": "0" * 64}, (403, "SignatureDoesNotMatch")),
    "unknown key": ({"x-amz-credential": "AKIAX/20260101/us-east-1/s3/aws4_request"}, (403, "InvalidAccessKeyId")),
    "other key": ({"key": "other"}, (403, "AccessDenied")),
    "field that the policy does not name": ({"x-amz-meta-a": "1"}, (403, "AccessDenied")),
    "ignored field": ({"x-ignore-a": "1"}, (204, "")),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_form_that_was_changed_stores_nothing(
    server: Served, s3: Any, changes: dict[str, str], expected: tuple[int, str]
) -> None:
    s3.delete_object(Bucket=BUCKET, Key="fixed")
    status, code, headers = post(server, signed(server, "fixed") | changes, b"x")
    assert (status, code) == expected
    assert {"x-amz-request-id", "x-amz-id-2"} <= headers.keys()
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    assert ("fixed" in keys) is (expected[0] == 204)
    assert "other" not in keys


@pytest.mark.parametrize(
    ("conditions", "body", "expected"),
    [
        ([["content-length-range", 2, 3]], b"x", (400, "EntityTooSmall")),
        ([["content-length-range", 2, 3]], b"xxxx", (400, "EntityTooLarge")),
        ([["content-length-range", 2, 3]], b"xxx", (204, "")),
        ([["content-length-range", 2]], b"xxx", (400, "InvalidPolicyDocument")),
        ([["ends-with", "$key", "z"]], b"x", (400, "InvalidPolicyDocument")),
        ([["starts-with", "$x-amz-meta-a", "b"]], b"x", (403, "AccessDenied")),
        ([{}], b"x", (400, "InvalidPolicyDocument")),
        ([["content-length-range", 0, int("9" * 50)]], b"x", (400, "InvalidPolicyDocument")),
    ],
)
def test_the_policy_decides(
    server: Served, s3: Any, conditions: list[Any], body: bytes, expected: tuple[int, str]
) -> None:
    s3.delete_object(Bucket=BUCKET, Key="limited")
    assert post(server, signed(server, "limited", Conditions=conditions), body)[:2] == expected
    if expected[0] != 204:
        assert refusal(lambda: s3.get_object(Bucket=BUCKET, Key="limited")) == (404, "NoSuchKey")


def test_a_form_that_ran_out_or_misses_a_part_is_refused(server: Served, s3: Any) -> None:
    assert post(server, signed(server, "late", ExpiresIn=-1), b"x")[:2] == (403, "AccessDenied")
    without_key = {name: value for name, value in signed(server, "k").items() if name != "key"}
    assert post(server, without_key, b"x")[:2] == (400, "InvalidArgument")
    unsigned = {name: value for name, value in signed(server, "k").items() if name != "x-amz-signature"}
    assert post(server, unsigned, b"x")[:2] == (400, "InvalidArgument")
    assert post(server, {"key": "open"}, b"x")[:2] == (403, "AccessDenied")
    for more in ({"long": "x" * 30_000}, {f"field-{number}": "" for number in range(2000)}):
        refused = post(server, signed(server, "k") | more, b"x")[:2]
        assert refused == (400, "MaxPostPreDataLengthExceeded")
    assert post(server, signed(server, "k"), b"x", path="/absent")[:2] == (403, "AccessDenied")
    for path in (f"/{BUCKET}/k", f"/{BUCKET}/k?uploads", f"/{BUCKET}?delete"):
        assert post(server, signed(server, "k"), b"x", path=path)[:2] == (405, "MethodNotAllowed")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    assert not {"late", "open"} & set(keys)


def test_a_body_that_is_not_a_form_is_refused_before_it_is_read_to_its_end(server: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", f"/{BUCKET}", b"no boundary in it" * 600_000, headers)
    answer = connection.getresponse()
    assert answer.status == 400
    assert b"<Code>MalformedPOSTRequest</Code>" in answer.read()


def test_a_checksum_of_a_form_is_compared(server: Served, s3: Any) -> None:
    for text, status in [("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", 204), ("A" * 43 + "=", 400)]:
        field = {"x-amz-checksum-sha256": text}
        assert post(server, signed(server, "sum", Fields=field, Conditions=[field]), b"test")[0] == status
