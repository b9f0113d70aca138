"""Commands that reach services load no imports, folders or settings that they do not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ProfileNotFound, UnknownServiceError

from etltctl.sdk import open_session
from etltctl.settings import load_settings

CREDENTIALS = ("key", "secret", "token")


def test_a_query_s_client_imports_neither_boto3_nor_an_event_loop_nor_versions_of_tables() -> None:
    script = (
        "import sys; from etltctl.aws import Aws; import etltctl.querying;"
        "Aws(region='us-east-1', credentials=('k', 's', 't')).client('athena');"
        "print(sorted({'boto3', 's3transfer', 'asyncio', 'multiprocessing', 'etltctl.publishing'} & set(sys.modules)))"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_a_client_lists_only_the_folders_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    folders, listdir = [], os.listdir
    session = open_session(region="us-east-1", credentials=CREDENTIALS)
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", lambda path: folders.append(Path(path).name) or listdir(path))
        session.create_client("athena")
    assert set(folders) == {"athena"}


def test_an_unknown_service_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(UnknownServiceError, match=r"athena.*glue"):
        open_session(region="us-east-1", credentials=CREDENTIALS).create_client("athna")


def test_service_descriptions_that_a_user_adds_are_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = open_session(region="us-east-1", credentials=CREDENTIALS).get_component("data_loader")
    assert str(tmp_path) in loader.search_paths


def test_a_profile_that_is_in_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ProfileNotFound, match="no-such-profile"):
        open_session(profile="no-such-profile").create_client("s3")


def test_a_setting_is_shown_as_the_environment_was_when_it_was_loaded(tmp_path: Path) -> None:
    environ = {"AIRBYTE_CLIENT_SECRET": "x"}
    settings = load_settings(directory=tmp_path, environ=environ)
    environ.clear()
    shown = {value.key: value.value for value in settings.values()}
    assert shown["airbyte.client_secret"] == "env:AIRBYTE_CLIENT_SECRET (set)"
