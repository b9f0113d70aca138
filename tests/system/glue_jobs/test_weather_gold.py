"""The gold tables of weather: hours, days and months of wind, air and sun."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lake import JobArguments, QualityError

pytestmark = pytest.mark.spark

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
DENSITY = 1.2


def observation(minutes: int, speed: float | None = 5.0, **fields: Any) -> dict[str, Any]:
    """Return a silver observation at this many minutes after midnight, at a place on UTC."""
    at = MIDNIGHT + timedelta(minutes=minutes)
    whole = {
        "observed_at": at,
        "utc_offset_s": 0,
        "lat": 0.0,
        "lon": 0.0,
        "temp_c": 15.0,
        "pressure_station_hpa": 1000.0,
        "humidity_pct": 50.0,
        "wind_speed_ms": speed,
        "wind_gust_ms": None,
        "wind_dir_deg": 90.0,
        "clouds_pct": None,
        "rain_1h_mm": None,
        "snow_1h_mm": None,
        "weather_main": None,
        "air_density_kgm3": DENSITY,
        "city_key": "here",
        "year": at.year,
    }
    return {**whole, **fields}


@pytest.fixture(scope="module")
def silver(spark: SparkSession) -> Callable[..., DataFrame]:
    """Return a function that turns observations into rows of silver."""
    from weather_hours import OBSERVATIONS

    names = [column.split()[0] for column in OBSERVATIONS.strip().split(",")]

    def make(*rows: dict[str, Any]) -> DataFrame:
        return spark.createDataFrame([tuple(row[name] for name in names) for row in rows], OBSERVATIONS)

    return make


@pytest.fixture(scope="module")
def gold(silver: Callable[..., DataFrame]) -> Callable[..., list[Row]]:
    """Return a function that turns observations into the rows of one gold table, in order."""
    from job_config import WEATHER, read_config
    from silver_to_gold import TABLES
    from weather_hours import hours_of

    def make(table: str, *rows: dict[str, Any], **config: Any) -> list[Row]:
        settings = read_config(WEATHER, config)
        result = TABLES[table](hours_of(silver(*rows), settings), settings).collect()
        return sorted(result, key=lambda row: row[:3])

    return make


def test_power_is_the_mean_of_cubes_of_hours_not_of_observations(gold: Callable[..., list[Row]]) -> None:
    (day,) = gold("gold.weather_daily", observation(0, 2.0), observation(30, 4.0), observation(60, 10.0))
    first_hour = 0.5 * DENSITY * (2**3 + 4**3) / 2
    assert day.hours_observed == 2
    assert day.wpd10_mean_wm2 == pytest.approx((first_hour + 0.5 * DENSITY * 10**3) / 2)
    assert (day.wind_speed_mean_ms, day.wind_speed_max_ms) == (pytest.approx((3 + 10) / 2), 10.0)


def test_energy_is_given_for_complete_days_only(gold: Callable[..., list[Row]]) -> None:
    seventeen = [observation(60 * hour) for hour in range(17)]
    eighteen = [observation(1440 + 60 * hour) for hour in range(18)]
    short, full = gold("gold.weather_daily", *seventeen, *eighteen)
    assert (short.is_complete, short.wind_energy_kwh_m2) == (False, None)
    assert (full.is_complete, full.wind_energy_kwh_m2) == (
        True,
        pytest.approx(18 * 0.5 * DENSITY * 125 / 1000),
    )


def test_an_hour_is_counted_once_where_clocks_are_half_an_hour_apart(gold: Callable[..., list[Row]]) -> None:
    rows = [observation(30 * half, utc_offset_s=19_800) for half in range(48 * 2)]
    days = gold("gold.weather_daily", *rows)
    assert [(day.local_date.day, day.hours_observed) for day in days] == [(1, 19), (2, 24), (3, 5)]


def test_a_day_sums_precipitation_and_averages_the_other_values(gold: Callable[..., list[Row]]) -> None:
    wet = observation(0, rain_1h_mm=1.0, snow_1h_mm=0.5, temp_c=10.0, humidity_pct=40.0, wind_gust_ms=9.0)
    dry = observation(30, rain_1h_mm=0.0, snow_1h_mm=0.5, temp_c=20.0, humidity_pct=60.0)
    later = observation(60, rain_1h_mm=2.0, temp_c=30.0, pressure_station_hpa=900.0, clouds_pct=50.0)
    (day,) = gold("gold.weather_daily", wet, dry, later)
    assert (day.rain_mm, day.snow_mm, day.wind_gust_max_ms, day.clouds_mean_pct) == (2.5, 0.5, 9.0, 50.0)
    assert (day.temp_mean_c, day.temp_min_c, day.temp_max_c) == (22.5, 10.0, 30.0)
    assert (day.humidity_mean_pct, day.pressure_station_mean_hpa) == (50.0, 950.0)
    assert day.air_density_mean_kgm3 == pytest.approx(DENSITY)
    assert day.wpd_hub_mean_wm2 == pytest.approx(0.5 * DENSITY * (5 * 10**0.143) ** 3)
    power_speed = 5 * 10**0.143 * (DENSITY / 1.225) ** (1 / 3)
    assert day.cf_proxy == pytest.approx((power_speed**3 - 27) / (12**3 - 27))


def test_directions_are_averaged_as_vectors_without_the_calm(gold: Callable[..., list[Row]]) -> None:
    north = [observation(0, wind_dir_deg=350.0), observation(60, wind_dir_deg=10.0)]
    (day,) = gold("gold.weather_daily", *north, observation(120, 0.1, wind_dir_deg=None))
    assert min(day.wind_dir_mean_deg, 360 - day.wind_dir_mean_deg) == pytest.approx(0, abs=1e-9)
    assert day.wind_dir_steadiness == pytest.approx(math.cos(math.radians(10)))


def test_solar_values_are_unknown_where_clouds_are_unknown(gold: Callable[..., list[Row]]) -> None:
    unknown = [observation(60 * hour) for hour in range(24)]
    known = [observation(60 * hour, clouds_pct=100.0, city_key="there") for hour in range(24)]
    here, there = gold("gold.weather_daily", *unknown, *known)
    assert (here.ghi_proxy_kwh_m2, here.clear_sky_kwh_m2, here.clearness_proxy, here.pv_proxy_kwh_m2) == (
        None,
    ) * 4
    assert there.clearness_proxy == pytest.approx(0.25)
    assert 7 < there.clear_sky_kwh_m2 < 8.5, "the equator at an equinox"
    assert there.pv_proxy_kwh_m2 == pytest.approx(there.ghi_proxy_kwh_m2 * 0.2 * 0.8)


def test_a_month_counts_its_days_and_hours(gold: Callable[..., list[Row]]) -> None:
    days = [observation(1440 * day + 60 * hour, 2.0 + hour % 3) for day in range(2) for hour in range(24)]
    (month,) = gold("gold.weather_monthly", *days, observation(1440 * 5, 12.0))
    assert (month.city_key, month.year, month.month) == ("here", 2024, 3)
    assert (month.hours_observed, month.days_observed, month.days_complete) == (49, 3, 2)
    assert month.coverage_pct == pytest.approx(100 * 49 / (31 * 24))
    assert month.wpd10_p50 == pytest.approx(0.5 * DENSITY * 27)
    assert month.hours_rated_pct == pytest.approx(100 / 49)
    assert month.hours_below_cut_in_pct == pytest.approx(100 * 16 / 49)


def test_the_hash_of_the_settings_changes_with_them() -> None:
    from job_config import WEATHER, config_hash, read_config

    assert len(config_hash(read_config(WEATHER, {}))) == 12
    assert config_hash(read_config(WEATHER, {})) != config_hash(read_config(WEATHER, {"hub_height_m": 80}))


def values(spark: SparkSession, *columns: Column) -> list[Any]:
    """Return the values of constant columns."""
    return list(spark.range(1).select(*columns).collect()[0])


def test_the_power_curve_has_three_parts(spark: SparkSession) -> None:
    from weather_formulas import capacity_factor

    speeds = (2.999, 3.0, 7.5, 11.999, 12.0, 24.999, 25.0)
    half = (7.5**3 - 27) / (12**3 - 27)
    almost = (11.999**3 - 27) / (12**3 - 27)
    computed = values(spark, *(capacity_factor(F.lit(speed), 3, 12, 25) for speed in speeds))
    assert computed == pytest.approx([0, 0, half, almost, 1, 1, 0])


def test_gamma_and_weibull_have_their_known_values(spark: SparkSession) -> None:
    from weather_formulas import gamma, weibull_c, weibull_k

    points = (1.0, 1.1, 1.5, 1.886, 2.0, 3.5)
    assert values(spark, *(gamma(F.lit(x)) for x in points)) == pytest.approx(
        list(map(math.gamma, points)), rel=1e-9
    )
    k, c = values(spark, weibull_k(F.lit(6.0), F.lit(3.0)), weibull_c(F.lit(6.0), F.lit(2.0)))
    assert k == pytest.approx(2**1.086)
    assert c == pytest.approx(6 / math.gamma(1.5))


def test_sectors_are_centred_on_their_direction(spark: SparkSession) -> None:
    from weather_formulas import sector

    computed = values(
        spark, *(sector(F.lit(degrees)) for degrees in (348.75, 0.0, 11.24, 11.25, 90.0, 348.74))
    )
    assert computed == [0, 0, 0, 1, 4, 15]


def test_wind_classes_follow_their_limits(spark: SparkSession) -> None:
    from weather_formulas import wind_class

    powers = (0.0, 99.9, 100.0, 150.0, 200.0, 250.0, 300.0, 399.9, 400.0)
    assert values(spark, *(wind_class(F.lit(power)) for power in powers)) == [1, 1, 2, 3, 4, 5, 6, 6, 7]


def test_hub_wind_follows_the_power_law_and_density(spark: SparkSession) -> None:
    from weather_formulas import hub_speed, normalised_speed

    computed = values(
        spark, hub_speed(F.lit(5.0), 100, 0.143), normalised_speed(F.lit(5.0), F.lit(1.225 / 8))
    )
    assert computed == pytest.approx([5 * 10**0.143, 2.5])


def test_the_sun_stands_where_the_almanac_says(spark: SparkSession) -> None:
    from weather_solar import clear_sky, sine_of_elevation

    noon = datetime(2024, 6, 20, 12, 1, 45, tzinfo=UTC).timestamp()
    night = datetime(2024, 6, 20, 0, tzinfo=UTC).timestamp()
    at = [sine_of_elevation(F.lit(moment), F.lit(0.0), F.lit(0.0)) for moment in (noon, night)]
    high, low = values(spark, *at)
    assert math.degrees(math.asin(high)) == pytest.approx(90 - 23.436, abs=0.02)
    assert low < -0.9
    clear = values(spark, clear_sky(F.lit(1.0), "haurwitz"), clear_sky(F.lit(-0.1), "haurwitz"))
    assert clear == pytest.approx([1098 * math.exp(-0.059), 0.0])


def test_the_clear_sky_model_may_be_kasten_and_czeplak(spark: SparkSession) -> None:
    from weather_solar import clear_sky

    computed = values(spark, *(clear_sky(F.lit(sine), "kasten_czeplak") for sine in (1.0, 0.5, 0.02, -0.5)))
    assert computed == pytest.approx([880, 425, 0, 0])
    with pytest.raises(ValueError, match="clear_sky must be haurwitz or kasten_czeplak"):
        clear_sky(F.lit(1.0), "cloudless")


def test_clouds_take_their_share_of_the_sun(spark: SparkSession) -> None:
    from weather_solar import below_clouds

    computed = values(spark, *(below_clouds(F.lit(800.0), F.lit(share)) for share in (0.0, 50.0, 100.0)))
    assert computed == pytest.approx([800, 743.161, 200], abs=1e-3)  # 0.5 to the power of 3.4 is 0.094732


def test_a_row_against_physics_fails_the_run(spark: SparkSession, tmp_path: Path) -> None:
    from silver_to_gold import _write_checked

    rows = spark.range(2).select(
        F.col("id"), F.lit(1).alias("observations"), (F.col("id") > 0).alias("is_sound")
    )
    job = JobArguments("run-1", {}, {"gold.thing": str(tmp_path / "thing")}, {})
    with pytest.raises(QualityError, match="1 rows of gold"):
        _write_checked(spark, rows, "gold.thing", job, None, {})


def test_a_day_without_temperatures_is_not_complete(gold: Callable[..., list[Row]]) -> None:
    few = [observation(60 * hour, temp_c=15.0 if hour < 17 else None) for hour in range(24)]
    (day,) = gold("gold.weather_daily", *few)
    (month,) = gold("gold.weather_monthly", *few)
    assert (day.hours_observed, day.is_complete, day.wind_energy_kwh_m2) == (24, False, None)
    assert (month.days_observed, month.days_complete) == (1, 0)


def test_the_energy_of_a_day_with_few_hours_of_wind_is_unknown(gold: Callable[..., list[Row]]) -> None:
    rows = [observation(60 * hour, 5.0 if hour < 17 else None) for hour in range(24)]
    (day,) = gold("gold.weather_daily", *rows)
    assert (day.is_complete, day.wind_energy_kwh_m2) == (True, None)


@pytest.mark.parametrize("speed", [None, 0.2])
def test_no_wind_has_no_steadiness(gold: Callable[..., list[Row]], speed: float | None) -> None:
    (day,) = gold("gold.weather_daily", *(observation(60 * hour, speed) for hour in range(24)))
    (month,) = gold("gold.weather_monthly", *(observation(60 * hour, speed) for hour in range(24)))
    assert [row.wind_dir_steadiness for row in (day, month)] == [None, None]
    assert [row.wind_dir_mean_deg for row in (day, month)] == [None, None]
