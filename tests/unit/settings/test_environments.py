"""The choice of the environment is the same for the loader, the readers that skip its checks, and completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from etltctl.cli.candidates import Context, names
from etltctl.errors import ConfigurationError
from etltctl.settings import load_settings
from etltctl.settings.environments import chosen_env, known_envs
from etltctl.settings.outline import pipeline_outline
from etltctl.settings.readable import readable_settings

Reader = Callable[[Path, "str | None", Mapping[str, str]], object]
READERS: dict[str, Reader] = {
    "loader": lambda folder, env, environ: load_settings(directory=folder, env=env, environ=environ),
    "outline": lambda folder, env, environ: pipeline_outline("p", directory=folder, env=env, environ=environ),
    "readable": lambda folder, env, environ: readable_settings(environ, folder, None, env),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("text", "env", "environ"),
    [
        ("[env.prod]\n", "prd", {}),
        ("[env.prod]\n", None, {"ETLTCTL_ENV": "prd"}),
        ("default_env = 'prd'\n[env.prod]\n", None, {}),
    ],
)
def test_every_reader_refuses_an_unknown_environment_with_the_nearest_name(
    tmp_path: Path, reader: Reader, text: str, env: str | None, environ: dict[str, str]
) -> None:
    file = tmp_path / "etltctl.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        reader(tmp_path, env, environ)
    assert caught.value.message == "no environment is called prd, did you mean prod?"
    assert caught.value.hint == f"known: aws, local, prod; add [env.prd] to {file}"


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_without_a_file_the_error_names_the_file_to_write(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(ConfigurationError) as caught:
        reader(tmp_path, "production", {})
    assert caught.value.message == "no environment is called production"
    assert caught.value.hint == "known: aws, local; add [env.production] to etltctl.toml"


@pytest.mark.parametrize(
    ("default", "env", "environ", "chosen"),
    [
        ("aws", "dev", {"ETLTCTL_ENV": "prod"}, "dev"),
        ("aws", None, {"ETLTCTL_ENV": "prod"}, "prod"),
        ("aws", "", {"ETLTCTL_ENV": ""}, "aws"),
        ("", None, {}, "local"),
        (3, None, {}, "local"),
        (None, None, {}, "local"),
    ],
)
def test_the_caller_comes_before_the_variable_and_the_file(
    default: object, env: str | None, environ: dict[str, str], chosen: str
) -> None:
    assert chosen_env({} if default is None else {"default_env": default}, env, environ) == chosen


@pytest.mark.parametrize(
    ("env", "known"), [({"dev": {}, "aws": {}}, ["local", "aws", "dev"]), ("prod", ["local", "aws"])]
)
def test_two_environments_always_exist(env: object, known: list[str]) -> None:
    assert known_envs({"env": env}) == known


def test_completion_offers_the_environments_that_a_command_accepts(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("default_env = 3\n[env.prod.pipelines.shop]\n[env.dev]\n")
    assert names("environments", Context({}, tmp_path)) == ["local", "aws", "prod", "dev"]
    assert names("pipelines", Context({"ETLTCTL_ENV": "prod"}, tmp_path)) == ["shop"]


def test_a_default_environment_that_is_not_a_text_is_one_of_the_problems(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("default_env = 3\nnonsense = 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(directory=tmp_path, environ={})
    assert len(caught.value.problems) == 2
