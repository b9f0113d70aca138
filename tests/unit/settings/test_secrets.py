"""Secrets are references that are resolved late."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import resolve_secret


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
