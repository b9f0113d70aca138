"""The steps of a pipeline read without a check: the same as the loader's, with an error that names the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from etltctl.errors import ConfigurationError, EtltctlError, UsageError
from etltctl.settings import load_settings
from etltctl.settings.outline import StepOutline, pipeline_outline

OWN = """
project = "shop"
default_env = "aws"
[sources.api]
kind = "http"
base_url = "sample:"
seasons = "all"

[glue.jobs.load]
script = "load.py"
reads = ["bronze.api_races"]
writes = ["silver.races", "gold.races"]

[sql.totals]
file = "sql/totals.sql"
reads = ["gold.races"]
writes = "gold.totals"

[pipelines.shop]
steps = ["sync:api", "glue:load", "sql:totals", "athena:refresh"]

[pipelines.api]
steps = ["sync:api", "athena:refresh", "glue:load"]

[env.aws.pipelines.api]
steps = ["sync:api", "athena:refresh"]
"""
HEAVY = {"pydantic", "boto3", "botocore", "httpx", "yaml", "rich", "pyarrow", "tenacity", "duckdb"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etltctl.toml").write_text(OWN)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "totals.sql").write_text("select count(*) as n from {gold.races}")
    (tmp_path / "load.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("env", ["local", "aws"])
@pytest.mark.parametrize("environ", [{}, {"ETLTCTL__PIPELINES__SHOP__STEPS": '["athena:refresh"]'}])
def test_the_steps_are_those_of_the_loaded_settings(folder: Path, env: str, environ: dict[str, str]) -> None:
    settings = load_settings(directory=folder, env=env, environ=environ)
    for name, pipeline in settings.pipelines.items():
        outline = pipeline_outline(name, directory=folder, env=env, environ=environ)
        assert [each.step for each in outline] == pipeline.steps


def test_the_gold_tables_are_those_that_the_step_writes(folder: Path) -> None:
    assert pipeline_outline("shop", directory=folder, environ={}) == (
        StepOutline("sync:api"),
        StepOutline("glue:load", ("gold.races",)),
        StepOutline("sql:totals", ("gold.totals",)),
        StepOutline("athena:refresh"),
    )


def test_the_environment_is_the_default_of_the_file(folder: Path) -> None:
    assert [each.step for each in pipeline_outline("api", directory=folder, environ={})] == [
        "sync:api",
        "athena:refresh",
    ]
    assert len(pipeline_outline("api", directory=folder, environ={"ETLTCTL_ENV": "local"})) == 3


def test_it_imports_nothing_that_is_slow(folder: Path) -> None:
    program = (
        "import sys; from etltctl.settings.outline import pipeline_outline; pipeline_outline('shop', environ={}); "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def refusal(pipeline: str, folder: Path, **named: object) -> EtltctlError:
    with pytest.raises(EtltctlError) as raised:
        pipeline_outline(pipeline, directory=folder, environ={}, **named)  # type: ignore[arg-type]
    return raised.value


def test_an_unknown_pipeline_is_refused_with_the_file_and_the_nearest_name(folder: Path) -> None:
    error = refusal("shpo", folder)
    assert isinstance(error, UsageError)
    assert error.message == f"{folder / 'etltctl.toml'} has no pipeline shpo, did you mean shop?"
    assert "[pipelines.shpo]" in error.hint


def test_without_a_file_the_error_says_where_it_was_looked_for(tmp_path: Path) -> None:
    error = refusal("shop", tmp_path)
    assert f"no etltctl.toml was found in {tmp_path} or above" in error.hint
    assert "so the sample lake was read" in error.hint
    assert "ETLTCTL_CONFIG" in error.hint
    assert error.message.startswith("the sample lake has no pipeline shop")


@pytest.mark.parametrize(
    ("text", "named", "words"),
    [
        ("", {"config": Path("/no/etltctl.toml")}, "there is no settings file /no/etltctl.toml"),
        ("[pipelines", {}, "is not valid TOML"),
        ("", {"env": "prod"}, "no environment is called prod"),
        ("[pipelines.shop]\nsteps = 3", {}, "pipelines.shop.steps must be a list of texts, got 3"),
        ("[pipelines.shop]\nsteps = [3]", {}, "pipelines.shop.steps must be a list of texts, got [3]"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error_of_the_configuration(
    tmp_path: Path, text: str, named: dict[str, object], words: str
) -> None:
    (tmp_path / "etltctl.toml").write_text(text)
    error = refusal("shop", tmp_path, **named)
    assert isinstance(error, ConfigurationError)
    assert words in error.message
    assert error.hint
