"""Sources of any Airbyte connector: what the settings accept, and what `config validate` refuses."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.connector_config import revealed_config
from etltctl.settings.doubts import doubts
from etltctl.settings.secrets import is_secret, known_secrets
from etltctl.settings.synced_source import Connected
from etltctl.tabulating import cell_text
from etltctl.values import OVERWRITE, SYNC_MODES, sounds_secret
from support.sample_settings import on_sample

MANIFEST = """\
type: DeclarativeSource
version: 6.60.0
definitions:
  streams:
    ports: {name: ports, incremental_sync: {type: DatetimeBasedCursor, cursor_field: at}}
streams:
  - {name: ships}
  - {$ref: "#/definitions/streams/ports"}
spec:
  connection_specification:
    properties:
      pin: {type: string, airbyte_secret: true}
      # What the tests below write into the configuration.
      api_key: {}
      auth: {}
      accounts: {}
      password: {}
      url: {}
      token_url: {}
      primary_key: {}
      n: {}
"""


def settings(folder: Path, text: str) -> Settings:
    (folder / "ships.yaml").write_text(MANIFEST)
    (folder / "etltctl.toml").write_text(f'[sources.ships]\nkind = "airbyte"\n{text}')
    return load_settings(directory=folder, environ={}, env="local")


def problems(folder: Path, text: str) -> list[str]:
    every = doubts(settings(folder, text), {})
    return [doubt.text for doubt in every if "sources.ships" in doubt.text and doubt.is_error]


def complaints(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        settings(folder, text)
    return "\n".join(raised.value.problems)


def test_each_stream_is_a_bronze_table_in_its_folder(tmp_path: Path) -> None:
    text = 'connection_id = "1"\nstreams = ["Order Items", "ships"]\nnamespace = "public"\n'
    root = "s3://bronze/ships/public"
    assert settings(tmp_path, f'{text}[lake]\nbronze = "s3://bronze"\n').stream_locations("ships") == {
        "ships_order_items": f"{root}/Order_Items/",
        "ships_ships": f"{root}/ships/",
    }


def test_the_settings_accept_the_sync_modes_of_the_destination_and_no_others() -> None:
    assert get_args(Connected.model_fields["sync_mode"].annotation) == SYNC_MODES
    assert Connected.model_validate({}).sync_mode == OVERWRITE


def test_two_streams_of_one_table_are_refused(tmp_path: Path) -> None:
    assert "two streams that become one bronze table: a-b and a b" in complaints(
        tmp_path, 'streams = ["a-b", "a b"]\n'
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'streams = ["a"]\nmanifest = "x"\npackage = "y==1"\n',
            "must have a manifest or a package, not both",
        ),
        ('streams = ["a"]\npackage = "airbyte-source-faker"\n', "must be a package with its exact version"),
        ('streams = ["a"]\npackage = "x==1 --index=y"\n', "must be a package with its exact version"),
        ("streams = []\n", "must not be empty"),
        (
            'streams = ["a"]\nconfig = { since = 2024-01-01 }\n',
            "has a date or time, which has to stand in quotes, at since",
        ),
        ('streams = ["a"]\nconfig = { x = [{ y = nan }] }\n', "has a number that is not finite at x.0.y"),
        (f'streams = ["a"]\nconfig = {{ n = {2**63} }}\n', "a number that does not fit into 64 bits"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    assert says in complaints(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        'config = "hidden"', 'config = ["hidden"]', "config = { hidden = 2024-01-01, api_key = 'hidden' }",
        'package = "hidden"', 'package = "x @ https://me:hidden@host/"', 'streams = { a = "hidden" }',
        'connection_id = ["hidden"]', 'quiet_minutes = "postgres://me:hidden@host/"', 'api_key = "hidden"',
        'streams = ["a"]\nmin_rows = { a = "hidden" }',
    ],
)  # fmt: skip
def test_an_error_about_a_connector_does_not_repeat_its_values(tmp_path: Path, text: str) -> None:
    refused = complaints(tmp_path, text if "streams" in text else f'streams = ["a"]\n{text}')
    assert "sources.ships." in refused
    assert "hidden" not in refused.replace("at hidden", "")  # the name of a key may be shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('kind = "mongo"', "kind must be one of 'mongodb', 'http', 'airbyte', did you mean mongodb?"),
        ('kind = "x"\nuri = "env:X"', "'airbyte', did you mean mongodb?"),
        ('base_url = "sample:"', "kind must be one of 'mongodb', 'http', 'airbyte', did you mean http?"),
        ('kind = "x"', "kind must be one of 'mongodb', 'http', 'airbyte'"),
        ('kind = "airbyte"\nstreams = ["a"]\nuri = "env:X"', "uri, which is a setting of kind mongodb"),
        ('kind = "airbyte"\nstreams = ["a"]\nstream = "b"', "ships.stream, did you mean streams?"),
        (
            'kind = "airbyte"\nstreams = ["a"]\napi_key = "b"',
            "api_key: if it is a setting of the connector, it",
        ),
        ('kind = "mongodb"\nurl = "x"', "unknown setting sources.ships.url, did you mean uri?"),
        (
            'kind = "mongodb"\nuri = "env:X"\ncollections = ["c"]\ndatabase = "d.c"',
            "a MongoDB database cannot have '.' in its name, got 'd.c'",
        ),
    ],
)
def test_a_mistaken_kind_or_setting_gets_the_one_of_that_kind(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "etltctl.toml").write_text(f"[sources.ships]\n{text}\n")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(directory=tmp_path, environ={}, env="local")
    assert says in "\n".join(raised.value.problems)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ('{ api_key = "k3y" }', "api_key"),
        ('{ auth = { clientSecret = "k3y" } }', "auth.clientSecret"),
        ('{ accounts = [{ token = "k3y" }] }', "accounts.0.token"),
        ("{ password = 1234 }", "password"),
        ('{ url = "postgres://me:hunter2@host/db" }', "url"),
        ('{ pin = "12" }', "pin"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_fix(tmp_path: Path, config: str, key: str) -> None:
    text = f'streams = ["ships"]\nmanifest = "ships.yaml"\nconfig = {config}\n'
    (problem,) = problems(tmp_path, text)
    assert f"sources.ships.config.{key} holds the secret itself" in problem
    assert f'"env:SHIPS_{key.rpartition(".")[2].upper()}"' in problem
    shown = [str(each.value) for each in settings(tmp_path, text).values() if ".config" in each.key]
    for secret in ("k3y", "hunter2", "1234", '"12"'):
        assert secret not in problem
        assert not any(secret.strip('"') in value for value in shown), "config show prints stars"


def test_references_and_plain_values_are_fine(tmp_path: Path) -> None:
    config = (
        '{ api_key = "env:KEY", pin = "file:/x", primary_key = "id", token_url = "https://host/t", n = 3 }'
    )
    assert (
        problems(tmp_path, f'streams = ["ships", "ports"]\nmanifest = "ships.yaml"\nconfig = {config}\n')
        == []
    )


def test_a_stream_that_the_manifest_lacks_is_guessed(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, 'streams = ["ship"]\nmanifest = "ships.yaml"\n')
    assert (
        problem
        == "etltctl.toml:3:1: sources.ships.streams: the manifest has no stream ship; did you mean ships?"
    )


INCREMENTAL = 'manifest = "ships.yaml"\nsync_mode = "incremental_append"\n'


def test_a_stream_that_the_manifest_reads_whole_is_refused_by_name(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f'streams = ["ports", "ships"]\n{INCREMENTAL}')
    assert problem.startswith("etltctl.toml:5:1: sources.ships.sync_mode")
    assert "ships.yaml has no incremental_sync for ships: set sources.ships.sync_mode =" in problem
    assert problem.endswith("for this environment, or give the streams of the connector an incremental_sync")
    assert problems(tmp_path, f'streams = ["ports"]\n{INCREMENTAL}') == []


def test_streams_that_the_connector_alone_knows_are_not_refused(tmp_path: Path) -> None:
    loaded = settings(tmp_path, f'streams = ["ships"]\n{INCREMENTAL}')
    (tmp_path / "ships.yaml").write_text(f"{MANIFEST}dynamic_streams: [{{name: x}}]\n")
    assert [each.text for each in doubts(loaded, {}) if "sync_mode" in each.text] == []


def test_the_formula_1_manifest_is_refused_only_where_airbyte_runs_it(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(on_sample('[sources.api]\nsync_mode = "incremental_append"\n'))

    def refused(env: str) -> list[str]:
        loaded = load_settings(directory=tmp_path, environ={}, env=env)
        return [each.text for each in doubts(loaded, {}) if "has no incremental_sync" in each.text]

    assert refused("local") == []
    (problem,) = refused("aws")
    assert "has no incremental_sync for races, " in problem
    assert problem.endswith("an incremental_sync. The embedded endpoints need none")


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("type: Other\n")
    texts = problems(tmp_path, 'streams = ["a"]\nmanifest = "none.yaml"\nrequirements = "none.txt"\n')
    assert [text.partition(": ")[2].split(":")[0] for text in texts] == [
        "sources.ships.manifest", "sources.ships.requirements"
    ]  # fmt: skip
    assert "is not a low-code manifest" in problems(tmp_path, 'streams = ["a"]\nmanifest = "bad.yaml"\n')[0]


def test_values_of_references_are_read_late_and_masked(tmp_path: Path) -> None:
    config = '{ url = "env:URL", n = 3, keys = ["env:A", "plain"] }'
    loaded = settings(tmp_path, f'streams = ["ships"]\nmanifest = "ships.yaml"\nconfig = {config}\n')
    source = loaded.sources["ships"]
    environ = {"URL": "http://host/hidden", "A": "secret-a"}
    revealed, secrets = revealed_config("ships", source.config, environ)  # type: ignore[union-attr]
    assert revealed == {"url": "http://host/hidden", "n": 3, "keys": ["secret-a", "plain"]}
    assert secrets == ["http://host/hidden", "secret-a"]
    assert set(known_secrets(loaded, environ)) >= {"http://host/hidden", "secret-a"}
    with pytest.raises(
        ConfigurationError, match=r"sources\.ships\.config\.url is env:URL, but URL is not set"
    ):
        revealed_config("ships", source.config, {})  # type: ignore[union-attr]


def test_keys_of_secrets_are_known_by_their_last_word() -> None:
    secret = [
        "api_key",
        "apiKey",
        "Password",
        "client-secret",
        "access_token",
        "secrets",
        "SECRET_KEY",
        "apikey",
    ]
    plain = ["primary_key", "token_url", "keyboard", "monkey", "partitionKey", "key_id", "secretary"]
    assert [key for key in secret if not sounds_secret(key)] == []
    assert [key for key in plain if sounds_secret(key)] == []
    kept = [key for key in secret if sounds_secret(key, may_name_column=True)]
    assert (kept, sounds_secret("join_key", may_name_column=True)) == (secret, False)
    assert is_secret("sources.ships.config.auth.api_key")
    assert not is_secret("sources.ships.config.base_url")


def test_config_show_prints_nested_values_with_references_and_stars(tmp_path: Path) -> None:
    config = (
        '{ key = "env:SET", other = "env:UNSET", "a.b" = 1, empty = {}, header = "Bearer t0ken-hidden", '
        'list = [{ password = "hidden", n = 1 }, "env:SET"], urls = ["postgres://me:hidden@host/"] }'
    )
    text = f'[sources.ships]\nkind = "airbyte"\nstreams = ["a"]\nconfig = {config}\n'
    (tmp_path / "etltctl.toml").write_text(text)
    loaded = load_settings(directory=tmp_path, environ={"SET": "v"}, env="local")
    shown = {
        each.key.partition(".config.")[2]: each.value for each in loaded.values() if ".config." in each.key
    }
    assert shown == {
        "key": "env:SET (set)", "other": "env:UNSET (not set)", '"a.b"': 1, "empty": {}, "header": "Bearer ***",
        "list": [{"password": "***", "n": 1}, "env:SET (set)"], "urls": ["***"],
    }  # fmt: skip
    assert {each.origin for each in loaded.values() if ".config." in each.key} == {"etltctl.toml:4"}
    assert cell_text(shown["list"]) == '[{"password": "***", "n": 1}, "env:SET (set)"]'
