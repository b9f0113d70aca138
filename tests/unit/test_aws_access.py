"""Credentials that a caller hands over: every client signs with them, and they may renew themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials

from etltctl.aws import Aws
from etltctl.settings import Settings, load_settings
from etltctl.settings.environment import AwsAccess


def credentials_until(times: list[datetime]) -> RefreshableCredentials:
    """Return credentials that are fetched again when they are about to run out; each fetch takes the next time."""

    def fetched() -> dict[str, str]:
        until = times.pop(0).isoformat()
        return {"access_key": f"KEY{len(times)}", "secret_key": "s", "token": "t", "expiry_time": until}

    return RefreshableCredentials.create_from_metadata(fetched(), fetched, "test")


def settings_with(credentials: object, url: str | None = None) -> Settings:
    access = AwsAccess(credentials, lambda service: url if service == "glue" else None)
    return load_settings(env="aws", environ={}, flags={"aws.profile": "absent"}).overlaid(
        {"aws": {"region": "eu-north-1"}}, access
    )


@pytest.fixture(autouse=True)
def _no_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)


def signs_with(aws: Aws, service: str) -> str:
    return str(aws.client(service)._request_signer._credentials.get_frozen_credentials().access_key)


def test_a_client_signs_with_them_in_place_of_the_profile_and_in_their_region() -> None:
    now = datetime.now(UTC)
    aws = Aws.from_settings(settings_with(credentials_until([now + timedelta(hours=1)])))
    assert signs_with(aws, "glue") == "KEY0"
    assert aws.region_name == "eu-north-1"


def test_they_renew_themselves_while_a_run_goes_on() -> None:
    now = datetime.now(UTC)
    aws = Aws.from_settings(
        settings_with(credentials_until([now + timedelta(minutes=1), now + timedelta(hours=1)]))
    )
    assert signs_with(aws, "glue") == "KEY0"


def test_a_service_s_url_is_that_of_the_access_and_only_its_own() -> None:
    access = credentials_until([datetime.now(UTC) + timedelta(hours=1)])
    aws = Aws.from_settings(settings_with(access, "http://127.0.0.1:4"))
    assert aws.client("glue").meta.endpoint_url == "http://127.0.0.1:4"
    assert "amazonaws.com" in aws.client("athena").meta.endpoint_url


def test_they_are_in_no_text_of_the_settings_and_the_clients() -> None:
    settings = settings_with(ReadOnlyCredentials("KEY0", "secret", "token"))  # their own text has the key
    aws = Aws.from_settings(settings)
    assert "KEY0" not in f"{settings!r}{settings.route!r}{aws!r}{settings.values()}"


def test_the_credentials_of_an_assumed_role_come_before_those_that_assumed_it() -> None:
    access = ReadOnlyCredentials("KEY0", "secret", "token")
    aws = Aws(credentials=("ROLE", "s", "t"), region="eu-north-1", route=settings_with(access).route)
    assert signs_with(aws, "glue") == "ROLE"
