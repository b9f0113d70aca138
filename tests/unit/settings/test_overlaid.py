"""Values that are laid over loaded settings, as those that lead to the embedded server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.environment import AwsEndpoint

VALUES = {"airbyte": {"url": "http://here", "client_secret": "s3cret"}, "aws": {"profile": None}}
ENDPOINT = AwsEndpoint("http://127.0.0.1:1", "key", "s3cret", "/aws.config")


def loaded(folder: Path, flags: dict[str, Any] | None = None) -> Settings:
    (folder / "etltctl.toml").write_text('[airbyte]\nurl = "http://file"\n[aws]\nprofile = "file"\n')
    environ = {"ETLTCTL__AIRBYTE__URL": "http://variable"}
    return load_settings(env="local", environ=environ, directory=folder, flags=flags)


def test_the_values_win_over_variables_and_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path).overlaid(VALUES)
    assert (settings.airbyte.url, settings.aws.profile) == ("http://here", None)


def test_a_flag_wins_over_the_values(tmp_path: Path) -> None:
    settings = loaded(tmp_path, {"airbyte.url": "http://flag"}).overlaid(VALUES)
    assert settings.airbyte.url == "http://flag"


def test_the_file_is_not_read_again(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    (tmp_path / "etltctl.toml").write_text("not TOML")
    assert settings.overlaid(VALUES).file == tmp_path / "etltctl.toml"


def test_a_secret_among_the_values_is_not_shown(tmp_path: Path) -> None:
    settings = loaded(tmp_path).overlaid(VALUES, ENDPOINT)
    shown = {value.key: value for value in settings.values()}["airbyte.client_secret"]
    assert (shown.value, shown.origin) == ("***", "flag")
    assert "s3cret" not in repr(ENDPOINT)


def test_the_endpoint_goes_with_a_copy_and_leaves_the_first_settings_as_they_were(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    assert first.overlaid(VALUES, ENDPOINT).model_copy(update={"state": "s"}).route == ENDPOINT
    assert first.route is None


def test_a_value_that_no_setting_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="problem"):
        loaded(tmp_path).overlaid({"airbyte": {"timeout_minutes": 0}})
