"""Both pipelines, from their sources to an answer of Athena's, through the installed command."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from workplace import Workplace

pytestmark = pytest.mark.e2e
PROJECT = Path(__file__).parents[2]


def test_weather_reaches_gold(sample_lake: Workplace) -> None:
    days = sample_lake.query(
        "select city_key, count(*) as days, avg(wind_speed_mean_ms) as wind from weather_daily group by 1 order by 1"
    )
    assert len(days) == 2
    for place in days:
        assert 360 <= place["days"] <= 366
        assert 2.0 < place["wind"] < 8.0


def test_the_championship_of_the_sample_season_reconciles(sample_lake: Workplace) -> None:
    found = sample_lake.query(
        "select status, count(*) as n, max(abs(delta)) as worst from f1_standings_reconciliation group by 1"
    )
    assert [row["status"] for row in found] == ["match"]
    assert found[0]["n"] > 100
    assert Decimal(found[0]["worst"]) == 0


def test_every_table_of_the_settings_is_in_the_catalog(sample_lake: Workplace) -> None:
    tables = {(t["layer"], t["table"]) for t in sample_lake.json("athena", "tables")["rows"]}
    wanted = {
        tuple(name.split("."))
        for row in sample_lake.json("config", "show")["rows"]
        if row["setting"].endswith((".writes", ".reads"))
        for name in _names(row["value"])
    }
    assert wanted <= tables


def test_taking_up_a_finished_run_starts_nothing_even_after_a_newer_sync(sample_lake: Workplace) -> None:
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


def test_a_glue_job_alone_is_started_once_and_published_as_a_new_version_beside_the_old(
    sample_lake: Workplace,
) -> None:
    before = sample_lake.query("select count(*) as n from weather_daily")
    done = sample_lake.json("run-glue", "silver_to_gold", "--wait", "--run-id", "alone")
    assert done["verb"] == "started"
    assert done["tables"]["gold.weather_daily"]["rows"] > 700
    assert sample_lake.json("run-glue", "silver_to_gold", "--wait", "--run-id", "alone")["verb"] == "reused"
    assert sample_lake.query("select count(*) as n from weather_daily") == before
    versions = {path.name for path in (sample_lake.folder / ".etltctl/s3/pi-m3-gold/weather_daily").iterdir()}
    assert {"v=first-mongodb", "v=alone"} <= versions
    listed = {t["table"]: t["version"] for t in sample_lake.json("athena", "tables")["rows"]}
    assert listed["weather_daily"] == "alone"


def test_runs_are_listed_newest_first_with_their_outcome(sample_lake: Workplace) -> None:
    rows = sample_lake.json("runs", "list")["rows"]
    assert [row["started"] for row in rows] == sorted((row["started"] for row in rows), reverse=True)
    assert {"first-mongodb", "first-api"} <= {row["run"] for row in rows if row["outcome"] == "succeeded"}


def test_refreshing_an_up_to_date_catalog_changes_nothing(sample_lake: Workplace) -> None:
    sample_lake.run("athena", "refresh")  # an earlier test may have left new files in bronze
    rows = sample_lake.json("athena", "refresh")["rows"]
    assert {row["change"] for row in rows} == {"unchanged"}


@pytest.mark.pack
def test_the_pack_gives_the_golden_weather(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select count(*) as n, sum(source_rows) as documents, "
        "count_if(contains(dq_flags, 'WIND_RANGE')) as nulled from silver.weather_observation"
    )
    assert rows == [{"n": 31524, "documents": 31779, "nulled": 1}]


# Every place of the pack, computed apart from all of this: rows with wind, mean speed, mean density, mean power
# density, share of rated power at 100 m (alpha 1/7), calm rows; then hours with data, local days, complete days.
WIND = {
    "riohacha": (17_544, 4.038, 1.1577, 72.78, 0.1710, 129, 17_544, 732, 731),
    "puerto_madryn": (1_759, 5.649, 1.2576, 159.00, 0.3628, 6, 1_083, 63, 25),
    "el_calafate": (1_759, 3.478, 1.2383, 68.98, 0.1373, 37, 1_083, 63, 25),
    "san_carlos_de_bariloche": (1_759, 3.046, 1.1541, 33.30, 0.0740, 102, 1_083, 63, 25),
    "newark_liberty_intl": (8_700, 4.176, 1.2339, 94.86, 0.1948, 586, 8_703, 364, 364),
}
HUB = (
    "wind_speed_ms * power(10, 1e0 / 7) * power(air_density_kgm3 / 1.225, 1e0 / 3)"  # decimal 1.0 / 7 is 0.1
)


@pytest.mark.pack
def test_every_place_of_the_pack_has_its_golden_wind(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        f"with powered as (select *, {HUB} as hub from silver.weather_observation where wind_speed_ms is not null "
        "and air_density_kgm3 is not null) select city_key, count(*) as n, avg(wind_speed_ms) as speed, "
        "avg(air_density_kgm3) as density, avg(0.5 * air_density_kgm3 * power(wind_speed_ms, 3)) as power, "
        "avg(case when hub < 3 or hub >= 25 then 0 when hub >= 12 then 1 "
        "else (power(hub, 3) - 27) / (power(12, 3) - 27) end) as cf, count_if(wind_speed_ms < 0.5) as calm "
        "from powered group by 1"
    )
    days = pack_lake.query(
        "select city_key, sum(hours_observed) as hours, count(*) as days, count_if(is_complete) as complete "
        "from gold.weather_daily group by 1"
    )
    counted = {row["city_key"]: (row["hours"], row["days"], row["complete"]) for row in days}
    found = {row["city_key"]: (*list(row.values())[1:], *counted[row["city_key"]]) for row in rows}
    assert set(found) == set(WIND)
    for place, expected in WIND.items():
        assert found[place] == pytest.approx(expected, rel=5e-4), place


@pytest.mark.pack
def test_nothing_of_the_pack_is_rejected(pack_lake: Workplace) -> None:
    for table in ("weather_observation", "f1_row"):
        assert pack_lake.query(f"select count(*) as n from silver_rejects.{table}") == [{"n": 0}]


@pytest.mark.pack
def test_every_season_of_the_pack_has_its_champion_and_its_rows(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select season, driver_id, title_clinched_round as clinched from gold.f1_driver_championship "
        "where is_champion order by season"
    )
    assert [tuple(row.values()) for row in rows] == [
        (2014, "hamilton", 19), (2016, "rosberg", 21), (2018, "hamilton", 19), (2020, "hamilton", 14),
        (2022, "max_verstappen", 18), (2023, "max_verstappen", 17), (2024, "max_verstappen", 22),
    ]  # fmt: skip
    tables = {"result": 3288, "qualifying": 2982, "pit_stop": 5479, "driver_standing": 3098}
    counts = ", ".join(f"(select count(*) from silver.f1_{table}) as {table}" for table in tables)
    assert pack_lake.query(f"select {counts}") == [tables]
    best = pack_lake.query(
        "select max(race_points) as best from gold.f1_driver_points_progression where season = 2014 and round = 19"
    )
    assert Decimal(best[0]["best"]) == 50


@pytest.mark.pack
def test_the_pack_gives_the_champions_of_2024(pack_lake: Workplace) -> None:
    drivers = pack_lake.query(
        "select driver_id, points, wins from gold.f1_driver_championship "
        "where season = 2024 order by position limit 3"
    )
    assert drivers[0] == {"driver_id": "max_verstappen", "points": "437.00", "wins": 9}
    assert [(row["driver_id"], row["points"]) for row in drivers[1:]] == [
        ("norris", "374.00"),
        ("leclerc", "356.00"),
    ]
    constructors = pack_lake.query(
        "select constructor_id, points from gold.f1_constructor_championship "
        "where season = 2024 order by position limit 3"
    )
    assert [tuple(row.values()) for row in constructors] == [
        ("mclaren", "666.00"),
        ("ferrari", "652.00"),
        ("red_bull", "589.00"),
    ]


@pytest.mark.pack
def test_every_official_standing_of_the_pack_reconciles(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select kind, status, count(*) as n, count_if(delta <> 0) as off from gold.f1_standings_reconciliation "
        "where status <> 'missing_official' group by 1, 2 order by 1, 2"
    )
    by_kind = {kind: sum(r["n"] for r in rows if r["kind"] == kind) for kind in ("driver", "constructor")}
    assert by_kind == {"driver": 3098, "constructor": 1495}
    assert sum(row["off"] for row in rows if row["kind"] == "driver") == 0
    assert sum(row["off"] for row in rows if row["kind"] == "constructor") == 22
    assert {row["status"] for row in rows if row["off"]} == {"known_adjustment"}


def test_the_installed_package_brings_its_jobs_and_settings(tmp_path: Path) -> None:
    """A wheel in an empty folder, far from the checkout, knows its default settings and finds its scripts."""
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
