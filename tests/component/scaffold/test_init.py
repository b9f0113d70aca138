"""`etltctl init`: a project whose settings are valid and whose tests pass at once, and that overwrites nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etltctl.cli.project import SampleName as CommandSample
from etltctl.errors import ConfigurationError, ExitCode, UsageError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.template import Blueprint, template_of
from etltctl.infrastructure.uploads import Uploads
from etltctl.scaffold import lay_out, settings_text
from etltctl.scaffold.samples import PIPELINES, SampleName, SamplePipeline
from etltctl.settings import Settings, load_settings
from etltctl.settings.doubts import doubts
from etltctl.settings.files import project_file

EVERY = list(SampleName)
FILES = {
    SampleName.WEATHER: [
        "etltctl.toml", "glue_jobs/bronze_to_silver.py", "glue_jobs/silver_to_gold.py", "glue_jobs/changes.py",
        "glue_jobs/job_config.py", "glue_jobs/lake.py", "glue_jobs/weather_changes.py",
        "glue_jobs/weather_counts.py", "glue_jobs/weather_descriptions.py", "glue_jobs/weather_observations.py",
        "glue_jobs/weather_quality.py",
        "glue_jobs/weather_results.py", "glue_jobs/weather_units.py", "glue_jobs/query_planning.py",
        "glue_jobs/weather_formulas.py", "glue_jobs/weather_hours.py", "glue_jobs/weather_patterns.py",
        "glue_jobs/weather_places.py", "glue_jobs/hadoop_files.py",
        "glue_jobs/weather_new_documents.py", "glue_jobs/weather_old_rows.py", "glue_jobs/weather_state.py",
        "glue_jobs/weather_shapes.py", "glue_jobs/weather_documents.py", "glue_jobs/weather_solar.py",
        "glue_jobs/weather_config.json", "glue_jobs/lineage.toml", "dags/dag_mongodb.py",
        "contracts/bronze.mongodb_observations.toml", "tests/test_mongodb.py", ".gitignore",
    ],
    SampleName.NONE: ["etltctl.toml", "tests/test_lake.py", ".gitignore"],
}  # fmt: skip


def laid_out(folder: Path, sample: SampleName, env: str = "local") -> Settings:
    lay_out(folder, sample)
    return load_settings(directory=folder, env=env, environ={})


@pytest.mark.parametrize("sample", FILES)
def test_the_files_are_written_and_named(tmp_path: Path, sample: SampleName) -> None:
    written = lay_out(tmp_path / "new" / "lake", sample)
    assert [str(path.relative_to(tmp_path / "new" / "lake")) for path in written] == FILES[sample]
    settings = load_settings(directory=tmp_path / "new" / "lake", environ={})
    assert (settings.project, settings.env) == ("lake", "local")


@pytest.mark.parametrize("env", ["local", "aws"])
@pytest.mark.parametrize("sample", EVERY)
def test_every_environment_of_the_new_settings_is_valid(tmp_path: Path, sample: SampleName, env: str) -> None:
    settings = laid_out(tmp_path, sample, env)
    assert settings.env == env
    assert list(settings.pipelines) == list(PIPELINES[sample])
    settings.require_scripts()
    assert doubts(settings, {}) == []


@pytest.mark.parametrize("sample", EVERY)
def test_a_sample_has_the_settings_of_the_shipped_lake_for_its_pipelines(
    tmp_path: Path, sample: SampleName
) -> None:
    settings, shipped = laid_out(tmp_path, sample), load_settings(directory=tmp_path.parent, environ={})
    for name in settings.pipelines:
        pipeline = SamplePipeline(name)
        assert settings.pipelines[name] == shipped.pipelines[name]
        assert settings.sources[pipeline.source] == shipped.sources[pipeline.source]
        for job in pipeline.jobs:
            own, there = settings.glue.jobs[job], shipped.glue.jobs[job]
            assert own.model_copy(update={"role": there.role}) == there
            assert {table: settings.rules(table) for table in own.writes} == {
                table: shipped.rules(table) for table in own.writes
            }
    tables = {table for job in settings.glue.jobs.values() for table in job.writes}
    assert settings.plots == {name: plot for name, plot in shipped.plots.items() if plot.table in tables}


@pytest.mark.parametrize(
    ("sample", "of_the_other"),
    [
        (SampleName.WEATHER, r"f1_|\bf1\b|ergast|formula 1|season"),
        (SampleName.F1, r"weather|mongodb|observation"),
    ],
)
def test_a_sample_names_nothing_of_the_other(tmp_path: Path, sample: SampleName, of_the_other: str) -> None:
    for file in lay_out(tmp_path, sample):
        # The two modules that both pipelines use know each by its name.
        if file.suffix in (".toml", ".json", ".gitignore") or file.parent.name in ("dags", "tests"):
            text = file.read_text("utf-8").replace("env:MONGODB_URI", "")
            assert re.findall(of_the_other, text, re.IGNORECASE) == [], file


def test_every_module_of_a_sample_is_imported_and_none_is_missing(tmp_path: Path) -> None:
    both = {file.name for file in lay_out(tmp_path / "all") if file.parent.name == "glue_jobs"}
    assert both == {file.name for file in project_file("glue_jobs").iterdir() if file.is_file()}


def test_an_empty_lake_has_buckets_and_an_example_that_is_valid_without_its_comment_signs(
    tmp_path: Path,
) -> None:
    settings = laid_out(tmp_path / "sea", SampleName.NONE)
    assert (settings.sources, settings.pipelines, settings.glue.jobs) == ({}, {}, {})
    assert settings.lake.gold == "s3://sea-gold"
    (tmp_path / "etltctl.toml").write_text(bare(settings_text("sea", [])))
    settings = load_settings(directory=tmp_path, environ={})
    assert list(settings.sources) == list(settings.pipelines) == ["orders"]


def bare(text: str) -> str:
    """Return a text of settings without the signs that make comments of settings."""
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


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
    text = settings_text("sea", [SamplePipeline("mongodb")])
    assert bare(text).count("\n#") < text.count("\n#")
    (tmp_path / "etltctl.toml").write_text(bare(text))
    assert load_settings(directory=tmp_path, environ={}).sources["mongodb"].max_drop_pct == 50.0


def test_existing_files_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text("mine")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_lake.py").write_text("mine too")
    with pytest.raises(UsageError, match=r"etltctl\.toml, tests/test_lake\.py; nothing was written"):
        lay_out(tmp_path, SampleName.NONE)
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
    written = [line.removeprefix("wrote lake/") for line in done.stdout.splitlines()[:-1]]
    assert {"dags/dag_mongodb.py", "dags/dag_api.py"} <= set(written), "both samples unless one is named"
    assert done.stdout.endswith("Next: cd lake && etltctl run mongodb\n")
    other = subprocess.run(
        [*command[:-1], "other", "-o", "json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(other.stdout)["next"] == {
        "text": "cd other && etltctl run mongodb", "commands": [["etltctl", "run", "mongodb"]],
    }  # fmt: skip
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == ExitCode.USAGE
    assert "lake already has etltctl.toml" in again.stderr
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("sample", "first"), [("weather", "run mongodb"), ("f1", "run api"), ("none", "config validate")]
)
def test_the_command_takes_a_sample_and_names_the_first_command(
    tmp_path: Path, sample: str, first: str
) -> None:
    command = [sys.executable, "-m", "etltctl", "init", "lake", "--sample", sample]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"Next: cd lake && etltctl {first}"
    assert [str(name) for name in CommandSample] == [str(name) for name in SampleName]


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("sample", "passed"), [(SampleName.WEATHER, 5), (SampleName.F1, 5), (SampleName.NONE, 3)]
)
def test_the_tests_of_a_new_project_pass_at_once(tmp_path: Path, sample: SampleName, passed: int) -> None:
    written = lay_out(tmp_path, sample)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ETLTCTL", "COV_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::pytest.PytestWarning"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
    contracts = [file for file in written if file.parent.name == "contracts"]
    assert list((tmp_path / "contracts").glob("*")) == contracts
