"""Settings with problems still say where the record of the runs is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import load_for_record

SOUND = """
version = 1
project = "lake"
state = "base-state"
[aws]
profile = "base"
[env.prod]
state = "s3://records/lake"
[env.prod.aws]
region = "eu-west-1"
"""


@pytest.mark.parametrize(
    ("mistake", "problem"),
    [
        (
            "[glue.jobs.x]\nscirpt = 'x.py'\n",
            'glue.jobs.x.script is missing: add script = "glue_jobs/NAME.py" to [glue.jobs.x] and 1 more',
        ),
        ("[glue.jobs.x]\nscript = x.py\n", "is not valid TOML"),
        ("[glue\n", "is not valid TOML"),
        ("[athena]\nworkgroup = 5\n", "athena.workgroup"),
        ("[env.prod.glue]\nworker = ,\n", "is not valid TOML"),
        ("[env]\nother = 5\n", "env.other must be a table"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_the_place_of_the_record_is_read_next_to_a_mistake(
    tmp_path: Path, mistake: str, problem: str, is_first: bool
) -> None:
    text = f"version = 1\nproject = 'lake'\nstate = 'base-state'\n{mistake}{SOUND.partition('base-state')[2][1:]}"
    (tmp_path / "etltctl.toml").write_text(text if is_first else SOUND + mistake)
    settings, line = load_for_record(env="prod", environ={}, directory=tmp_path)
    assert problem in line
    assert "\n" not in line
    assert (settings.env, settings.state) == ("prod", "s3://records/lake")
    assert (settings.aws.profile, settings.aws.region) == ("base", "eu-west-1")
    base, _ = load_for_record(env="local", environ={}, directory=tmp_path)
    assert base.state == str(tmp_path / "base-state")


def test_variables_come_before_what_is_readable_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(SOUND + "[nonsense]\n")
    environ = {"ETLTCTL_STATE_DIR": "elsewhere", "ETLTCTL__GLUE__NONSENSE": "1", "ETLTCTL_ENV": "prod"}
    settings, line = load_for_record(environ=environ, directory=tmp_path)
    assert line
    assert settings.state == "elsewhere"


def test_a_file_that_is_no_text_leaves_the_default_place(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_bytes(b"\xff\xfe\x00")
    settings, line = load_for_record(environ={}, directory=tmp_path)
    assert "cannot read" in line
    assert settings.state == str(tmp_path / ".etltctl")


def test_a_state_of_a_wrong_type_is_the_problem_and_the_default_is_used(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("version = 1\nstate = 5\n")
    settings, line = load_for_record(environ={}, directory=tmp_path)
    assert "state" in line
    assert settings.state == str(tmp_path / ".etltctl")


@pytest.mark.parametrize("env", ["prd", "nowhere"])
def test_another_environment_is_never_read_in_place_of_one_that_is_mistyped(tmp_path: Path, env: str) -> None:
    (tmp_path / "etltctl.toml").write_text(SOUND + "[nonsense]\n")
    with pytest.raises(ConfigurationError, match=f"no environment is called {env}"):
        load_for_record(env=env, environ={}, directory=tmp_path)


def test_a_file_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no settings file"):
        load_for_record(config=tmp_path / "x.toml", environ={}, directory=tmp_path)


def test_sound_settings_have_no_problem(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(SOUND)
    settings, line = load_for_record(env="prod", environ={}, directory=tmp_path)
    assert (settings.state, line) == ("s3://records/lake", "")


@pytest.mark.parametrize("mistake", ["[lake]\nkeep_version = 3\n", "[glue\n", "defalt_env = 'x'\n"])
def test_nothing_but_the_place_of_the_record_is_read_next_to_a_mistake(tmp_path: Path, mistake: str) -> None:
    text = "state = 'base-state'\npipelines.mine.steps = ['athena:refresh']\n"
    (tmp_path / "etltctl.toml").write_text(text + mistake)
    settings, line = load_for_record(environ={}, directory=tmp_path)
    assert line
    assert settings.state == str(tmp_path / "base-state")
    assert settings.pipelines == {}


def test_a_mistake_in_a_variable_leaves_the_record_of_the_sample_lake(tmp_path: Path) -> None:
    environ = {"ETLTCTL__LAKE__KEEP": "1", "ETLTCTL_ENV": "aws"}
    settings, line = load_for_record(environ=environ, directory=tmp_path)
    assert "unknown setting lake.keep" in line
    assert (settings.state, settings.aws.region) == ("s3://pi-m3-state/etltctl", "us-east-2")


def test_the_shared_record_of_an_account_is_that_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("project = 'sea'\n[nonsense]\n")
    settings, line = load_for_record(env="aws", environ={}, directory=tmp_path)
    assert (settings.state, "nonsense" in line) == ("s3://sea-state/etltctl", True)
    (tmp_path / "etltctl.toml").write_text("[nonsense]\n")
    with pytest.raises(ConfigurationError, match="in the settings"):  # whose record it would be is not known
        load_for_record(env="aws", environ={}, directory=tmp_path)
