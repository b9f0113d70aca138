"""A fault in the files of AWS profiles is an error of the configuration, and its hint names the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.aws import Aws
from etltctl.errors import AccessError, ConfigurationError, EtltctlError, ExitCode
from etltctl.settings import load_settings

ROLE = "role_arn = arn:aws:iam::123456789012:role/operator\n"
FAULTS = {
    "its source profile is missing": f"[profile me]\n{ROLE}source_profile = base\n",
    "its source profile is itself in a circle": (
        f"[profile me]\n{ROLE}source_profile = a\n[profile a]\n{ROLE}source_profile = b\n"
        f"[profile b]\n{ROLE}source_profile = a\n"
    ),
    "its source of credentials is unknown": f"[profile me]\n{ROLE}credential_source = Moon\n",
    "its source profile has no credentials": f"[profile me]\n{ROLE}source_profile = base\n[profile base]\n",
    "the file is not one of profiles": "[profile me\nregion = us-east-1\n",
}


def failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> EtltctlError:
    """Return the error of a call with the profile `me` of this file."""
    file = tmp_path / "config"
    file.write_text(text)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(EtltctlError) as raised:
        Aws(profile="me", region="us-east-1").identity()
    return raised.value


@pytest.mark.parametrize(
    ("environ", "flags", "place"),
    [
        ({}, {}, "etltctl.toml:4:1"),
        ({"AWS_PROFILE": "me"}, {}, "the variable AWS_PROFILE"),
        ({}, {"aws.profile": "me"}, "a flag"),
    ],
)
def test_a_profile_that_does_not_exist_is_named_with_the_place_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environ: dict[str, str],
    flags: dict[str, str],
    place: str,
) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_text('version = 1\nproject = "p"\n[env.aws.aws]\nprofile = "me"\n')
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    settings = load_settings(config=file, env="aws", environ=environ, flags=flags)
    with pytest.raises(ConfigurationError, match=r"profile \(me\) could not be found") as raised:
        Aws.from_settings(settings).identity()
    assert raised.value.facts["profile"] == f"me, named by {place}"


def test_a_profile_of_the_sample_lake_is_named_as_such(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    settings = load_settings(directory=tmp_path, env="aws", environ={})
    with pytest.raises(ConfigurationError) as raised:
        Aws.from_settings(settings).identity()
    assert raised.value.facts["profile"] == "pi-m3, named by the sample lake"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_profile_is_named_with_the_file_to_correct(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    error = failure(monkeypatch, tmp_path, FAULTS[fault])
    assert isinstance(error, ConfigurationError)
    assert error.exit_code is ExitCode.CONFIGURATION
    assert "aws configure list-profiles" in error.hint


def test_a_failing_credentials_program_is_an_access_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = failure(monkeypatch, tmp_path, "[profile me]\ncredential_process = false\n")
    assert isinstance(error, AccessError)
    assert "aws configure list-profiles" in error.hint


def test_an_expired_sign_in_is_an_access_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = (
        "[profile me]\nsso_start_url = https://me.example/start\nsso_region = us-east-1\n"
        "sso_account_id = 123456789012\nsso_role_name = admin\n"
    )
    error = failure(monkeypatch, tmp_path, text)
    assert isinstance(error, AccessError)
    assert "aws sso login" in error.hint
