"""Authentication: a call without a key, or changed after signing, gets the service's own refusal."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from werkzeug.wrappers import Request

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.keys import Keys
from etltctl.local.services.sts.service import Identities
from support.served import Served, make_client

BUCKET = "door-lake"
OPERATIONS = {
    "s3": ("create_bucket", {"Bucket": "intruder"}),
    "glue": ("create_database", {"DatabaseInput": {"Name": "intruder"}}),
    "athena": ("create_work_group", {"Name": "intruder"}),
    "lakeformation": ("create_lf_tag", {"TagKey": "intruder", "TagValues": ["x"]}),
    "logs": ("create_log_group", {"logGroupName": "intruder"}),
    "ssm": ("put_parameter", {"Name": "intruder", "Value": "x", "Type": "String"}),
    "secretsmanager": ("create_secret", {"Name": "intruder", "SecretString": "x"}),
    "cloudtrail": ("lookup_events", {}),
    "iam": ("create_user", {"UserName": "intruder"}),
    "sts": ("get_caller_identity", {}),
    "cloudformation": ("describe_stacks", {}),
    "ec2": ("create_vpc", {"CidrBlock": "10.9.0.0/16"}),
}
XML = {"s3": "s3", "iam": "query", "sts": "query", "cloudformation": "query", "ec2": "ec2"}
CODES = {
    "unknown key": {
        "s3": "InvalidAccessKeyId", "query": "InvalidClientTokenId", "ec2": "AuthFailure",
        "json": "UnrecognizedClientException",
    },
    "wrong secret": {
        "s3": "SignatureDoesNotMatch", "query": "SignatureDoesNotMatch", "ec2": "AuthFailure",
        "json": "InvalidSignatureException",
    },
    "stale": {
        "s3": "RequestTimeTooSkewed", "query": "SignatureDoesNotMatch", "ec2": "AuthFailure",
        "json": "InvalidSignatureException",
    },
    "unsigned": {
        "s3": "AccessDenied", "query": "MissingAuthenticationToken", "ec2": "MissingAuthenticationToken",
        "json": "MissingAuthenticationTokenException",
    },
}  # fmt: skip


def expected(case: str, service: str) -> str:
    return CODES[case][XML.get(service, "json")]


@dataclass(frozen=True)
class Caller:
    """boto3 with some credentials, whose requests can be changed after they were signed."""

    server: Served
    key: str
    secret: str

    def refused(self, service: str, before_send: Callable[[Any], None] = lambda request: None) -> str:
        """Return the error code of the service's refusal of its first operation."""
        client = make_client(service, self.server.port, Keys(self.key, self.secret, ""))
        client.meta.events.register("before-send", lambda request, **_: before_send(request))
        operation, arguments = OPERATIONS[service]
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**arguments)
        return str(caught.value.response["Error"]["Code"])


def traces(server: Served) -> str:
    """Return every resource that the operations of an intruder would have created."""
    seen = [
        server.client("s3").list_buckets()["Buckets"],
        server.client("glue").get_databases()["DatabaseList"],
        server.client("athena").list_work_groups()["WorkGroups"],
        server.client("lakeformation").list_lf_tags()["LFTags"],
        server.client("logs").describe_log_groups()["logGroups"],
        server.client("ssm").describe_parameters()["Parameters"],
        server.client("secretsmanager").list_secrets()["SecretList"],
        server.client("iam").list_users()["Users"],
        [vpc["CidrBlock"] for vpc in server.client("ec2").describe_vpcs()["Vpcs"]],
    ]
    return json.dumps(seen, default=str)


@pytest.fixture(scope="module")
def owner(server: Served) -> Iterator[Caller]:
    """The owner's keys. At the end of the module no intruder has created a resource."""
    server.request("POST", "stack", {"buckets": [BUCKET]})
    yield Caller(server, server.keys.access_key_id, server.keys.secret_access_key)
    left = traces(server)
    assert "intruder" not in left
    assert "10.9.0.0" not in left


@pytest.mark.parametrize("service", OPERATIONS)
def test_an_unknown_key_is_refused(owner: Caller, service: str) -> None:
    assert Caller(owner.server, "AKIAUNKNOWN", owner.secret).refused(service) == expected(
        "unknown key", service
    )


@pytest.mark.parametrize("service", OPERATIONS)
def test_a_wrong_secret_is_refused(owner: Caller, service: str) -> None:
    assert Caller(owner.server, owner.key, "b").refused(service) == expected("wrong secret", service)


@pytest.mark.parametrize("service", OPERATIONS)
def test_an_unsigned_call_is_refused(owner: Caller, service: str) -> None:
    def unsign(request: Any) -> None:
        del request.headers["Authorization"]

    assert owner.refused(service, unsign) == expected("unsigned", service)


@pytest.mark.parametrize("service", OPERATIONS)
@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_call_signed_at_another_time_is_refused(
    owner: Caller, service: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import botocore.auth

    then = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: then)
    assert owner.refused(service) == expected("stale", service)


@pytest.mark.parametrize("service", OPERATIONS)
def test_a_header_changed_after_signing_is_refused(owner: Caller, service: str) -> None:
    def change(request: Any) -> None:
        del request.headers["X-Amz-Date"]
        request.headers["X-Amz-Date"] = (datetime.now(UTC) + timedelta(seconds=90)).strftime("%Y%m%dT%H%M%SZ")

    assert owner.refused(service, change) == expected("wrong secret", service)


@pytest.mark.parametrize("service", [name for name in OPERATIONS if name != "s3"])
def test_a_body_changed_after_signing_is_refused(owner: Caller, service: str) -> None:
    def change(request: Any) -> None:
        request.body = bytes(request.body, "utf-8") if isinstance(request.body, str) else request.body
        request.body = request.body[:-1] + b" "

    assert owner.refused(service, change) == expected("wrong secret", service)


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


def test_a_presigned_get_caller_identity_is_answered(owner: Caller) -> None:
    """Other services use such a link, made by AWS's SDKs, for their sign-in."""
    url = f"http://127.0.0.1:{owner.server.port}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(Credentials(owner.key, owner.secret), "sts", "us-east-1").add_auth(request)
    assert "<Account>123456789012</Account>" in httpx.get(request.url).text
    assert "SignatureDoesNotMatch" in httpx.get(request.url.replace("GetCaller", "getCaller")).text


def test_a_role_s_session_needs_its_token(owner: Caller) -> None:
    server = owner.server
    role = server.client("iam").create_role(RoleName="visitor", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    credentials = server.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]

    def arn(token: str | None, secret: str = credentials["SecretAccessKey"]) -> str:
        client = boto3.client(
            "sts", endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=secret, aws_session_token=token,
        )  # fmt: skip
        try:
            return str(client.get_caller_identity()["Arn"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    assert arn(credentials["SessionToken"]) == "arn:aws:sts::123456789012:assumed-role/visitor/me"
    assert arn(None) == arn("other") == "InvalidClientTokenId"
    assert arn(credentials["SessionToken"], "b") == "SignatureDoesNotMatch"


def test_the_keys_of_a_session_of_a_user_are_let_in_as_that_user(owner: Caller) -> None:
    sts = owner.server.client("sts")
    credentials = sts.get_session_token()["Credentials"]
    client = boto3.client(
        "sts", endpoint_url=f"http://127.0.0.1:{owner.server.port}", region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )  # fmt: skip
    assert client.get_caller_identity()["Arn"] == sts.get_caller_identity()["Arn"]
    with pytest.raises(ClientError, match="NotImplementedException"):
        sts.get_federation_token(Name="guest")


def test_an_access_key_of_iam_belongs_to_its_user(owner: Caller) -> None:
    iam = owner.server.client("iam")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    client = boto3.client(
        "sts", endpoint_url=f"http://127.0.0.1:{owner.server.port}", region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
    )  # fmt: skip
    assert client.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/reader"
    iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client.get_caller_identity()


CALLS = [
    ("GET", "faults"),
    ("POST", "faults"),
    ("POST", "stack"),
    ("POST", "keep"),
    ("POST", "shutdown"),
    ("GET", "lease"),
]


@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer x", "Basic x"])
@pytest.mark.parametrize(("method", "call"), CALLS)
def test_calls_to_the_server_itself_need_its_key(owner: Caller, method: str, call: str, key: str) -> None:
    assert owner.server.request(method, call, [], Authorization=key)[0] == 401
    assert owner.server.request("GET", "health")[0] == 200


def test_without_the_key_health_returns_nothing_but_its_status(owner: Caller) -> None:
    assert owner.server.request("GET", "health", Authorization="") == (200, {"status": "ok", "proof": ""})


def test_airbyte_and_the_samples_need_a_key(owner: Caller) -> None:
    url = f"http://127.0.0.1:{owner.server.port}"
    assert httpx.get(f"{url}/airbyte/v1/jobs").status_code == 401
    wrong = {"client_id": owner.key, "client_secret": owner.secret}
    assert httpx.post(f"{url}/airbyte/v1/applications/token", json=wrong).status_code == 400
    assert httpx.get(f"{url}/sample/ergast/f1/2026/races/").status_code == 401
    sample = httpx.get(f"{url}/sample/ergast/f1/seasons/", headers=dict(owner.server.keys.headers))
    assert sample.status_code == 200


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


def test_a_caller_whose_key_was_deleted_does_not_count_as_the_owner() -> None:
    scope = "Credential=AKIAGONE/20260101/us-east-1/athena/aws4_request"
    request = Request.from_values(headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}"})
    identities = Identities((Keys.make(),), lambda kind, name: "", lambda key: None)
    with pytest.raises(AwsError, match="does not exist"):
        identities.caller(request)
