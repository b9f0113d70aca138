"""The findings of `config validate`: secrets in the file, regions, columns, misspelt variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from etltctl.errors import ExitCode
from etltctl.settings import load_settings
from etltctl.settings.doubts import doubts, known_regions
from etltctl.settings.layers import is_in_file
from support import forked
from support.sample_settings import on_sample
from support.workplace import ETLTCTL


def etltctl(cwd: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETLTCTL", "AWS_"))}
    return forked.run([ETLTCTL, *words], cwd=cwd, env=kept | environ, timeout=60)


def validated(cwd: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    (cwd / "etltctl.toml").write_text(on_sample(text, "mine"))
    return etltctl(cwd, "config", "validate", **environ)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[sources.mongodb]\nuri = "mongodb://admin:hunter2@db/"\n',
            'etltctl.toml:2:1: sources.mongodb.uri holds a password: put it into a variable and write "env:MONGODB_URI',
        ),
        (
            '[airbyte]\nurl = "https://me:hunter2@host/api"\n',
            "etltctl.toml:2:1: airbyte.url holds a password",
        ),
        (
            '[airbyte]\nclient_secret = "hunter2"\n',
            "etltctl.toml:2:1: airbyte.client_secret holds the secret itself",
        ),
        (
            '[glue.jobs.silver_to_gold.config]\napi_key = "hunter2"\n',
            "etltctl.toml:2:1: glue.jobs.silver_to_gold.config.api_key holds the secret itself",
        ),
        (
            '[env.aws.aws]\nregion = "us-est-2"\n',
            "etltctl.toml:2:1: aws.region: AWS has no region us-est-2, did you mean us-east-2 or us-west-2?",
        ),
        (
            '[glue.jobs.silver_to_gold.config]\nclientSecret = "hunter2"\n',
            "etltctl.toml:2:1: glue.jobs.silver_to_gold.config.clientSecret holds the secret itself",
        ),
        ('[aws]\nregion = "moon-1"\n', "etltctl.toml:2:1: aws.region: AWS has no region moon-1"),
    ],
)
def test_a_value_that_leaks_a_secret_or_leads_nowhere_is_an_error(
    tmp_path: Path, text: str, says: str
) -> None:
    done = validated(tmp_path, text)
    assert done.returncode == ExitCode.CONFIGURATION
    assert says in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        '[sources.mongodb]\nuri = "env:NOT_SET_HERE"\n',
        '[sources.mongodb]\nuri = "mongodb://127.0.0.1:27017"\n',
        '[airbyte]\nurl = "https://host:8000/me@example.com"\n',
        '[glue.jobs.silver_to_gold.config]\njoin_key = "city_key"\ntoken_url = "https://host/token"\n',
        '[aws]\nregion = "eu-central-1"\n',
        '[aws]\nregion = "cn-north-1"\n',
    ],
)
def test_references_plain_addresses_and_regions_are_valid(tmp_path: Path, text: str) -> None:
    done = validated(tmp_path, text)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_secret_from_a_variable_is_not_reported_as_stored_in_a_file(tmp_path: Path) -> None:
    uri = "mongodb://admin:hunter2@db/"
    assert validated(tmp_path, "", ETLTCTL__SOURCES__MONGODB__URI=uri).returncode == 0


@pytest.mark.parametrize("name", ["default.toml", "flag.toml"])
def test_a_secret_in_a_file_of_any_name_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(on_sample('[airbyte]\nclient_secret = "hunter2"\n', "mine"))
    done = etltctl(tmp_path, "-c", name, "config", "validate")
    assert (done.returncode, "airbyte.client_secret holds the secret itself" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("origin", "is_there"),
    [
        ("default", False),
        ("sample lake", False),
        ("flag", False),
        ("env ETLTCTL__STATE", False),
        ("default.toml", True),
        ("etltctl.toml:3 [env.local]", True),
    ],
)
def test_only_the_values_of_a_file_stand_in_a_file(origin: str, is_there: bool) -> None:
    assert is_in_file(origin) is is_there


@pytest.mark.parametrize(
    ("column", "code", "says"),
    [
        ("citykey", ExitCode.CONFIGURATION, "has no column citykey, did you mean city_key?"),
        ("brand_new", ExitCode.OK, "warning: etltctl.toml:2:1: "),
        ("city_key", ExitCode.OK, ""),
    ],
)
def test_a_key_is_compared_with_the_contract(tmp_path: Path, column: str, code: int, says: str) -> None:
    contract = tmp_path / ".etltctl" / "contracts" / "gold.weather_daily.toml"
    contract.parent.mkdir(parents=True)
    contract.write_text(
        '[columns]\ncity_key = "string"\nlocal_date = "date"\nwind_speed_mean_ms = "double"\n'
    )
    done = validated(tmp_path, f'[tables."gold.weather_daily"]\nkeys = ["{column}"]\n')
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert bool(says) or done.stderr == ""


def test_a_misspelt_variable_is_a_warning(tmp_path: Path) -> None:
    done = validated(tmp_path, "", ETLTCTL_CONFI="x.toml")
    assert done.returncode == 0
    assert (
        "warning: env ETLTCTL_CONFI: etltctl reads no such variable, did you mean ETLTCTL_CONFIG?"
        in done.stderr
    )
    as_data = etltctl(tmp_path, "config", "validate", "-o", "json", ETLTCTL_CONFI="x.toml")
    assert "ETLTCTL_CONFI" in json.loads(as_data.stdout)["warnings"][0]


def test_the_buckets_of_the_shipped_settings_are_a_warning_on_aws_only(tmp_path: Path) -> None:
    said = (
        ":1: in environment aws, lake.bronze, lake.silver, lake.scripts, athena.output_location, "
        "state: buckets called pi-m3-… belong to the account that made them first: name your own, unless the account "
        "is yours"
    )
    (tmp_path / "etltctl.toml").write_text(on_sample('[lake]\ngold = "s3://sea-gold"\n'))
    on_aws = etltctl(tmp_path, "config", "validate", ETLTCTL_ENV="aws")
    assert (on_aws.returncode, said in on_aws.stderr) == (0, True)
    assert "buckets called" not in validated(tmp_path, 'project = "sea"\n').stderr
    (tmp_path / "etltctl.toml").write_text(on_sample('[lake]\ngold = "s3://sea-gold"\n'))
    both = etltctl(tmp_path, "config", "validate", ETLTCTL_ENV="local")
    assert both.stderr.count("buckets called") == both.stderr.count("in environment aws, ") == 1


def test_regions_are_known_without_importing_the_sdk() -> None:
    code = (
        "import sys; from etltctl.settings.doubts import known_regions; known_regions(); "
        "assert 'botocore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"us-east-2", "sa-east-1", "us-gov-west-1"} <= known_regions()


def test_a_missing_key_is_reported_at_its_section(tmp_path: Path) -> None:
    done = validated(tmp_path, 'project = "x"\n\n[sources.fleet]\nkind = "mongodb"\nuri = "env:X"\n')
    assert "etltctl.toml:3:2: sources.fleet.database is missing" in done.stderr
    assert "default:" not in done.stderr


def test_a_missing_settings_file_is_mentioned_once_on_stderr(tmp_path: Path) -> None:
    said = (
        "no etltctl.toml here or above: the sample lake pi-m3 (weather and Formula 1) is used. Make your own: "
        "etltctl init\n"
    )
    assert etltctl(tmp_path, "config", "show").stderr == said
    assert etltctl(tmp_path, "config", "show", "-q").stderr == ""
    shown = etltctl(tmp_path, "config", "show", "-o", "json")
    assert (shown.stderr, json.loads(shown.stdout)["schema"]) == (said, "etltctl.config/1")
    unknown = etltctl(tmp_path, "run", "harbour").stderr
    assert unknown.startswith(said)
    assert unknown.count("no etltctl.toml here or above") == 2, "the error names it as its reason"
    assert validated(tmp_path, "").stderr == ""


def test_a_leading_byte_order_mark_is_not_part_of_the_settings(tmp_path: Path) -> None:
    assert validated(tmp_path, '\ufeffproject = "x"\n').returncode == 0


@pytest.mark.parametrize("words", [["sync", "mongodb"], ["run", "mongodb"]], ids=" ".join)
def test_a_secret_without_a_value_stops_the_run_before_anything_starts(
    tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "etltctl.toml").write_text(
        on_sample('[env.local.sources.mongodb]\nuri = "env:NOT_SET_HERE"\n')
    )
    done = etltctl(tmp_path, *words)
    assert done.returncode == ExitCode.CONFIGURATION
    assert "sources.mongodb.uri is env:NOT_SET_HERE, but NOT_SET_HERE is not set" in done.stderr
    assert not (tmp_path / ".etltctl").exists()


@pytest.mark.parametrize(
    "name",
    [
        "ETLTCTL_AIRFLOW_E2E",
        "ETLTCTL_DATA_PACK",
        "ETLTCTL_EVERY_BOUNDARY",
        "ETLTCTL_SCREENSHOTS",
        "ETLTCTL_SEED",
    ],
)
def test_every_documented_variable_is_known(name: str, tmp_path: Path) -> None:
    done = validated(tmp_path, "", **{name: "1"})
    assert name not in done.stdout + done.stderr


def warnings_of(folder: Path, text: str) -> list[str]:
    (folder / "etltctl.toml").write_text(text)
    loaded = load_settings(directory=folder, environ={}, env="local")
    return [
        doubt.text for doubt in doubts(loaded, {}) if not doubt.is_error and "no environment" in doubt.text
    ]


def test_a_value_that_every_environment_replaces_is_a_warning(tmp_path: Path) -> None:
    text = (
        'project = "p"\nstate = "mine"\n[airbyte]\nurl = "https://a"\n[env.local]\nstate = "x"\n'
        '[env.aws]\nstate = "s3://bucket/x"\n[env.aws.airbyte]\nurl = "https://b"\n'
    )
    assert warnings_of(tmp_path, text) == [
        "etltctl.toml:2:1: no environment uses this state: [env.aws] and [env.local] have their own"
    ]


def test_a_value_that_another_environment_uses_is_none(tmp_path: Path) -> None:
    text = 'state = "mine"\n[env.local]\nstate = "x"\n[env.aws]\nstate = "s3://bucket/x"\n'
    assert warnings_of(tmp_path, f"{text}[env.test]\nprotected = false\n") == []
    assert warnings_of(tmp_path, 'state = "mine"\n[env.local]\nstate = "x"\n') == []
