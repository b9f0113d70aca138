"""The identities of callers: sessions of roles, users of IAM, and the server's key."""

from __future__ import annotations

import boto3
import httpx
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from werkzeug.wrappers import Request

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.keys import Keys
from etltctl.local.services.sts.service import Identities
from support.callers import Caller


def test_a_presigned_get_caller_identity_is_answered(owner: Caller) -> None:
    """Other services use such a link, made by AWS's SDKs, for their sign-in."""
    url = f"http://127.0.0.1:{owner.server.port}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url)
    SigV4QueryAuth(Credentials(owner.key, owner.secret), "sts", "us-east-1").add_auth(request)
    assert "<Account>123456789012</Account>" in httpx.get(request.url, timeout=60).text
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


def test_a_caller_whose_key_was_deleted_does_not_count_as_the_owner() -> None:
    scope = "Credential=AKIAGONE/20260101/us-east-1/athena/aws4_request"
    request = Request.from_values(headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}"})
    identities = Identities((Keys.make(),), lambda kind, name: "", lambda key: None)
    with pytest.raises(AwsError, match="does not exist"):
        identities.caller(request)


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
