"""`etltctl init`: a project whose settings are valid and whose tests pass at once, and that overwrites nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError, ExitCode, UsageError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.template import Blueprint, template_of
from etltctl.infrastructure.uploads import Uploads
from etltctl.scaffold import TEMPLATES, lay_out
from etltctl.settings import load_settings

FILES = [
    "etltctl.toml", "dags/dag_mongodb.py", "dags/dag_api.py", "contracts/bronze.api_circuits.toml",
    "tests/test_lake.py", ".gitignore",
]  # fmt: skip


def test_the_files_are_written_and_named(tmp_path: Path) -> None:
    written = lay_out(tmp_path / "new" / "lake")
    assert [str(path.relative_to(tmp_path / "new" / "lake")) for path in written] == FILES
    settings = load_settings(directory=tmp_path / "new" / "lake", environ={})
    assert (settings.project, settings.env) == ("lake", "local")


def test_every_environment_of_the_new_settings_is_valid(tmp_path: Path) -> None:
    lay_out(tmp_path)
    for env in ("local", "aws"):
        assert load_settings(directory=tmp_path, env=env, environ={}).env == env


@pytest.mark.parametrize(
    ("folder", "project"),
    [
        ("lake", "lake"),
        ("My lake (2)", "my-lake-2"),
        ("7 seas", "lake-7-seas"),
        ("ö", "my-lake"),
        ("x" * 30, "x" * 20),
    ],
)
def test_no_name_in_the_account_is_that_of_another_project(tmp_path: Path, folder: str, project: str) -> None:
    lay_out(tmp_path / folder)
    settings = load_settings(directory=tmp_path / folder, env="aws", environ={})
    names = Names(settings)
    assert settings.project == project
    assert set(names.jobs.values()) == {f"{project}-{job}" for job in settings.glue.jobs}
    assert all(bucket.startswith(f"{project}-") for bucket in names.buckets.values())
    assert list(names.job_roles) == [f"{project}-glue"]
    assert settings.athena.workgroup == names.stack == project
    Blueprint(names, template_of(names), {}, Uploads({}, {}, "")).require_room(has_bucket=False)
    assert settings.athena.databases["gold"] == f"{project.replace('-', '_')}_gold"


def test_every_commented_setting_is_valid_without_its_comment_sign(tmp_path: Path) -> None:
    text = (TEMPLATES / "etltctl.toml").read_text("utf-8")
    bare = re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert bare.count("\n#") < text.count("\n#")
    (tmp_path / "etltctl.toml").write_text(bare)
    assert load_settings(directory=tmp_path, environ={}).sources["mongodb"].max_drop_pct == 50.0


def test_existing_files_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("mine")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_lake.py").write_text("mine too")
    with pytest.raises(UsageError, match=r"etltctl\.toml, tests/test_lake\.py; nothing was written"):
        lay_out(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["etltctl.toml", "test_lake.py", "tests"]
    assert (tmp_path / "etltctl.toml").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "dags").write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="nothing was written"):
        lay_out(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dags"]


def test_the_command_names_the_files_and_refuses_to_write_them_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etltctl", "init", "lake"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.removeprefix("wrote lake/") for line in done.stdout.splitlines()[:-1]] == FILES
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == ExitCode.USAGE
    assert "lake already has etltctl.toml" in again.stderr
    assert again.stdout == ""


@pytest.mark.e2e
def test_the_tests_of_a_new_project_pass_at_once(tmp_path: Path) -> None:
    lay_out(tmp_path)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ETLTCTL", "COV_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::pytest.PytestWarning"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    assert [file.name for file in (tmp_path / "contracts").iterdir()] == ["bronze.api_circuits.toml"]
