"""References to secrets: their form, files without a secret, and the folder that a relative path counts from."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError, ExitCode
from etltctl.settings import Settings, load_settings, resolve_secret
from etltctl.settings.secret_problems import secret_problems
from etltctl.settings.secrets import reference_fault

CONNECTOR = 'kind = "airbyte"\nstreams = ["s"]\n'


def settings(folder: Path, text: str, **options: object) -> Settings:
    (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, environ={}, env="local", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["", "\n", " \n\t"])
def test_a_file_without_a_secret_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(ConfigurationError, match=r"s is file:\S+/token, but the file is empty") as refused:
        resolve_secret(f"file:{tmp_path}/token", {}, setting="s")
    assert refused.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_a_variable_without_a_secret_is_refused_by_name(value: str) -> None:
    with pytest.raises(ConfigurationError, match="s is env:TOKEN, but TOKEN is not set"):
        resolve_secret("env:TOKEN", {"TOKEN": value}, setting="s")


def test_an_empty_secret_of_aws_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="s is ssm:/token, but it is empty"):
        resolve_secret("ssm:/token", {}, setting="s", fetch=lambda _: " ")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("env:", "env:NAME"),
        ("env: TOKEN", "env:NAME"),
        ("env:TOKEN ", "env:NAME"),
        ("env:A-B", "env:NAME"),
        ("env:1A", "env:NAME"),
        ("env:hidden word", "env:NAME"),
        ("ENV:TOKEN", "env:NAME"),
        (" env:TOKEN", "env:NAME"),
        ("env :TOKEN", "env:NAME"),
        ("file:", "file:PATH"),
        ("file: token", "file:PATH"),
        ("File:token", "file:PATH"),
        ("ssm:", "ssm:/path"),
        ("ssm:/a b", "ssm:/path"),
        ("secretsmanager:", "secretsmanager:id"),
        ("secretsmanager:id#", "secretsmanager:id"),
    ],
)
def test_a_reference_of_another_form_is_refused_with_the_right_one(
    tmp_path: Path, text: str, form: str
) -> None:
    assert reference_fault(text).startswith(f"must be written as {form}")
    with pytest.raises(ConfigurationError, match=f"s must be written as {form}"):
        resolve_secret(text, {"TOKEN": "v"}, setting="s")
    loaded = settings(
        tmp_path,
        f'[sources.m]\nkind = "mongodb"\nuri = "{text}"\ndatabase = "d"\ncollections = ["c"]\n'
        f'connection_id = "{text}"\n[sources.a]\n{CONNECTOR}config = {{ host = "{text}", keys = ["{text}"] }}\n',
    )
    problems = list(secret_problems(loaded))
    keys = [problem.split(" ")[1] for problem in problems]
    assert {"sources.m.uri", "sources.m.connection_id", "sources.a.config.host"} <= {*keys}
    assert "sources.a.config.keys.0" in keys
    assert "etltctl.toml:3:1: sources.m.uri must be written as" in "\n".join(problems)
    assert not any("hidden" in problem for problem in problems)
    shown = {value.key: value.value for value in loaded.values()}
    assert (shown["sources.m.uri"], shown["sources.a.config.keys"]) == ("***", ["***"])


@pytest.mark.parametrize(
    "text",
    [
        "", "sample:", "env:_A1", "file:/run/a b", "file:~/token", "ssm:/path", "ssm:name", "secretsmanager:id",
        "secretsmanager:lake/airbyte#client secret", "secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:a-b#k",
        "mongodb://host/", "Env: a sentence about it", "environment:prod",
    ],
)  # fmt: skip
def test_right_references_and_other_texts_have_no_fault(text: str) -> None:
    assert reference_fault(text) == ""


def test_a_relative_file_counts_from_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project, elsewhere):
        folder.mkdir()
        (folder / "token").write_text(folder.name)
    monkeypatch.chdir(elsewhere)
    text = (
        f'[airbyte]\nclient_id = "file:token"\n[sources.a]\n{CONNECTOR}connection_id = "file:token"\n'
        'config = { keys = ["file:token"], path = "file:/token", home = "file:~/token" }\n'
        '[env.local.airbyte]\nclient_secret = "file:token"\n'
    )
    loaded = settings(project, text)
    config = loaded.sources["a"].config  # type: ignore[union-attr]
    references = (
        loaded.airbyte.client_id, loaded.airbyte.client_secret, loaded.sources["a"].connection_id, config["keys"][0],
    )  # fmt: skip
    assert {resolve_secret(reference, {}, setting="s") for reference in references} == {"project"}
    assert (config["path"], config["home"]) == ("file:/token", "file:~/token")


def test_a_relative_file_of_a_flag_counts_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = settings(tmp_path, "", flags={"airbyte.client_id": "file:token"})
    assert loaded.airbyte.client_id == "file:token"


def test_a_table_of_a_job_may_hold_any_text(tmp_path: Path) -> None:
    text = '[glue.jobs.j]\nscript = "j.py"\nconfig = { place = "file:token", of = "env: x" }\n'
    loaded = settings(tmp_path, text)
    assert loaded.glue.jobs["j"].config == {"place": "file:token", "of": "env: x"}
    assert list(secret_problems(loaded)) == []
