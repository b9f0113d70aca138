"""Objects of S3: signed uploads, presigned links, and what a signature covers."""

from __future__ import annotations

import http.client
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.callers import BUCKET, Caller
from support.served import make_client


def signed(owner: Caller, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
    """Return a call to S3 that botocore signed for `body`; the body that is sent instead is in the header `Sent`."""
    sent = headers.pop("Sent", None)
    request = AWSRequest(method, f"http://127.0.0.1:{owner.server.port}{path}", headers=headers, data=body)
    S3SigV4Auth(Credentials(owner.key, owner.secret), "s3", "us-east-1").add_auth(request)
    content = body if sent is None else sent.encode()
    return httpx.request(method, request.url, headers=dict(request.headers), content=content)


@pytest.mark.parametrize("sent", ["changed", "chang", ""])
def test_an_object_whose_bytes_changed_after_signing_is_not_stored(owner: Caller, sent: str) -> None:
    answer = signed(owner, "PUT", f"/{BUCKET}/swapped", b"content", Sent=sent)
    assert (answer.status_code, "<Code>XAmzContentSHA256Mismatch</Code>" in answer.text) == (400, True)
    assert "swapped" not in str(owner.server.client("s3").list_objects_v2(Bucket=BUCKET))


def test_an_unsigned_copy_source_is_refused(owner: Caller) -> None:
    request = AWSRequest("PUT", f"http://127.0.0.1:{owner.server.port}/{BUCKET}/copied", data=b"")
    S3SigV4Auth(Credentials(owner.key, owner.secret), "s3", "us-east-1").add_auth(request)
    answer = httpx.put(request.url, headers={**dict(request.headers), "x-amz-copy-source": f"{BUCKET}/other"})
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)


@pytest.mark.parametrize("key", ["a b+c/d=e&f.txt", "ü/日本", "~tilde-._", "q?x#y", "per%2Fcent%"])
def test_every_key_can_be_signed(owner: Caller, key: str) -> None:
    s3 = owner.server.client("s3")
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x", Metadata={"under_score": "1"})
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"x"
    assert httpx.get(link(owner, key)).content == b"x"


def link(owner: Caller, key: str, seconds: int = 60, version: str = "s3v4") -> str:
    """Return a presigned link to an object."""
    client = make_client("s3", owner.server.port, owner.server.keys, signature_version=version)
    url: str = client.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=seconds
    )
    return url


@pytest.fixture
def linked(owner: Caller) -> str:
    owner.server.client("s3").put_object(Bucket=BUCKET, Key="linked", Body=b"x")
    return "linked"


def test_an_expired_link_is_refused(owner: Caller, linked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    then = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=61)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: then)
    answer = httpx.get(link(owner, linked))
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [("/linked?", "/other?"), ("X-Amz-Expires=60", "X-Amz-Expires=600"), ("?", "?response-content-type=x&")],
)
def test_a_changed_link_is_refused(owner: Caller, linked: str, old: str, new: str) -> None:
    changed = link(owner, linked).replace(old, new)
    assert "<Code>SignatureDoesNotMatch</Code>" in httpx.get(changed).text


def test_a_link_allows_no_other_method(owner: Caller, linked: str) -> None:
    assert httpx.delete(link(owner, linked)).status_code == 403
    assert httpx.get(link(owner, linked)).status_code == 200


def test_a_link_of_the_old_signature_is_refused_and_the_right_one_is_named(
    owner: Caller, linked: str
) -> None:
    answer = httpx.get(link(owner, linked, version="s3"))
    assert (answer.status_code, "AWS4-HMAC-SHA256" in answer.text) == (400, True)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "other"])
def test_every_request_of_a_web_page_is_refused(owner: Caller, linked: str, site: str) -> None:
    assert httpx.get(link(owner, linked), headers={"Sec-Fetch-Site": site}).status_code == 403
    assert httpx.get(link(owner, linked), headers={"Sec-Fetch-Site": "none"}).status_code == 200


def test_no_answer_may_be_embedded_or_guessed_at(owner: Caller, linked: str) -> None:
    url = f"http://127.0.0.1:{owner.server.port}"
    for answer in (httpx.get(url), httpx.get(link(owner, linked)), httpx.get(f"{url}/_etltctl/health")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_chunked_upload_is_accepted_by_its_first_signature(owner: Caller) -> None:
    framed = {
        "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": "4",
    }
    body = b"4\r\nbody\r\n0\r\n\r\n"
    for secret, status in ((owner.secret, 200), ("b", 403)):
        request = AWSRequest("PUT", f"http://127.0.0.1:{owner.server.port}/{BUCKET}/framed", headers=framed)
        signer = SigV4Auth(Credentials(owner.key, secret), "s3", "us-east-1")
        signer.add_auth(request)
        assert httpx.put(request.url, headers=dict(request.headers), content=body).status_code == status
    assert owner.server.client("s3").get_object(Bucket=BUCKET, Key="framed")["Body"].read() == b"body"


def test_an_interrupted_upload_is_not_stored(owner: Caller) -> None:
    request = AWSRequest("PUT", f"http://127.0.0.1:{owner.server.port}/{BUCKET}/half", data=b"x" * 1000)
    S3SigV4Auth(Credentials(owner.key, owner.secret), "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", owner.server.port, timeout=60)
    connection.putrequest("PUT", urlsplit(request.url).path)
    for name, value in {**dict(request.headers), "Content-Length": "1000"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"x" * 999)
    connection.close()
    assert "half" not in str(owner.server.client("s3").list_objects_v2(Bucket=BUCKET))


@pytest.mark.parametrize(("bucket", "key"), [("sample", "k"), ("airbyte", "v1/k")])
def test_a_bucket_may_have_the_name_of_another_service(owner: Caller, bucket: str, key: str) -> None:
    s3 = owner.server.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
