"""The times, directions and skies that have potential: hours are counted, shared out and ranked."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

pytestmark = pytest.mark.spark

HOURS = """
    city_key string, local_month date, local_date date, local_hour int, observations long, wind_speed_ms double,
    dir_sin double, dir_cos double, wpd10 double, cf double, clouds_pct double, ghi_wm2 double, clear_sky_wm2 double,
    weather_main string
"""
JANUARY = date(2024, 1, 1)


def hour(**fields: Any) -> dict[str, Any]:
    """Return an hour of east wind at 5 m/s under an unknown sky."""
    whole = {
        "city_key": "here", "local_month": JANUARY, "local_date": JANUARY, "local_hour": 12, "observations": 2,
        "wind_speed_ms": 5.0, "dir_sin": 1.0, "dir_cos": 0.0, "wpd10": 75.0, "cf": 0.2, "clouds_pct": None,
        "ghi_wm2": None, "clear_sky_wm2": None, "weather_main": None,
    }  # fmt: skip
    return {**whole, **fields}


@pytest.fixture(scope="module")
def gold(spark: SparkSession) -> Callable[..., list[Row]]:
    """Return a function that turns hours into the rows of one gold table."""
    from job_config import WEATHER, read_config
    from silver_to_gold import TABLES

    names = [column.split()[0] for column in HOURS.strip().split(",")]

    def make(table: str, *hours: dict[str, Any]) -> list[Row]:
        rows = spark.createDataFrame([tuple(row[name] for name in names) for row in hours], HOURS)
        return TABLES[f"gold.{table}"](rows, read_config(WEATHER, {})).collect()

    return make


def test_a_wind_rose_shares_out_the_known_hours(gold: Callable[..., list[Row]]) -> None:
    speeds = {
        0.49: "calm",
        0.5: "0.5-2",
        2.0: "2-4",
        5.9: "4-6",
        6.0: "6-8",
        8.0: "8-10",
        10.0: "10+",
        30.0: "10+",
    }
    unknown = [hour(dir_sin=None, dir_cos=None), hour(wind_speed_ms=None)]
    rows = gold("wind_rose_monthly", *(hour(wind_speed_ms=speed) for speed in speeds), *unknown)
    rose = {row.speed_bin: (row.sector, row.sector_name, row.hours) for row in rows}
    assert rose == {
        "calm": (-1, "calm", 1), "0.5-2": (4, "E", 1), "2-4": (4, "E", 1), "4-6": (4, "E", 1), "6-8": (4, "E", 1),
        "8-10": (4, "E", 1), "10+": (4, "E", 2),
    }  # fmt: skip
    assert sum(row.freq_pct for row in rows) == pytest.approx(100)


def test_hours_of_the_day_are_averaged_over_all_years(gold: Callable[..., list[Row]]) -> None:
    later = date(2025, 1, 1)
    (row,) = gold(
        "potential_hour_month", hour(wpd10=100.0), hour(wpd10=200.0, local_month=later, local_date=later)
    )
    assert (row.month, row.local_hour, row.hours, row.wpd10_mean_wm2) == (1, 12, 2, 150.0)
    assert row.ghi_proxy_mean_wm2 is None


def test_conditions_are_compared_with_all_hours_of_the_place(gold: Callable[..., list[Row]]) -> None:
    rain = {"weather_main": "Rain", "clouds_pct": 90.0, "ghi_wm2": 30.0, "clear_sky_wm2": 100.0}
    rows = gold("potential_by_condition", hour(cf=0.1, **rain), hour(cf=0.3), hour(cf=0.2, clouds_pct=25.0))
    by_condition = {(row.weather_main, row.clouds_band): row for row in rows}
    assert set(by_condition) == {("Rain", "75-100"), ("unknown", "unknown"), ("unknown", "25-50")}
    wet = by_condition["Rain", "75-100"]
    assert (wet.ghi_ratio_mean, wet.delta_vs_all_pct) == (pytest.approx(0.3), pytest.approx(-50))
    assert by_condition["unknown", "25-50"].delta_vs_all_pct == pytest.approx(0)


def test_days_are_ranked_by_value_then_date_and_only_complete_ones(spark: SparkSession) -> None:
    from weather_patterns import rank_days

    values = [(5.0, True), (7.0, True), (5.0, True), (9.0, False)]
    days = spark.createDataFrame(
        [
            ("here", JANUARY + timedelta(days=n), 24, full, value, None)
            for n, (value, full) in enumerate(values)
        ],
        "city_key string, local_date date, observations long, is_complete boolean, wind_energy_kwh_m2 double,"
        " ghi_proxy_kwh_m2 double",
    )
    rows = rank_days(days, {"ranked_days": 2}).collect()
    ranked = {(row.kind, row.direction, row["rank"]): (row.local_date.day, row.value) for row in rows}
    assert ranked == {
        ("wind", "top", 1): (2, 7.0), ("wind", "top", 2): (1, 5.0), ("wind", "bottom", 1): (1, 5.0),
        ("wind", "bottom", 2): (3, 5.0),
    }  # fmt: skip


# Rows of the data pack in each place's commonest sectors, computed without Spark.
TOP_SECTORS = {
    "riohacha": {"E": 7_736, "ESE": 1_708, "ENE": 1_661},
    "puerto_madryn": {"SW": 392, "WSW": 376, "W": 249},
    "el_calafate": {"E": 287, "WSW": 248, "ESE": 206},
    "san_carlos_de_bariloche": {"WNW": 615, "W": 289, "SE": 152},
    "newark_liberty_intl": {"W": 1_032, "SW": 856, "WSW": 725},
}


@pytest.mark.pack
def test_the_wind_of_the_pack_comes_from_its_known_directions(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    from weather_formulas import sector
    from weather_patterns import SECTORS

    silver = spark.read.parquet(pack_lake["silver.weather_observation"])
    blowing = silver.where("wind_speed_ms >= 0.5 and wind_dir_deg is not null")
    counted = blowing.groupBy("city_key", sector(F.col("wind_dir_deg")).alias("sector")).count().collect()
    for city, expected in TOP_SECTORS.items():
        ranked = sorted((-row["count"], SECTORS[row.sector]) for row in counted if row.city_key == city)
        assert {name: -count for count, name in ranked[:3]} == expected, city


@pytest.mark.pack
def test_the_roses_of_the_pack_are_complete_and_have_their_known_main_directions(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    rows = spark.read.parquet(pack_lake["gold.wind_rose_monthly"]).collect()
    shares: dict[Any, float] = defaultdict(float)
    sectors: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        shares[row.city_key, row.year, row.month] += row.freq_pct
        sectors[row.city_key][row.sector_name] += row.hours
    assert list(shares.values()) == pytest.approx([100] * len(shares), abs=0.01)
    tops = {city: max(counts, key=counts.__getitem__) for city, counts in sectors.items()}
    assert tops["riohacha"] == "E"
    assert tops["newark_liberty_intl"] == "W"
    assert tops["san_carlos_de_bariloche"] == "WNW"


@pytest.mark.pack
def test_the_pack_knows_the_sun_only_in_patagonia(spark: SparkSession, pack_lake: dict[str, str]) -> None:
    rows = spark.read.parquet(pack_lake["gold.potential_hour_month"]).collect()
    lit = {row.city_key for row in rows if row.ghi_proxy_mean_wm2 is not None}
    assert lit == {"puerto_madryn", "el_calafate", "san_carlos_de_bariloche"}
    noons = [row.ghi_proxy_mean_wm2 for row in rows if row.local_hour == 13 and row.city_key in lit]
    nights = [row.ghi_proxy_mean_wm2 for row in rows if row.local_hour == 1 and row.city_key in lit]
    assert (min(noons) > 20, set(nights)) == (True, {0.0})


@pytest.mark.pack
def test_every_hour_of_the_pack_is_under_one_condition(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    def hours(table: str) -> int:
        return spark.read.parquet(pack_lake[f"gold.{table}"]).agg({"hours": "sum"}).first()[0]

    observed = spark.read.parquet(pack_lake["gold.weather_daily"]).agg({"hours_observed": "sum"}).first()[0]
    assert hours("potential_by_condition") == hours("potential_hour_month") == observed


@pytest.mark.pack
def test_the_best_and_worst_days_of_the_pack_are_complete_ones(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    ranked = spark.read.parquet(pack_lake["gold.day_ranking"])
    days = spark.read.parquet(pack_lake["gold.weather_daily"]).where("is_complete")
    assert ranked.join(days, ["city_key", "local_date"], "left_anti").count() == 0
    wind = ranked.where("kind = 'wind' and rank = 1 and city_key = 'riohacha'").collect()
    values = {row.direction: row.value for row in wind}
    energies = [row[0] for row in days.where("city_key = 'riohacha'").select("wind_energy_kwh_m2").collect()]
    assert values == {"top": max(energies), "bottom": min(energies)}
