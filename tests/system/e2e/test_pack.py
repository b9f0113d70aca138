"""Both pipelines on the data pack: real Formula 1 records and weather, compared with independently computed numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from support.workplace import Workplace

pytestmark = [pytest.mark.e2e, pytest.mark.pack]


def test_the_pack_gives_the_golden_weather(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select count(*) as n, sum(source_rows) as documents, "
        "count_if(contains(dq_flags, 'WIND_RANGE')) as nulled from pi_m3_silver.weather_observation"
    )
    assert rows == [{"n": 31524, "documents": 31779, "nulled": 1}]


# Every place of the pack, computed independently: rows with wind, mean speed, mean density, mean power
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


def test_every_place_of_the_pack_has_its_golden_wind(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        f"with powered as (select *, {HUB} as hub from pi_m3_silver.weather_observation "
        "where wind_speed_ms is not null and air_density_kgm3 is not null) "
        "select city_key, count(*) as n, avg(wind_speed_ms) as speed, "
        "avg(air_density_kgm3) as density, avg(0.5 * air_density_kgm3 * power(wind_speed_ms, 3)) as power, "
        "avg(case when hub < 3 or hub >= 25 then 0 when hub >= 12 then 1 "
        "else (power(hub, 3) - 27) / (power(12, 3) - 27) end) as cf, count_if(wind_speed_ms < 0.5) as calm "
        "from powered group by 1"
    )
    days = pack_lake.query(
        "select city_key, sum(hours_observed) as hours, count(*) as days, count_if(is_complete) as complete "
        "from pi_m3_gold.weather_daily group by 1"
    )
    counted = {row["city_key"]: (row["hours"], row["days"], row["complete"]) for row in days}
    wind = {row["city_key"]: (*list(row.values())[1:], *counted[row["city_key"]]) for row in rows}
    assert set(wind) == set(WIND)
    for place, expected in WIND.items():
        assert wind[place] == pytest.approx(expected, rel=5e-4), place


def test_nothing_of_the_pack_is_rejected(pack_lake: Workplace) -> None:
    for table in ("weather_observation", "f1_row"):
        assert pack_lake.query(f"select count(*) as n from pi_m3_silver_rejects.{table}") == [{"n": 0}]


def test_every_season_of_the_pack_has_its_champion_and_its_rows(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select season, driver_id, title_clinched_round as clinched from pi_m3_gold.f1_driver_championship "
        "where is_champion order by season"
    )
    assert [tuple(row.values()) for row in rows] == [
        (2014, "hamilton", 19), (2016, "rosberg", 21), (2018, "hamilton", 19), (2020, "hamilton", 14),
        (2022, "max_verstappen", 18), (2023, "max_verstappen", 17), (2024, "max_verstappen", 22),
    ]  # fmt: skip
    tables = {"result": 3288, "qualifying": 2982, "pit_stop": 5479, "driver_standing": 3098}
    counts = ", ".join(f"(select count(*) from pi_m3_silver.f1_{table}) as {table}" for table in tables)
    assert pack_lake.query(f"select {counts}") == [tables]
    best = pack_lake.query(
        "select max(race_points) as best from pi_m3_gold.f1_driver_points_progression "
        "where season = 2014 and round = 19"
    )
    assert Decimal(best[0]["best"]) == 50


def test_the_pack_gives_the_champions_of_2024(pack_lake: Workplace) -> None:
    drivers = pack_lake.query(
        "select driver_id, points, wins from pi_m3_gold.f1_driver_championship "
        "where season = 2024 order by position limit 3"
    )
    assert drivers[0] == {"driver_id": "max_verstappen", "points": "437.00", "wins": 9}
    assert [(row["driver_id"], row["points"]) for row in drivers[1:]] == [
        ("norris", "374.00"),
        ("leclerc", "356.00"),
    ]
    constructors = pack_lake.query(
        "select constructor_id, points from pi_m3_gold.f1_constructor_championship "
        "where season = 2024 order by position limit 3"
    )
    assert [tuple(row.values()) for row in constructors] == [
        ("mclaren", "666.00"),
        ("ferrari", "652.00"),
        ("red_bull", "589.00"),
    ]


def test_every_official_standing_of_the_pack_reconciles(pack_lake: Workplace) -> None:
    rows = pack_lake.query(
        "select kind, status, count(*) as n, count_if(delta <> 0) as off from pi_m3_gold.f1_standings_reconciliation "
        "where status <> 'missing_official' group by 1, 2 order by 1, 2"
    )
    by_kind = {kind: sum(r["n"] for r in rows if r["kind"] == kind) for kind in ("driver", "constructor")}
    assert by_kind == {"driver": 3098, "constructor": 1495}
    assert sum(row["off"] for row in rows if row["kind"] == "driver") == 0
    assert sum(row["off"] for row in rows if row["kind"] == "constructor") == 22
    assert {row["status"] for row in rows if row["off"]} == {"known_adjustment"}
