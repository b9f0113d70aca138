"""Secrets are references that are resolved late."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import resolve_secret
from etltctl.settings.secrets import has_password


def test_a_variable(tmp_path: Path) -> None:
    assert resolve_secret("env:TOKEN", {"TOKEN": "v"}, setting="s") == "v"


def test_a_missing_variable_names_setting_and_variable() -> None:
    with pytest.raises(ConfigurationError, match=r"airbyte\.client_id is env:TOKEN, but TOKEN is not set"):
        resolve_secret("env:TOKEN", {}, setting="airbyte.client_id")


def test_a_file_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("v\n")
    assert resolve_secret(f"file:{tmp_path}/token", {}, setting="s") == "v"


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing"):
        resolve_secret(f"file:{tmp_path}/nothing", {}, setting="s")


@pytest.mark.parametrize("reference", ["ssm:/path", "secretsmanager:id#key"])
def test_a_reference_may_name_a_secret_of_aws(reference: str) -> None:
    assert resolve_secret(reference, {}, setting="s", fetch=lambda secret: f"<{secret}>") == f"<{reference}>"
    with pytest.raises(ConfigurationError, match="needs an environment on AWS"):
        resolve_secret(reference, {}, setting="s")


def test_any_other_text_is_the_secret_itself() -> None:
    assert resolve_secret("mongodb://u:p@h/", {}, setting="s") == "mongodb://u:p@h/"


@pytest.mark.parametrize(
    "address",
    [
        "mongodb://me:s3cret@h1:27017,h2:27017/?replicaSet=rs",
        "mongodb+srv://me:a@b/c@h/",
        "postgres://:s3cret@host/db",
        "HTTPS://me:12,34@host/",
        "jdbc:mysql://me:s3cret@host/db",
        "the driver refused postgres://me:s3cret@host/db",
    ],
)
def test_an_address_with_a_password_is_recognized(address: str) -> None:
    assert has_password(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "me:s3cret@host",
        "https://me@host/",
        "https://me:@host/",
        "https://host:8000/me@example.com",
        "http://[::1]:80/me@example.com",
        "mongodb://h1:27017,h2:27017/?x=a@b",
        "see http://host:80 or write to me@example.com",
    ],
)
def test_a_port_and_a_user_alone_are_not_a_password(address: str) -> None:
    assert not has_password(address)
