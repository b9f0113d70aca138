"""The gold tables that ask when, from where and under which sky there is potential, and on which days."""

import itertools
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from weather_formulas import CALM_MS, direction_of, sector

CALM = -1
SECTORS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_SPEED_LIMITS_MS = (2, 4, 6, 8, 10)
_CLOUD_LIMITS_PCT = (25, 50, 75)
_MONTH = ("city_key", "local_month")
_ROUNDING = 1e-9


def wind_rose(hours: DataFrame) -> DataFrame:
    """Return gold.wind_rose_monthly: hours by sector and speed; calm hours are sector -1.

    Hours without speed, or with wind from an unknown direction, are in no sector: shares are of all others.
    """
    is_calm = F.col("wind_speed_ms") < CALM_MS
    direction = F.when(~is_calm, sector(direction_of(F.col("dir_sin"), F.col("dir_cos"))))
    blown = hours.withColumns(
        {
            "sector": F.when(is_calm, CALM).otherwise(direction),
            "speed_bin": F.when(is_calm, "calm").otherwise(_speed_bin(F.col("wind_speed_ms"))),
        }
    ).where("sector is not null")
    counted = blown.groupBy("city_key", "local_month", "sector", "speed_bin").agg(
        F.count(F.lit(1)).cast("int").alias("hours"),
        F.sum("observations").alias("observations"),
        F.avg("wpd10").alias("wpd10_mean_wm2"),
    )
    share = 100 * F.col("hours") / F.sum("hours").over(Window.partitionBy("city_key", "local_month"))
    names = F.array(*map(F.lit, SECTORS))
    named = counted.withColumns(
        {
            "year": F.year("local_month"),
            "month": F.month("local_month"),
            "freq_pct": share,
            "sector_name": F.when(F.col("sector") == CALM, "calm").otherwise(F.get(names, F.col("sector"))),
            "is_sound": share.between(0, 100 + _ROUNDING),
        }
    )
    key = ("city_key", "year", "month", "sector", "speed_bin")
    values = ("sector_name", "hours", "freq_pct", "wpd10_mean_wm2", "observations", "is_sound")
    return named.select(*key, *values).sortWithinPartitions(*key)


def hours_of_day(hours: DataFrame) -> DataFrame:
    """Return gold.potential_hour_month: sun and wind over the local day, month by month, all years together."""
    of_months = hours.groupBy(*_MONTH, "local_hour").agg(*_partial_sums("ghi_wm2", "wpd10", "cf"))
    by_hour = _in_order_of_months(of_months).groupBy(
        "city_key", F.month("local_month").alias("month"), "local_hour"
    )
    means = by_hour.agg(
        F.sum("hours").cast("int").alias("hours"),
        _mean("ghi_wm2").alias("ghi_proxy_mean_wm2"),
        _mean("wpd10").alias("wpd10_mean_wm2"),
        _mean("cf").alias("cf_proxy"),
        F.sum("observations").alias("observations"),
    )
    return means.withColumn("is_sound", _is_share("cf_proxy"))


def conditions(hours: DataFrame) -> DataFrame:
    """Return gold.potential_by_condition: potential by weather and cloud cover, against all hours of the place."""
    described = hours.withColumns(
        {
            "weather_main": F.coalesce("weather_main", F.lit("unknown")),
            "clouds_band": _clouds_band(F.col("clouds_pct")),
            "ghi_ratio": F.when(F.col("clear_sky_wm2") > 0, F.col("ghi_wm2") / F.col("clear_sky_wm2")),
        }
    )
    sky = ("weather_main", "clouds_band")
    of_months = described.groupBy(*_MONTH, *sky).agg(*_partial_sums("cf", "ghi_ratio"))
    grouped = _in_order_of_months(of_months).groupBy("city_key", *sky).agg(
        F.sum("hours").cast("int").alias("hours"),
        _mean("cf").alias("cf_proxy"),
        _mean("ghi_ratio").alias("ghi_ratio_mean"),
        F.sum("observations").alias("observations"),
        F.sum("cf_sum").alias("cf_sum"),
        F.sum("cf_count").alias("cf_count"),
    )  # fmt: skip
    place = Window.partitionBy("city_key").orderBy(*sky)
    whole = place.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    overall = F.sum("cf_sum").over(whole) / F.sum("cf_count").over(whole)
    delta = F.when(overall > 0, 100 * (F.col("cf_proxy") / overall - 1))
    sound = _is_share("cf_proxy") & _is_share("ghi_ratio_mean")
    compared = grouped.withColumns({"delta_vs_all_pct": delta, "is_sound": sound})
    return compared.drop("cf_sum", "cf_count")


def _partial_sums(*names: str) -> list[Column]:
    """Return the aggregates of the hours of a month from which `_mean` makes those of all months."""
    sums = [F.sum(name).alias(f"{name}_sum") for name in names]
    counts = [F.count(name).alias(f"{name}_count") for name in names]
    return [F.count(F.lit(1)).alias("hours"), F.sum("observations").alias("observations"), *sums, *counts]


def _mean(name: str) -> Column:
    return F.sum(f"{name}_sum") / F.sum(f"{name}_count")


def _in_order_of_months(of_months: DataFrame) -> DataFrame:
    """Bring the rows of a place together in order of time.

    A sum of doubles depends on the order of its parts. Spark adds what comes first first, and which months are in one
    task depends on how many places there are. So a place's rows would change with other places.
    """
    return of_months.repartition("city_key").sortWithinPartitions(*_MONTH)


def rank_days(days: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return gold.day_ranking from gold.weather_daily: the complete days of most and of least potential."""
    values = F.array(
        F.struct(F.lit("wind").alias("kind"), F.col("wind_energy_kwh_m2").alias("value")),
        F.struct(F.lit("solar").alias("kind"), F.col("ghi_proxy_kwh_m2").alias("value")),
    )
    valued = days.where("is_complete").select("city_key", "local_date", "observations", F.inline(values))
    known = valued.where("value is not null")
    tops = _ranked(known, "top", F.desc("value"))
    ranked = tops.unionByName(_ranked(known, "bottom", F.asc("value")))
    key = ("city_key", "kind", "direction", "rank")
    return (
        ranked.where(F.col("rank") <= config["ranked_days"])
        .select(*key, "local_date", "value", F.lit("kWh/m2").alias("unit"), "observations")
        .withColumn("is_sound", F.col("value") >= 0)
    )


def _ranked(days: DataFrame, direction: str, order: Column) -> DataFrame:
    rank = F.row_number().over(Window.partitionBy("city_key", "kind").orderBy(order, "local_date"))
    return days.withColumns({"direction": F.lit(direction), "rank": rank})


def _speed_bin(speed_ms: Column) -> Column:
    bins = F.when(speed_ms < _SPEED_LIMITS_MS[0], f"{CALM_MS}-{_SPEED_LIMITS_MS[0]}")
    for low, high in itertools.pairwise(_SPEED_LIMITS_MS):
        bins = bins.when(speed_ms < high, f"{low}-{high}")
    return bins.when(speed_ms.isNotNull(), f"{_SPEED_LIMITS_MS[-1]}+")


def _clouds_band(clouds_pct: Column) -> Column:
    limits = (0, *_CLOUD_LIMITS_PCT)
    bands = F.when(clouds_pct.isNull(), "unknown")
    for low, high in itertools.pairwise(limits):
        bands = bands.when(clouds_pct < high, f"{low}-{high}")
    return bands.otherwise(f"{limits[-1]}-100")


def _is_share(name: str) -> Column:
    return F.coalesce(F.col(name).between(0, 1 + _ROUNDING), F.lit(True))
