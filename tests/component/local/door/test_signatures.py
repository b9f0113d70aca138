"""A call without a key, or changed after signing, gets the service's own refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.callers import OPERATIONS, Caller

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
