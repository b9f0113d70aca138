"""The operation of a request is recognized in every place where AWS's protocols put its name."""

from __future__ import annotations

import pytest

from etltctl.local.kernel.api_models import Addressed, addressed

FORM = "application/x-www-form-urlencoded"
CALL = "Action=GetUser&Version=2010-05-08"


def environ(service: str, method: str, **more: str) -> dict[str, str]:
    scope = f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/{service}/aws4_request, Signature=0"
    return {"REQUEST_METHOD": method, "PATH_INFO": "/", "HTTP_AUTHORIZATION": scope, **more}


@pytest.mark.parametrize(("service", "protocol"), [("iam", "query"), ("sts", "query"), ("ec2", "ec2")])
def test_a_query_call_by_get_is_named_by_its_query_string(service: str, protocol: str) -> None:
    request = addressed(environ(service, "GET", QUERY_STRING=CALL), b"")
    assert request == Addressed(service, "GetUser", protocol)


def test_a_query_call_by_post_is_named_by_its_body() -> None:
    request = addressed(environ("iam", "POST", CONTENT_TYPE=FORM, QUERY_STRING="Action=No"), CALL.encode())
    assert request == Addressed("iam", "GetUser", "query")
