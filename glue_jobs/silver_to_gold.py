"""Make the gold tables of weather: wind and sun by day, month, hour and condition, from silver.weather_observation."""

import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession, Window
from pyspark.sql import functions as F

import weather_descriptions
from changes import Changes, FullRunNeeded, carry_over, explain_full_run, read_changes
from job_config import WEATHER, config_hash, read_config
from lake import JobArguments, QualityError, arguments, spark_session, write_audit, write_table
from query_planning import planned_for
from weather_formulas import direction_of, weibull_c, weibull_k, wind_class, wind_power_density
from weather_hours import hours_of, read_observations, read_places
from weather_patterns import conditions, hours_of_day, rank_days, wind_rose
from weather_places import ChangedPlaces, PlaceCounts, changed_places, count_by_place, totals, write_counts

SOURCE = "silver.weather_observation"
FEW_TABLES = 2  # for more than these, keeping the hours in memory costs less than making them again
_DAY = ("city_key", "local_month", "local_date")
_MONTH = ("city_key", "local_month")
_ROUNDING = 1e-9
_LONGEST_DAY_H = 25  # the day clocks are put back
_CHECKS = ("observations", "is_sound")  # looked at while the table is written, not part of it
_NOTHING_LOST: Mapping[str, Any] = {"merged": 0, "rejected": 0, "flags": {}}

_SHARED_COLUMNS = (
    "temp_mean_c", "temp_min_c", "temp_max_c", "humidity_mean_pct", "pressure_station_mean_hpa",
    "air_density_mean_kgm3", "wind_speed_mean_ms", "wind_speed_max_ms", "wind_gust_max_ms", "wind_dir_mean_deg",
    "wind_dir_steadiness", "wpd10_mean_wm2", "wpd_hub_mean_wm2", "cf_proxy", "clouds_mean_pct", "ghi_proxy_kwh_m2",
    "clear_sky_kwh_m2", "clearness_proxy", "pv_proxy_kwh_m2", "rain_mm", "snow_mm",
)  # fmt: skip
_DISTRIBUTION_COLUMNS = (
    "weibull_k", "weibull_c_ms", "wpd10_p50", "wpd10_p90", "hours_below_cut_in_pct", "hours_rated_pct", "wind_class",
)  # fmt: skip


def days_of(hours: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return gold.weather_daily: one row per place and local date; energy only where the day is complete.

    A day is complete with enough hours that have a temperature. Its wind energy is known only with as many hours
    that have wind power: a sum over fewer would look like a day of little wind.
    """
    energy = (F.sum("wpd10") / 1000).alias("energy")
    counts = (F.count("temp_c").alias("temperature_hours"), F.count("wpd10").alias("power_hours"))
    days = _summarise(hours.groupBy(*_DAY).agg(*_shared_aggregates(), *counts, energy))
    least = config["min_hours_per_day"]
    complete = F.col("temperature_hours") >= least
    finished = days.withColumns(
        {
            "is_complete": complete,
            "wind_energy_kwh_m2": F.when(complete & (F.col("power_hours") >= least), F.col("energy")),
            "is_sound": F.col("is_sound") & (F.col("hours_observed") <= _LONGEST_DAY_H),
        }
    )
    head = ("city_key", "local_date", "hours_observed", "is_complete")
    return finished.select(*head, *_SHARED_COLUMNS, "wind_energy_kwh_m2", *_CHECKS)


def months_of(hours: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return gold.weather_monthly: one row per place and local month, with the distribution of the hourly wind."""
    in_day = F.count("temp_c").over(Window.partitionBy(*_DAY))
    months = hours.withColumn("is_complete", in_day >= config["min_hours_per_day"]).groupBy(*_MONTH)
    summarised = _summarise(months.agg(*_shared_aggregates(), *_distribution_aggregates(config)))
    mean_ms, deviation_ms = F.col("wind_speed_mean_ms"), F.col("deviation_ms")
    hours_in_month = 24 * F.dayofmonth(F.last_day("local_month"))
    finished = summarised.withColumns(
        {
            "year": F.year("local_month"),
            "month": F.month("local_month"),
            "coverage_pct": 100 * F.col("hours_observed") / hours_in_month,
            "weibull_k": weibull_k(mean_ms, deviation_ms),
            "weibull_c_ms": weibull_c(mean_ms, weibull_k(mean_ms, deviation_ms)),
            "wpd10_p50": F.col("percentiles")[0],
            "wpd10_p90": F.col("percentiles")[1],
            "wind_class": wind_class(F.col("wpd10_mean_wm2")),
        }
    )
    head = ("city_key", "year", "month", "hours_observed", "days_observed", "days_complete", "coverage_pct")
    return finished.select(*head, *_SHARED_COLUMNS, *_DISTRIBUTION_COLUMNS, *_CHECKS)


TABLES: Mapping[str, Callable[[DataFrame, Mapping[str, Any]], DataFrame]] = {
    "gold.weather_daily": days_of,
    "gold.weather_monthly": months_of,
    "gold.wind_rose_monthly": lambda hours, _: wind_rose(hours),
    "gold.potential_hour_month": lambda hours, _: hours_of_day(hours),
    "gold.potential_by_condition": lambda hours, _: conditions(hours),
    "gold.day_ranking": lambda hours, config: rank_days(days_of(hours, config), config),
}


def _shared_aggregates() -> list[Column]:
    """Return the aggregates of hours that a day and a month share."""
    powered = F.when(F.col("wpd10").isNotNull(), F.col("wind_speed_ms"))
    return [
        F.count(F.lit(1)).cast("int").alias("hours_observed"),
        F.sum("observations").alias("observations"),
        F.avg("temp_c").alias("temp_mean_c"),
        F.min("temp_min_c").alias("temp_min_c"),
        F.max("temp_max_c").alias("temp_max_c"),
        F.avg("humidity_pct").alias("humidity_mean_pct"),
        F.avg("pressure_station_hpa").alias("pressure_station_mean_hpa"),
        F.avg("air_density_kgm3").alias("air_density_mean_kgm3"),
        F.avg("wind_speed_ms").alias("wind_speed_mean_ms"),
        F.max("wind_speed_max_ms").alias("wind_speed_max_ms"),
        F.max("wind_gust_max_ms").alias("wind_gust_max_ms"),
        F.avg("dir_sin").alias("east"),
        F.avg("dir_cos").alias("north"),
        F.avg("wpd10").alias("wpd10_mean_wm2"),
        F.avg("wpd_hub").alias("wpd_hub_mean_wm2"),
        F.avg("cf").alias("cf_proxy"),
        F.avg("clouds_pct").alias("clouds_mean_pct"),
        (F.sum("ghi_wm2") / 1000).alias("ghi_proxy_kwh_m2"),
        (F.sum("clear_sky_wm2") / 1000).alias("clear_sky_kwh_m2"),
        (F.sum("pv_wh_m2") / 1000).alias("pv_proxy_kwh_m2"),
        F.sum("rain_1h_mm").alias("rain_mm"),
        F.sum("snow_1h_mm").alias("snow_mm"),
        F.min("density_min").alias("density_min"),
        F.avg(powered).alias("powered_speed_ms"),
    ]


def _distribution_aggregates(config: Mapping[str, Any]) -> list[Column]:
    at_hub = F.col("hub_speed_ms")
    rated = (at_hub >= config["rated_ms"]) & (at_hub < config["cut_out_ms"])
    complete = F.when(F.col("is_complete"), F.col("local_date"))
    return [
        F.size(F.collect_set("local_date")).alias("days_observed"),
        F.size(F.collect_set(complete)).alias("days_complete"),
        F.stddev_pop("wind_speed_ms").alias("deviation_ms"),
        F.percentile("wpd10", F.array(F.lit(0.5), F.lit(0.9))).alias("percentiles"),
        (100 * F.avg((at_hub < config["cut_in_ms"]).cast("int"))).alias("hours_below_cut_in_pct"),
        (100 * F.avg(rated.cast("int"))).alias("hours_rated_pct"),
    ]


def _summarise(grouped: DataFrame) -> DataFrame:
    """Add directions and ratios, and whether the row obeys the laws of its table."""
    east, north = F.col("east"), F.col("north")
    clear, shaded = F.col("clear_sky_kwh_m2"), F.col("ghi_proxy_kwh_m2")
    steadiness = F.hypot(east, north)
    summarised = grouped.withColumns(
        {
            "wind_dir_mean_deg": direction_of(east, north),
            # `least` passes over nulls: without the condition, no wind would be the steadiest.
            "wind_dir_steadiness": F.when(steadiness.isNotNull(), F.least(steadiness, F.lit(1.0))),
            "clearness_proxy": F.when((clear > 0) & shaded.isNotNull(), F.least(shaded / clear, F.lit(1.0))),
        }
    )
    return summarised.withColumn("is_sound", _is_sound())


def _is_sound() -> Column:
    """Check that shares lie in 0..1 and the mean of cubes is at least the cube of the mean (Jensen's inequality)."""
    cube_of_mean = wind_power_density(F.col("density_min"), F.col("powered_speed_ms"))
    laws = (
        F.col("cf_proxy").between(0, 1 + _ROUNDING),
        F.col("clearness_proxy").between(0, 1 + _ROUNDING),
        F.col("wpd10_mean_wm2") >= cube_of_mean * (1 - _ROUNDING),
    )
    unknown_or_true = [F.coalesce(law, F.lit(True)) for law in laws]
    return unknown_or_true[0] & unknown_or_true[1] & unknown_or_true[2]


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write the gold tables that the run has as outputs.

    Raises:
        QualityError: A row breaks a law of its table.
    """
    config = read_config(WEATHER, job.config)
    changes = read_changes(spark, job.changes)
    observations, changed, explanation = _observations(spark, job, changes)
    if observations is not None:
        # A full run is planned as ever, also a small one.
        with planned_for(spark, observations) if changed else nullcontext():
            facts = {**_NOTHING_LOST, **explanation}
            counts = _write_tables(spark, job, hours_of(observations, config), config, changed, facts)
    elif changes is not None and changed is not None:
        carry_over(spark, job, changes, weather_descriptions)
        counts = changed.counts
    if changes is not None:
        write_counts(spark, changes, counts)


def _observations(
    spark: SparkSession, job: JobArguments, changes: Changes | None
) -> tuple[DataFrame | None, ChangedPlaces | None, Mapping[str, str]]:
    """Return the rows of the places that have changed, None if there are none, and what is kept of the others.

    If they cannot be kept, return all rows, None, and what the reports say of why.
    """
    explanation: Mapping[str, str] = {}
    if changes is not None and changes.base:
        try:
            changed = changed_places(spark, changes, SOURCE, job.outputs)
            rows = read_places(spark, job.inputs[SOURCE], changed.places) if changed.places else None
            return rows, changed, explanation
        except FullRunNeeded as reason:
            explanation = explain_full_run("silver_to_gold", reason)
    return read_observations(spark, job.inputs[SOURCE]), None, explanation


def _write_tables(
    spark: SparkSession,
    job: JobArguments,
    hours: DataFrame,
    config: Mapping[str, Any],
    changed: ChangedPlaces | None,
    facts: Mapping[str, Any],
) -> PlaceCounts:
    """Write every table; return the counts of its places, of which only an incremental job has a use.

    Each report has, next to its counts, these facts.
    """
    if len(job.outputs) > FEW_TABLES:
        hours.persist()
    version = F.lit(config_hash(config))
    tables = {table: TABLES[table](hours, config).withColumn("config_hash", version) for table in job.outputs}
    for table, rows in tables.items():
        if job.changes:
            rows.persist()  # small, and counted once more below
        _write_checked(spark, rows, table, job, changed, facts)
    counts = count_by_place(tables) if job.changes else {}
    for rows in (hours, *tables.values()):
        rows.unpersist()
    others = {table: changed.counts_of_others(table) if changed else {} for table in counts}
    return {table: {**others[table], **of_places} for table, of_places in counts.items()}


def _write_checked(
    spark: SparkSession,
    rows: DataFrame,
    table: str,
    job: JobArguments,
    changed: ChangedPlaces | None,
    facts: Mapping[str, Any],
) -> None:
    counts = Observation(table)
    unsound = F.count_if(~F.col("is_sound")).alias("unsound")
    observed = rows.observe(
        counts, F.count(F.lit(1)).alias("rows_out"), F.sum("observations").alias("rows_in"), unsound
    ).drop(*_CHECKS)
    others = changed.counts_of_others(table) if changed else {}
    written = observed.unionByName(changed.others(spark, table, observed)) if changed and others else observed
    write_table(written, job.outputs[table])
    counted, kept = counts.get, totals(others)
    audit = {name: (counted[name] or 0) + kept[name] for name in ("rows_in", "rows_out")}
    write_audit(spark, job.audit_location(table), {"table": table, **audit, **facts}, weather_descriptions)
    if counted["unsound"]:
        raise QualityError(f"{counted['unsound']} rows of {table} break a law of physics")


if __name__ == "__main__":
    run(spark_session("silver_to_gold"), arguments(sys.argv))
