"""The gold tables of weather, compared with known facts of the places in the data pack."""

import json
import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

pytestmark = [pytest.mark.spark, pytest.mark.pack]

# Of the data pack, computed without Spark: rows, mean speed, mean density, power density, k, c, calm rows.
KNOWN = {
    "riohacha": (17_544, 4.038, 1.1577, 72.78, 0.1710, 1.966, 4.554, 129),
    "puerto_madryn": (1_759, 5.649, 1.2576, 159.00, 0.3628, 2.955, 6.330, 6),
    "el_calafate": (1_759, 3.478, 1.2383, 68.98, 0.1373, 1.560, 3.870, 37),
    "san_carlos_de_bariloche": (1_759, 3.046, 1.1541, 33.30, 0.0740, 1.818, 3.427, 102),
    "newark_liberty_intl": (8_700, 4.176, 1.2339, 94.86, 0.1948, 1.841, 4.701, 586),
}
COMPLETE_DAYS = {
    "riohacha": (732, 731),
    "newark_liberty_intl": (364, 364),
    "puerto_madryn": (63, 25),
    "el_calafate": (63, 25),
    "san_carlos_de_bariloche": (63, 25),
}

# Bias and RMSE in W/m2 and correlation with the measured radiation, the sun a degree up, computed without Spark.
SOLAR = {
    "haurwitz": {
        "puerto_madryn": (-14, 49, 0.934), "el_calafate": (1, 38, 0.889), "bariloche": (-10, 63, 0.885),
    },
    "kasten_czeplak": {
        "puerto_madryn": (-35, 58, 0.930), "el_calafate": (-9, 35, 0.884), "bariloche": (-28, 67, 0.881),
    },
}  # fmt: skip


def test_the_pack_has_its_known_wind(spark: SparkSession, pack_lake: dict[str, str]) -> None:
    from weather_formulas import (
        capacity_factor,
        hub_speed,
        normalised_speed,
        weibull_c,
        weibull_k,
        wind_power_density,
    )

    speed, density = F.col("wind_speed_ms"), F.col("air_density_kgm3")
    at_hub = normalised_speed(hub_speed(speed, 100, 1 / 7), density)
    k = weibull_k(F.avg(speed), F.stddev_pop(speed))
    used = spark.read.parquet(pack_lake["silver.weather_observation"]).where(
        speed.isNotNull() & density.isNotNull()
    )
    rows = used.groupBy("city_key").agg(
        F.count(speed),
        F.avg(speed),
        F.avg(density),
        F.avg(wind_power_density(density, speed)),
        F.avg(capacity_factor(at_hub, 3, 12, 25)),
        k,
        weibull_c(F.avg(speed), k),
        F.count_if(speed < 0.5),
    )
    wind = {row.city_key: tuple(row)[1:] for row in rows.collect()}
    assert set(wind) == set(KNOWN)
    for city, expected in KNOWN.items():
        assert wind[city] == pytest.approx(expected, rel=5e-4), city


def test_the_pack_has_its_known_complete_days(spark: SparkSession, pack_lake: dict[str, str]) -> None:
    days = spark.read.parquet(pack_lake["gold.weather_daily"])
    counts = days.groupBy("city_key").agg(
        F.count("*").alias("days"), F.count_if("is_complete").alias("complete")
    )
    assert {row.city_key: (row.days, row.complete) for row in counts.collect()} == COMPLETE_DAYS


# Hours of the data pack with at least one document, as its own page counts them.
HOURS = {
    "riohacha": 17_544, "newark_liberty_intl": 8_703, "puerto_madryn": 1_083, "el_calafate": 1_083,
    "san_carlos_de_bariloche": 1_083,
}  # fmt: skip


def test_the_days_of_the_pack_have_all_its_hours(spark: SparkSession, pack_lake: dict[str, str]) -> None:
    days = spark.read.parquet(pack_lake["gold.weather_daily"])
    counted = days.groupBy("city_key").agg(F.sum("hours_observed").alias("n")).collect()
    assert {row.city_key: row.n for row in counted} == HOURS


def test_a_month_of_the_pack_follows_from_its_observations(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    """July at El Calafate, UTC-3, worked out in plain Python from the observations."""
    where = "city_key = 'el_calafate' and local_date >= '2026-07-01' and local_date < '2026-08-01'"
    rows = spark.read.parquet(pack_lake["silver.weather_observation"]).where(where).collect()
    hours: dict[datetime, list[Row]] = {}
    for row in rows:
        hours.setdefault(row.observed_at.replace(minute=0, second=0), []).append(row)

    def mean_of(value: Callable[[Row], float | None]) -> list[float]:
        of_hours = ([value(row) for row in group] for group in hours.values())
        known = ([one for one in group if one is not None] for group in of_hours)
        return [math.fsum(group) / len(group) for group in known if group]

    def hub_ms(row: Row) -> float:
        return row.wind_speed_ms * 10**0.143

    def cf(row: Row) -> float:
        speed = hub_ms(row) * (row.air_density_kgm3 / 1.225) ** (1 / 3)
        return 0.0 if speed < 3 or speed >= 25 else min(1.0, (speed**3 - 27) / (12**3 - 27))

    speeds = mean_of(lambda row: row.wind_speed_ms)
    power = sorted(mean_of(lambda row: 0.5 * row.air_density_kgm3 * row.wind_speed_ms**3))
    mean = math.fsum(speeds) / len(speeds)
    deviation = math.sqrt(math.fsum((speed - mean) ** 2 for speed in speeds) / len(speeds))
    k = (deviation / mean) ** -1.086
    at = 0.9 * (len(power) - 1)
    p90 = power[int(at)] + (at - int(at)) * (power[int(at) + 1] - power[int(at)])
    capacities = mean_of(cf)
    at_hub = mean_of(lambda row: 0.5 * row.air_density_kgm3 * hub_ms(row) ** 3)
    (month,) = spark.read.parquet(pack_lake["gold.weather_monthly"]).where(
        "city_key = 'el_calafate' and month = 7"
    ).collect()  # fmt: skip
    assert (month.hours_observed, month.days_observed) == (len(hours), len({row.local_date for row in rows}))
    assert month.coverage_pct == pytest.approx(100 * len(hours) / (31 * 24))
    computed = (
        month.wind_speed_mean_ms, month.wpd10_mean_wm2, month.wpd_hub_mean_wm2, month.cf_proxy, month.weibull_k,
        month.wpd10_p90,
    )  # fmt: skip
    expected = (
        mean, math.fsum(power) / len(power), math.fsum(at_hub) / len(at_hub),
        math.fsum(capacities) / len(capacities), k, p90,
    )  # fmt: skip
    assert computed == pytest.approx(expected, rel=1e-9)
    assert month.weibull_c_ms == pytest.approx(mean / math.gamma(1 + 1 / k), rel=1e-9)


def test_months_agree_with_days_and_both_with_their_keys(
    spark: SparkSession, pack_lake: dict[str, str]
) -> None:
    days = spark.read.parquet(pack_lake["gold.weather_daily"])
    months = spark.read.parquet(pack_lake["gold.weather_monthly"])
    powered = F.col("hours_observed") * F.col("wpd10_mean_wm2")
    summed = days.groupBy(
        "city_key", F.year("local_date").alias("year"), F.month("local_date").alias("month")
    ).agg(
        F.sum("hours_observed").alias("hours"),
        (F.sum(powered) / F.sum("hours_observed")).alias("power"),
        F.count("*").alias("days"),
    )
    rows = months.join(summed, ["city_key", "year", "month"]).collect()
    assert len(rows) == months.count() == summed.count()
    assert days.select("city_key", "local_date").distinct().count() == days.count()
    gapless = [row for row in rows if row.city_key != "newark_liberty_intl"]  # it has hours without wind
    assert [row.hours for row in rows] == [row.hours_observed for row in rows]
    assert [row.days for row in rows] == [row.days_observed for row in rows]
    assert [row.power for row in gapless] == pytest.approx([row.wpd10_mean_wm2 for row in gapless], rel=1e-9)


@pytest.mark.parametrize("model", ["haurwitz", "kasten_czeplak"])
def test_the_solar_proxy_follows_the_reference(
    spark: SparkSession, pack_lake: dict[str, str], model: str
) -> None:
    from weather_solar import below_clouds, clear_sky, sine_of_elevation

    files = str(Path(os.environ["ETLTCTL_DATA_PACK"], "weather", "reference", "*_2026_radiation.csv.gz"))
    reference = (
        spark.read.csv(files, header=True, schema="dt long, truth double")
        .select("dt", "truth", F.regexp_extract("_metadata.file_name", "^(.+)_2026", 1).alias("place"))
        .distinct()
    )
    seconds = F.unix_timestamp("observed_at")
    sine = sine_of_elevation(seconds - 450, F.col("lat"), F.col("lon"))  # the middle of the quarter hour
    proxy = below_clouds(clear_sky(sine, model), F.col("clouds_pct")).alias("proxy")
    place = F.regexp_replace("city_key", "san_carlos_de_", "").alias("place")
    observed = spark.read.parquet(pack_lake["silver.weather_observation"])
    daylight = sine > math.sin(math.radians(1))
    pairs = (
        observed.where(daylight).select(place, seconds.alias("dt"), proxy).join(reference, ["place", "dt"])
    )
    error = F.col("proxy") - F.col("truth")
    computed = {
        row.place: (row.bias, row.rmse, row.r)
        for row in pairs.where("proxy is not null").groupBy("place").agg(
            F.avg(error).alias("bias"), F.sqrt(F.avg(error * error)).alias("rmse"),
            F.corr("proxy", "truth").alias("r"),
        ).collect()
    }  # fmt: skip
    assert set(computed) == set(SOLAR[model])
    for name, (bias, rmse, r) in SOLAR[model].items():
        assert computed[name][:2] == pytest.approx((bias, rmse), abs=1.5), name
        assert computed[name][2] == pytest.approx(r, abs=2e-3), name
    if model == "haurwitz":
        assert all(abs(bias) <= 20 and r >= 0.85 for bias, _, r in computed.values())


def test_gold_counts_its_source_rows(pack_lake: dict[str, str]) -> None:
    for table in ("gold.weather_daily", "gold.weather_monthly"):
        (line,) = "".join(
            path.read_text() for path in Path(pack_lake[table], "_audit").glob("part-*")
        ).splitlines()
        assert json.loads(line)["rows_in"] == 31_524
