"""Hours of weather from single observations, which come every hour at one place and at any minute at another."""

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from changes import FullRunNeeded
from weather_formulas import CALM_MS, capacity_factor, hub_speed, normalised_speed, wind_power_density
from weather_solar import below_clouds, clear_sky, sine_of_elevation

# Stated, not inferred: no pass over the files, and a city whose key is all digits stays text.
OBSERVATIONS = """
    observed_at timestamp, utc_offset_s int, lat double, lon double, temp_c double,
    pressure_station_hpa double, humidity_pct double, wind_speed_ms double, wind_gust_ms double, wind_dir_deg double,
    clouds_pct double, rain_1h_mm double, snow_1h_mm double, weather_main string, air_density_kgm3 double,
    city_key string, year int
"""

_MEANS = (
    "temp_c", "pressure_station_hpa", "humidity_pct", "air_density_kgm3", "wind_speed_ms", "wpd10", "wpd_hub",
    "hub_speed_ms", "cf", "dir_sin", "dir_cos", "clouds_pct", "clear_sky_wm2", "ghi_wm2", "pv_wh_m2",
    "rain_1h_mm", "snow_1h_mm",
)  # fmt: skip


def read_observations(spark: SparkSession, location: str) -> DataFrame:
    """Return the columns of silver.weather_observation from which gold is made."""
    return spark.read.schema(OBSERVATIONS).parquet(location)


def read_places(spark: SparkSession, location: str, places: Iterable[str]) -> DataFrame:
    """Return the same columns of some places; the folders of other places are not even listed.

    Raises:
        FullRunNeeded: A place has no rows.
    """
    folders = [f"{location.rstrip('/')}/city_key={place}" for place in sorted(places)]
    try:
        return spark.read.schema(OBSERVATIONS).option("basePath", location).parquet(*folders)
    except AnalysisException as error:
        if error.getErrorClass() != "PATH_NOT_FOUND":
            raise
        raise FullRunNeeded("a place has no rows any more") from error


def hours_of(observations: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return one row per place and UTC hour with data: the means of its observations, and their number.

    Power is averaged, never computed from an average. An hour belongs to the local date it begins on, whole, also
    where clocks are half an hour apart from UTC's. The rows of a place and local month are brought together
    once, in order of time: no table of gold needs another exchange, and sums come out the same in every run.
    """
    hour = F.date_trunc("hour", "observed_at")
    local = F.timestamp_seconds(F.unix_timestamp(hour) + F.col("utc_offset_s"))
    together = (
        observations.withColumns({"hour": hour, "local_date": F.to_date(local), "local_hour": F.hour(local)})
        .withColumn("local_month", F.trunc("local_date", "month"))
        .repartition("city_key", "local_month")
        .sortWithinPartitions("city_key", "local_month", "observed_at")
    )
    rates = _with_sun(_with_power(together, config), config)
    means = [F.avg(name).alias(name) for name in _MEANS]
    extremes = [
        F.min("temp_c").alias("temp_min_c"),
        F.max("temp_c").alias("temp_max_c"),
        F.min("air_density_kgm3").alias("density_min"),
        F.max("wind_speed_ms").alias("wind_speed_max_ms"),
        F.max("wind_gust_ms").alias("wind_gust_max_ms"),
        F.min("local_hour").alias("local_hour"),
        F.max_by("weather_main", "observed_at").alias("weather_main"),
        F.count(F.lit(1)).alias("observations"),
    ]
    return rates.groupBy("city_key", "local_month", "local_date", "hour").agg(*means, *extremes)


def _with_power(observations: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    density, speed, direction = map(F.col, ("air_density_kgm3", "wind_speed_ms", "wind_dir_deg"))
    at_hub = hub_speed(speed, config["hub_height_m"], config["shear_alpha"])
    curve = (config["cut_in_ms"], config["rated_ms"], config["cut_out_ms"])
    blowing = F.when(speed >= CALM_MS, F.radians(direction))
    powered = observations.withColumns(
        {
            "wpd10": wind_power_density(density, speed),
            "wpd_hub": wind_power_density(density, at_hub),
            "hub_speed_ms": normalised_speed(at_hub, density),
            "dir_sin": F.sin(blowing),
            "dir_cos": F.cos(blowing),
        }
    )
    return powered.withColumn("cf", capacity_factor(F.col("hub_speed_ms"), *curve))


def _with_sun(observations: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Solar columns; null where no cloud cover was observed, for a sky of unknown cover is not a clear one."""
    sine = sine_of_elevation(F.col("observed_at").cast("double"), F.col("lat"), F.col("lon"))
    clear: Column = F.when(F.col("clouds_pct").isNotNull(), clear_sky(sine, config["clear_sky"]))
    yield_share = config["pv_efficiency"] * config["pv_performance_ratio"]
    lit = observations.withColumn("clear_sky_wm2", clear)
    shaded = lit.withColumn("ghi_wm2", below_clouds(F.col("clear_sky_wm2"), F.col("clouds_pct")))
    return shaded.withColumn("pv_wh_m2", F.col("ghi_wm2") * yield_share)
