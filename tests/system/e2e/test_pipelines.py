"""Both pipelines, from their sources to a query result of Athena, through the installed command."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.e2e
PROJECT = Path(__file__).parents[3]


def test_weather_reaches_gold(sample_lake: Workplace) -> None:
    days = sample_lake.query(
        "select city_key, count(*) as days, avg(wind_speed_mean_ms) as wind from weather_daily group by 1 order by 1"
    )
    assert len(days) == 2
    for place in days:
        assert 360 <= place["days"] <= 366
        assert 2.0 < place["wind"] < 8.0


def test_the_championship_of_the_sample_season_reconciles(sample_lake: Workplace) -> None:
    differences = sample_lake.query(
        "select status, count(*) as n, max(abs(delta)) as worst from f1_standings_reconciliation group by 1"
    )
    assert [row["status"] for row in differences] == ["match"]
    assert differences[0]["n"] > 100
    assert Decimal(differences[0]["worst"]) == 0


def test_every_table_of_the_settings_is_in_the_catalog(sample_lake: Workplace) -> None:
    tables = {(t["layer"], t["table"]) for t in sample_lake.json("athena", "tables")["rows"]}
    expected = {
        tuple(name.split("."))
        for row in sample_lake.json("config", "show")["rows"]
        if row["setting"].endswith((".writes", ".reads"))
        for name in _names(row["value"])
    }
    assert expected <= tables


def test_the_catalog_says_what_every_column_of_silver_and_gold_means(sample_lake: Workplace) -> None:
    for table in sample_lake.json("athena", "tables")["rows"]:
        if table["layer"] != "bronze":
            parts = sample_lake.json("athena", "describe", f"{table['layer']}.{table['table']}")["rows"]
            silent = [
                part["name"]
                for part in parts
                if part["part"] in ("column", "partition") and not part["description"]
            ]
            assert not silent, table
            assert next(part["part"] for part in parts) == "table"


def test_resuming_a_finished_run_starts_nothing_even_after_a_newer_sync(sample_lake: Workplace) -> None:
    sample_lake.run("sync", "mongodb")
    again = sample_lake.json("run", "mongodb", "--run-id", "first-mongodb")
    assert [step["verb"] for step in again["steps"][:3]] == ["reused"] * 3
    jobs = [
        e for e in sample_lake.json("runs", "show", "first-mongodb")["rows"] if e["type"] == "remote.started"
    ]
    assert len(jobs) == 3


def test_every_step_is_one_line_on_stderr_and_the_result_alone_on_stdout(sample_lake: Workplace) -> None:
    done = sample_lake.run("sync", "api", "-o", "json")
    document = json.loads(done.stdout)
    assert document["schema"] == "etltctl.sync/1"
    assert document["rows"] == document["reported_rows"] > 0
    assert "proven" in done.stderr


def test_a_glue_job_alone_is_started_once_and_published_as_a_new_version_next_to_the_old_one(
    sample_lake: Workplace,
) -> None:
    before = sample_lake.query("select count(*) as n from weather_daily")
    done = sample_lake.json("run-glue", "silver_to_gold", "--wait", "--run-id", "alone")
    assert done["verb"] == "started"
    assert done["tables"]["gold.weather_daily"]["rows"] > 700
    assert sample_lake.json("run-glue", "silver_to_gold", "--wait", "--run-id", "alone")["verb"] == "reused"
    assert sample_lake.query("select count(*) as n from weather_daily") == before
    folders = {
        path.name for path in (sample_lake.folder / ".etltctl/s3/my-lake-gold/weather_daily").iterdir()
    }
    assert {"v=first-mongodb", "v=alone"} <= folders
    versions = {t["table"]: t["version"] for t in sample_lake.json("athena", "tables")["rows"]}
    assert versions["weather_daily"] == "alone"


def test_runs_are_listed_newest_first_with_their_outcome(sample_lake: Workplace) -> None:
    rows = sample_lake.json("runs", "list")["rows"]
    assert [row["started"] for row in rows] == sorted((row["started"] for row in rows), reverse=True)
    assert {"first-mongodb", "first-api"} <= {row["run"] for row in rows if row["outcome"] == "succeeded"}


def test_refreshing_an_up_to_date_catalog_changes_nothing(sample_lake: Workplace) -> None:
    sample_lake.run("athena", "refresh")  # an earlier test may have left new files in bronze
    rows = sample_lake.json("athena", "refresh")["rows"]
    assert {row["change"] for row in rows} == {"unchanged"}


def test_the_installed_package_brings_its_jobs_and_settings(tmp_path: Path) -> None:
    """A wheel in an empty folder, outside the checkout, has its default settings and its scripts."""
    subprocess.run(
        [
            Path(sys.executable).with_name("uv"),
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "--target",
            tmp_path / "site",
            PROJECT,
        ],
        check=True,
        timeout=120,
    )
    code = (
        "from etltctl.settings import load_settings as load; s = load(env='local'); "
        "print([str(s.script_path(j)) for j in s.glue.jobs])"
    )
    environ = Workplace(tmp_path).full_environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    scripts = json.loads(done.stdout.replace("'", '"'))
    assert len(scripts) == 4
    assert (tmp_path / "site" / "etltctl" / "py.typed").is_file()
    subprocess.run(
        [sys.executable, "-m", "etltctl", "init", "lake"],
        cwd=tmp_path, env=environ, capture_output=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "lake" / "dags" / "dag_api.py").is_file()
    assert all(Path(script).is_file() and str(tmp_path) in script for script in scripts)


def _names(value: object) -> list[str]:
    return (
        [str(name) for name in value] if isinstance(value, list) else json.loads(str(value).replace("'", '"'))
    )
