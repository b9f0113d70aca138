"""Settings: which place wins, and how every kind of mistake is reported with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample


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
        ('project = "sea"\n', {}, {}, "sea", "default"),
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


OWN = """
project = "sea"
[sources.orders]
kind = "mongodb"
uri = "env:ORDERS"
database = "shop"
collections = ["orders"]
"""
SAMPLE = re.compile(r"weather|f1|\bapi\b|mongodb_|\bmongodb\.|ergast|pi-m3|pi_m3", re.IGNORECASE)


@pytest.mark.parametrize("env", ["local", "aws"])
def test_nothing_of_the_sample_lies_below_a_file(tmp_path: Path, env: str) -> None:
    settings = load(tmp_path, OWN, ETLTCTL_ENV=env)
    shown = "\n".join(f"{value.key} {value.value}" for value in settings.values())
    assert SAMPLE.findall(shown.replace("api.airbyte.com", "").replace("api/v1/lineage", "")) == []
    assert list(settings.sources) == ["orders"]
    assert (settings.pipelines, settings.glue.jobs, settings.tables, settings.plots) == ({}, {}, {}, {})


def test_a_short_file_has_buckets_databases_and_the_api_by_default(tmp_path: Path) -> None:
    settings = load(tmp_path, 'project = "sea"\n')
    lake = settings.lake
    assert (lake.bronze, lake.silver, lake.gold, lake.scripts) == (
        "s3://sea-bronze", "s3://sea-silver", "s3://sea-gold", "s3://sea-scripts",
    )  # fmt: skip
    assert settings.athena.output_location == "s3://sea-athena-results/"
    assert settings.airbyte.url == "https://api.airbyte.com/v1"
    assert (settings.airbyte.client_id, settings.airbyte.client_secret) == (
        "env:AIRBYTE_CLIENT_ID", "env:AIRBYTE_CLIENT_SECRET",
    )  # fmt: skip
    assert settings.state == str(tmp_path / ".etltctl")
    assert not settings.protected


@pytest.mark.parametrize(
    ("project", "bucket"),
    [("My lake", "s3://my-lake-gold"), ("ö", "s3://gold"), ("x" * 80, f"s3://{'x' * 48}-gold")],
)
def test_the_name_of_every_project_makes_names_of_buckets(tmp_path: Path, project: str, bucket: str) -> None:
    assert load(tmp_path, f'project = "{project}"\n').lake.gold == bucket


def test_an_account_needs_no_section_and_has_the_shared_record_of_its_project(tmp_path: Path) -> None:
    settings = load(tmp_path, 'project = "sea"\n', ETLTCTL_ENV="aws")
    assert (settings.protected, settings.state) == (True, "s3://sea-state/etltctl")
    assert (settings.aws.profile, settings.aws.region) == (None, None)
    assert origin(settings, "protected") == "default"
    own = load(tmp_path, 'project = "sea"\nprotected = false\nstate = "s3://mine/x"\n', ETLTCTL_ENV="aws")
    assert (own.protected, own.state) == (False, "s3://mine/x")


@pytest.mark.parametrize("env", ["local", "aws"])
def test_a_value_of_the_sample_lake_has_another_origin_than_a_default(tmp_path: Path, env: str) -> None:
    settings = load(tmp_path, ETLTCTL_ENV=env)
    assert origin(settings, "sources.api.kind") == "sample lake"
    assert origin(settings, "athena.workgroup") == "default"


@pytest.mark.parametrize("env", ["aws", "prod"])
def test_an_account_needs_a_project_of_its_own(tmp_path: Path, env: str) -> None:
    text = f"[env.{env}]\nprotected = true\n"
    assert load(tmp_path, text).project == "my-lake"
    assert problems(tmp_path, text, ETLTCTL_ENV=env) == (
        f"etltctl.toml:1:1: project is missing, and environment {env} names its buckets, roles and stack after it: "
        'write project = "my-lake", or another name, at the top of the file',
    )


def test_without_a_file_the_sample_lake_applies(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.env, settings.project, settings.file) == ("local", "pi-m3", None)
    assert settings.sources["mongodb"].uri == settings.sources["api"].base_url == "sample:"
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
        ('[sources.api]\nkind = "http"\nstreams = ["race"]\n', "did you mean races?"),
        ('[sources.x]\nuri = "env:X"\n', "etltctl.toml:1:2: sources.x.kind must be one of"),
        (
            '[sources.x]\nkind = "mongodb"\n',
            'etltctl.toml:1:2: sources.x.uri is missing: add uri = "env:MONGODB_URI" to [sources.x]',
        ),
        ("[pipelines.x]\n", 'etltctl.toml:1:2: pipelines.x.steps is missing: add steps = ["sync:SOURCE"'),
        (
            '[tables."silver.weather_observation"]\ntypes = "quarantine"\n',
            'etltctl.toml:2:1: tables."silver.weather_observation".types = "quarantine" is for files of bronze',
        ),
        ('[athena]\ndatabases = { gold = "g", tin = "t" }\n', "etltctl.toml:2:1: athena.databases must name"),
        (
            '[sources.api]\nkind = "http"\nbase_url = "https://x"\nseasons = "all"\n',
            "etltctl.toml:3:1: sources.api.seasons",
        ),
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
    assert caught.value.message == "no environment is called awss, did you mean aws?"


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
    settings = load(tmp_path, on_sample('[sources.api]\nprefix = "f1"\nstreams = ["races"]\n'))
    assert settings.stream_locations("api") == {"api_races": "s3://pi-m3-bronze/f1/races/"}
    assert settings.stream_locations("mongodb") == {
        "mongodb_observations": "s3://pi-m3-bronze/mongodb/weather/observations/"
    }


def test_an_error_about_a_wrong_secret_does_not_repeat_it(tmp_path: Path) -> None:
    messages = problems(tmp_path, "", ETLTCTL__AIRBYTE__CLIENT_SECRET='["tops3cret"]')
    assert "tops3cret" not in str(messages)
    assert "airbyte.client_secret must be text" in str(messages)


def test_a_table_has_one_writer(tmp_path: Path) -> None:
    text = '[glue.jobs.mine]\nscript = "mine.py"\nwrites = ["gold.weather_daily"]\n'
    (message,) = problems(tmp_path, f"{on_sample()}{text}")
    place = f"etltctl.toml:{on_sample().count(chr(10)) + 3}:1"
    assert message == (
        f"{place}: table gold.weather_daily is written by job silver_to_gold already: a table has one writer"
    )
