"""Settings: which place wins, and how every kind of mistake is reported with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings


def load(folder: Path, text: str = "", **environ: str) -> Settings:
    if text:
        (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, environ=environ)


def problems(folder: Path, text: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, **environ)
    return caught.value.problems


def origin(settings: Settings, key: str) -> str:
    return next(value.origin for value in settings.values() if value.key == key)


BASE = '[athena]\nworkgroup = "base"\n'
ENV = '[env.local.athena]\nworkgroup = "env"\n'


@pytest.mark.parametrize(
    ("text", "environ", "flags", "value", "from_"),
    [
        ("", {}, {}, "pi-m3", "default"),
        (BASE, {}, {}, "base", "etltctl.toml:2"),
        (BASE + ENV, {}, {}, "env", "etltctl.toml:4 [env.local]"),
        (BASE + ENV, {"ETLTCTL__ATHENA__WORKGROUP": "v"}, {}, "v", "env ETLTCTL__ATHENA__WORKGROUP"),
        (BASE + ENV, {"ETLTCTL__ATHENA__WORKGROUP": "v"}, {"athena.workgroup": "f"}, "f", "flag"),
    ],
)
def test_flag_beats_variable_beats_environment_beats_base_beats_default(
    tmp_path: Path, text: str, environ: dict[str, str], flags: dict[str, str], value: str, from_: str
) -> None:
    if text:
        (tmp_path / "etltctl.toml").write_text(text)
    settings = load_settings(directory=tmp_path, environ=environ, flags=flags)
    assert settings.athena.workgroup == value
    assert origin(settings, "athena.workgroup") == from_


def test_the_user_s_base_beats_the_shipped_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, '[sources.mongodb]\nuri = "mongodb://host/"\n')
    assert settings.sources["mongodb"].uri == "mongodb://host/"
    assert settings.sources["mongodb"].database == "weather"


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.env == "local"
    assert sorted(settings.pipelines) == ["api", "mongodb"]
    assert settings.script_path("bronze_to_silver").name == "bronze_to_silver.py"


def test_every_missing_script_is_reported_with_its_place(tmp_path: Path) -> None:
    text = "".join(f'[glue.jobs.{name}]\nscript = "{name}.py"\n' for name in "abc")
    (tmp_path / "b.py").touch()
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text).require_scripts()
    assert caught.value.problems == (
        f"etltctl.toml:2:1: Glue job a has no such script: {tmp_path / 'a.py'}",
        f"etltctl.toml:6:1: Glue job c has no such script: {tmp_path / 'c.py'}",
    )


def test_the_file_may_be_in_a_parent_folder(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(BASE)
    (tmp_path / "below").mkdir()
    assert load_settings(directory=tmp_path / "below", environ={}).athena.workgroup == "base"


def test_the_environment_aws_is_protected_and_has_its_own_state(tmp_path: Path) -> None:
    settings = load(tmp_path, ETLTCTL_ENV="aws")
    assert settings.protected
    assert settings.state.startswith("s3://")
    assert settings.sources["api"].base_url.startswith("https://")


def test_some_settings_have_variables_with_special_names(tmp_path: Path) -> None:
    settings = load(tmp_path, AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="x", ETLTCTL_STATE_DIR="/tmp/state")
    assert (settings.aws.region, settings.state) == ("eu-west-1", "/tmp/state")


def test_variables_may_hold_numbers_and_lists(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        ETLTCTL__LOCAL__PORT="4566",
        ETLTCTL__SOURCES__API__SEASONS="[2024]",
        etltctl__lake__keep_versions="9",
    )
    assert settings.local.port == 4566
    assert settings.sources["api"].seasons == [2024]
    assert settings.lake.keep_versions == 9


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lakes]\n", "etltctl.toml:1:2: unknown setting lakes, did you mean lake?"),
        (
            '[glue.jobs.http]\nworkrs = 2\nscript = "a.py"\n',
            "etltctl.toml:2:1: unknown setting glue.jobs.http.workrs",
        ),
        (
            '[glue.jobs.bronze_to_silver]\nworkers = "two"\n',
            "etltctl.toml:2:1: glue.jobs.bronze_to_silver.workers",
        ),
        ('[lake]\nbronze = "bucket"\n', "etltctl.toml:2:1: lake.bronze must be an S3 location"),
        ('[lake]\ngold = "s3://gold//tmp/x"\n', "lake.gold must not have // in its path"),
        ('[lake]\ngold = "s3://gold/../x"\n', "lake.gold must not have the folder '..'"),
        ("[lake]\nkeep_versions = 0\n", "etltctl.toml:2:1: lake.keep_versions must be at least 1, got 0"),
        (
            '[tables."gold.weather_daily"]\nkeep_versions = 101\n',
            "etltctl.toml:2:1: tables.gold.weather_daily.keep_versions must be at most 100, got 101",
        ),
        ("version = 2\n", "etltctl.toml:1:1: version must be 1, got 2"),
        ('[sources.x]\nkind = "mysql"\n', "etltctl.toml:2:1: sources.x.kind must be one of"),
        ('[sources.api]\nstreams = ["race"]\n', "did you mean races?"),
        (
            '[tables."silver.weather_observation"]\ntypes = "quarantine"\n',
            'etltctl.toml:2:1: tables."silver.weather_observation".types = "quarantine" is for files of bronze',
        ),
        ('[athena]\ndatabases = { gold = "g", tin = "t" }\n', "etltctl.toml:2:1: athena.databases must name"),
        ('[sources.api]\nbase_url = "https://x"\n', "etltctl.toml:2:1: sources.api.seasons"),
        ("env = 3\n", "etltctl.toml:1:1: env must be a table"),
        ("[env]\nlocal = 3\n", "etltctl.toml:2:1: env.local must be a table"),
        ("[env.aws]\nprotectd = true\n", "unknown setting protectd, did you mean protected?"),
        (
            'a = """\n[lake]\nbronze = 1\n"""\n[lake]\nbronze = 1\n',
            "etltctl.toml:6:1: lake.bronze must be text, got 1",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = '[lake]\nbronze = 1\nsilber = "s3://x"\n[athena]\nmax_scan = "much"\n'
    assert len(problems(tmp_path, text)) == 3


def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    messages = problems(tmp_path, "", ETLTCTL__LOCAL__PORT="seven")
    assert messages == ("env ETLTCTL__LOCAL__PORT: local.port must be a whole number, got 'seven'",)


@pytest.mark.parametrize(
    ("text", "place"), [("[lake\n", "etltctl.toml:1"), ("a = 1\nb = \n", "etltctl.toml:2")]
)
def test_broken_toml_is_reported_with_its_line(tmp_path: Path, text: str, place: str) -> None:
    assert problems(tmp_path, text)[0].startswith(place)


def test_a_named_file_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no settings file .*nowhere\.toml"):
        load_settings(config=tmp_path / "nowhere.toml", environ={}, directory=tmp_path)


def test_an_unknown_environment_is_reported_with_the_most_similar(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, ETLTCTL_ENV="awss")
    assert "did you mean aws?" in caught.value.hint


@pytest.mark.parametrize("secret", ["mongodb://user:tops3cret@host/", "tops3cret"])
def test_a_literal_secret_is_never_shown(tmp_path: Path, secret: str) -> None:
    settings = load(tmp_path, ETLTCTL__SOURCES__MONGODB__URI=secret, ETLTCTL__AIRBYTE__CLIENT_SECRET=secret)
    assert "tops3cret" not in repr(settings)
    assert "tops3cret" not in str(settings.values())
    assert settings.sources["mongodb"].uri == secret


def test_a_reference_is_printed_with_its_state(tmp_path: Path) -> None:
    settings = load(tmp_path, AIRBYTE_CLIENT_ID="x")
    shown = {value.key: value.value for value in settings.values()}
    assert shown["airbyte.client_id"] == "env:AIRBYTE_CLIENT_ID (set)"
    assert shown["airbyte.client_secret"] == "env:AIRBYTE_CLIENT_SECRET (not set)"


def test_streams_are_below_the_source_s_prefix(tmp_path: Path) -> None:
    settings = load(tmp_path, '[sources.api]\nprefix = "f1"\nstreams = ["races"]\n')
    assert settings.stream_locations("api") == {"api_races": "s3://pi-m3-bronze/f1/races/"}
    assert settings.stream_locations("mongodb") == {
        "mongodb_observations": "s3://pi-m3-bronze/mongodb/weather/observations/"
    }


def test_an_error_about_a_wrong_secret_does_not_repeat_it(tmp_path: Path) -> None:
    messages = problems(tmp_path, "", ETLTCTL__AIRBYTE__CLIENT_SECRET='["tops3cret"]')
    assert "tops3cret" not in str(messages)
    assert "airbyte.client_secret must be text" in str(messages)


def test_a_table_has_one_writer(tmp_path: Path) -> None:
    (message,) = problems(tmp_path, '[glue.jobs.mine]\nscript = "mine.py"\nwrites = ["gold.weather_daily"]\n')
    assert message == (
        "etltctl.toml:3:1: table gold.weather_daily is written by job silver_to_gold already: a table has one writer"
    )
