"""The state is one folder, whichever folder a command is started in: it counts from the settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.cli.candidates import READERS, Context
from etltctl.settings import load_settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a folder below it, in which the command is started."""
    (tmp_path / "below").mkdir()
    (tmp_path / "etltctl.toml").write_text("version = 1\n")
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


def state(environ: dict[str, str] | None = None, **flags: str) -> str:
    return load_settings(environ=environ or {}, flags=flags).state


def test_the_default_state_lies_next_to_the_settings_file(project: Path) -> None:
    assert state() == str(project / ".etltctl")
    assert load_settings(environ={}).contracts_folder == project / ".etltctl" / "contracts"


@pytest.mark.parametrize("text", ['state = "kept"\n', '[env.local]\nstate = "kept"\n'])
def test_a_relative_state_of_the_settings_file_counts_from_the_file(project: Path, text: str) -> None:
    # The shipped [env.local] has a state as well, so that only this table replaces it.
    (project / "etltctl.toml").write_text(text)
    assert state() == str(project / "kept")


def test_a_state_is_left_as_it_is_where_it_is_right_already(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("s3://bucket/state", "/var/state"):
        (project / "etltctl.toml").write_text(f'[env.local]\nstate = "{place}"\n')
        assert state() == place
    (project / "etltctl.toml").write_text("version = 1\n")
    monkeypatch.chdir(project)
    assert state() == ".etltctl"


def test_a_flag_and_a_variable_count_from_the_working_folder(project: Path) -> None:
    assert project.is_dir()
    assert state(state="typed") == "typed"
    assert state({"ETLTCTL_STATE_DIR": "exported"}) == "exported"


def test_a_named_settings_file_leads_to_its_state(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "etltctl.toml").write_text((project / "etltctl.toml").read_text())
    assert load_settings(config=elsewhere / "etltctl.toml", environ={}).state == str(elsewhere / ".etltctl")


def test_completion_names_the_runs_of_the_same_state(project: Path) -> None:
    runs = project / ".etltctl" / "runs"
    runs.mkdir(parents=True)
    (runs / "20261123-0305-mongodb-k7qf.ndjson").write_text("{}\n")
    context = Context({}, project / "below")
    assert list(READERS["runs"](context.layers(), context)) == ["20261123-0305-mongodb-k7qf", "k7qf"]
