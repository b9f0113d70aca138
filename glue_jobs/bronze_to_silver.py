"""Make silver.weather_observation: one cleaned row per place and time from the weather documents in bronze."""

import sys
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

import weather_descriptions
from job_config import WEATHER, config_hash, read_config
from lake import JobArguments, arguments, read_stream, spark_session, write_audit, write_table
from weather_counts import (
    TABLE,
    check_counts,
    check_places,
    check_shape,
    count_observations,
    count_screened,
    describe_rejections,
    make_audit,
    name_fields,
)
from weather_documents import (
    BRONZE,
    DRIZZLE,
    MEASURES,
    NUMBERS,
    OPTIONAL,
    SNOW,
    SOURCE_UNIT,
    TEMPERATURES,
    by_severity,
    flatten_documents,
)
from weather_formulas import (
    CALM_MS,
    KELVIN,
    STANDARD_PRESSURE_HPA,
    air_density,
    city_key,
    standard_factor,
)
from weather_quality import flags, null_impossible, rejection_reason, rejections
from weather_shapes import FLAT
from weather_units import check_units

REJECTS = "silver_rejects.weather_observation"
SOURCE = "bronze.mongodb_observations"
KEY = ("city_key", "year", "observed_at")
OBJECT_ID_DIGITS = 24
# As columns, not as one struct, which would be made and carried through the sort for every document.
_INGESTION_ORDER = ("id_age", "_airbyte_extracted_at", "source_file", "source_row")

_COLUMNS = (
    "city_key", "city_name", "observed_at", "utc_offset_s", "local_date", "local_hour", "lat", "lon",
    *(f"{name}_c" for name in TEMPERATURES), "pressure_msl_hpa", "pressure_station_hpa", "pressure_source",
    "humidity_pct",
    "wind_speed_ms", "wind_gust_ms", "wind_dir_deg", "clouds_pct", "rain_1h_mm", "snow_1h_mm", "precip_from_3h",
    "visibility_m", "weather_id", "weather_main", "weather_description", "weather_ids", "air_density_kgm3",
    "source_rows", "dq_flags", "ingested_at", "run_id", "config_hash", "source_file", "year",
)  # fmt: skip


def screen_documents(bronze: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return flat documents with their key, and the `reason` of those that must be rejected."""
    documents = flatten_documents(bronze)
    named = documents.withColumns(
        {
            "city_is_default": F.col("city_name").isNull() & F.lit(config["default_city"] is not None),
            "city_name": F.coalesce("city_name", F.lit(config["default_city"]).cast("string")),
        }
    ).withColumn("city_key", city_key(F.col("city_name")))
    return named.withColumn("reason", rejection_reason(rejections()))


def observe_weather(
    screened: DataFrame, config: Mapping[str, Any], lineage: Mapping[str, Column]
) -> DataFrame:
    """Return kept documents as rows of silver.weather_observation, sorted by the key within each file."""
    at = F.timestamp_seconds("dt")
    iso_at = F.substring("dt_iso", 1, 19).cast("timestamp")
    kept = screened.where(F.col("reason").isNull()).withColumns(
        {
            "observed_at": at,
            "year": F.year(at),
            # Compared before the exchange, so that the text is not part of it.
            "is_other_in_iso": F.col("dt_iso").isNotNull() & ~iso_at.eqNullSafe(at),
        }
    )
    merged = _merge_documents(kept)
    cleaned = _clean(merged, config)
    return _derive(cleaned).withColumns(dict(lineage)).select(*_COLUMNS).sortWithinPartitions(*KEY)


def _merge_documents(kept: DataFrame) -> DataFrame:
    """Return one row per place and time: the document ingested last, with the weather entries of its equals.

    Documents are equal if their measures are. A stream that is appended may hold a document twice; then only its
    newest state counts.
    """
    same = Window.partitionBy(*KEY).orderBy(*_INGESTION_ORDER)
    before = same.rowsBetween(Window.unboundedPreceding, -1)
    # Nulls do not change a digest, so it also covers which measures are null.
    measures = (*MEASURES, *(F.col(name).isNull() for name in MEASURES))
    identity = F.when(F.col("_id").isNotNull(), F.xxhash64("_id"))
    in_order = (
        kept.withColumns({"digest": F.xxhash64(*measures), "identity": identity, "id_age": _age_of_id()})
        .repartition("city_key", "year")
        .withColumns(
            {
                "is_last": F.lead(F.lit(False), 1, True).over(same),
                # Without the document itself: most documents are alone, and an empty list costs nothing.
                "earlier": F.collect_list(F.struct("identity", "digest", "weather")).over(before),
            }
        )
    )
    is_alone = F.size("earlier") == 0
    newest = F.filter("earlier", _is_newest_state)
    differs = F.exists(newest, lambda document: document["digest"] != F.col("digest"))
    of_equals = F.filter(newest, lambda document: document["digest"] == F.col("digest"))
    entries = F.flatten(F.transform(of_equals, lambda document: F.coalesce(document["weather"], F.array())))
    own = F.coalesce("weather", F.array())
    ranked = by_severity(F.when(is_alone, own).otherwise(F.concat(entries, own)))
    return in_order.where("is_last").withColumns(
        {
            "source_rows": F.size("earlier") + 1,
            "in_conflict": ~is_alone & differs,
            "weather": ranked,
            "weather_ids": F.sort_array(F.array_compact(ranked["id"])),
        }
    )


def _is_newest_state(document: Column, at: Column) -> Column:
    """Return whether neither a later one of the `earlier` documents nor the last one has the document's identity."""
    later = F.slice("earlier", at + 2, F.size("earlier"))
    is_repeated = F.exists(later, lambda other: other["identity"] == document["identity"])
    is_last_state = F.col("identity") == document["identity"]
    return ~F.coalesce(is_repeated | is_last_state, F.lit(False))


def _age_of_id() -> Column:
    """Return an ObjectId as bytes, which begin with its second of creation; null for any other id.

    Other ids say nothing about age and leave the order to the file. Bytes sort as the hex digits do, at half their
    size.
    """
    is_lower_case = F.lower("_id") == F.col("_id")
    return F.when((F.octet_length("_id") == OBJECT_ID_DIGITS) & is_lower_case, F.unhex("_id"))


def _clean(merged: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Convert to metric units, null impossible values and set all flags."""
    celsius = {f"{name}_c": _celsius(f"{name}{SOURCE_UNIT}", config["units"]) for name in TEMPERATURES}
    metric = merged.withColumns(celsius | _dry())
    placed = metric.withColumn("place", _places(config)[F.col("city_key")])
    return null_impossible(placed).withColumn("dq_flags", flags())


def _dry() -> dict[str, Column]:
    """Read a missing amount as 0 where the document states its weather, and that weather is neither rain nor snow."""
    severities = F.col("weather.severity")  # in rising order; 0 is unknown weather
    is_stated = (F.get(severities, F.lit(0)) > 0) & ~F.col("is_unreadable")
    is_dry = {
        "rain_1h_mm": F.get(severities, F.size("weather") - 1) < DRIZZLE,
        "snow_1h_mm": ~F.array_contains(severities, SNOW),
    }
    return {name: F.coalesce(name, F.when(is_stated & dry, 0.0)) for name, dry in is_dry.items()}


def _celsius(name: str, units: str) -> Column:
    """Return degrees Celsius from a column in the unit of the source."""
    if units == "metric":
        return F.col(name)
    if units == "standard":
        return F.col(name) - KELVIN
    raise ValueError(f"units must be metric or standard (Kelvin), not {units!r}")


def _places(config: Mapping[str, Any]) -> Column:
    """Return the places of the config as a map from city key to position and elevation."""
    entries: list[Column] = []
    for key, place in sorted(config["places"].items()):
        fields = (F.lit(place.get(name)).cast("double").alias(name) for name in ("lat", "lon", "elevation_m"))
        entries += [F.lit(key), F.struct(*fields)]
    empty = F.from_json(F.lit("{}"), "map<string, struct<lat: double, lon: double, elevation_m: double>>")
    return F.create_map(*entries) if entries else empty


def _derive(cleaned: DataFrame) -> DataFrame:
    local = F.timestamp_seconds(F.col("dt") + F.coalesce("timezone", F.lit(0)))
    severest = F.get(F.col("weather"), F.size("weather") - 1)
    blowing = F.when(F.col("wind_speed_ms") < CALM_MS, None).otherwise(F.col("wind_dir_deg"))
    derived = cleaned.withColumns(
        {
            "utc_offset_s": F.coalesce("timezone", F.lit(0)),
            "local_date": F.to_date(local),
            "local_hour": F.hour(local),
            "lat": F.coalesce("lat", "place.lat"),
            "lon": F.coalesce("lon", "place.lon"),
            "wind_dir_deg": F.when(blowing == 360, 0.0).otherwise(blowing),
            **_station_pressure(),
            "weather_id": severest["id"],
            "weather_main": severest["main"],
            "weather_description": severest["description"],
            "ingested_at": F.timestamp_millis(F.col("_airbyte_extracted_at")),
        }
    )
    density = air_density(F.col("temp_c"), F.col("pressure_station_hpa"), F.col("humidity_pct"))
    return derived.withColumn("air_density_kgm3", density)


def _station_pressure() -> dict[str, Column]:
    """Return the pressure at the ground and its source: measured, reduced from sea level, or the standard's."""
    elevation = F.col("place.elevation_m")
    reduced = F.col("pressure_msl_hpa") * standard_factor(elevation)
    standard = STANDARD_PRESSURE_HPA * standard_factor(F.coalesce(elevation, F.lit(0.0)))
    source = (
        F.when(F.col("pressure_station_hpa").isNotNull(), "measured")
        .when(reduced.isNotNull(), "reduced")
        .otherwise("standard")
    )
    return {
        "pressure_station_hpa": F.coalesce("pressure_station_hpa", reduced, standard),
        "pressure_source": source,
    }


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write the table and, if the job has that output, the rejected documents.

    Raises:
        QualityError: The result must not be published.
    """
    config = read_config(WEATHER, job.config)
    lineage = {"run_id": F.lit(job.run_id), "config_hash": F.lit(config_hash(config))}
    bronze = read_stream(spark, job.inputs[SOURCE], BRONZE, (*NUMBERS, *FLAT), OPTIONAL)
    documents = screen_documents(bronze, config)
    screened, screened_counts = count_screened(documents)
    silver, silver_counts = count_observations(observe_weather(screened, config, lineage))
    write_table(silver, job.outputs[TABLE], ("city_key", "year"))
    audit = make_audit(screened_counts.get, silver_counts.get)
    write_audit(spark, job.audit_location(TABLE), audit, weather_descriptions)
    if REJECTS in job.outputs:
        rejected = rejects(documents, lineage)
        # Without rejections the documents are not read a second time.
        write_table(rejected if audit["rejected"] else rejected.limit(0), job.outputs[REJECTS])
        write_audit(
            spark,
            job.audit_location(REJECTS),
            {"table": REJECTS, "rows_out": audit["rejected"]},
            weather_descriptions,
        )
    check_shape(screened_counts.get, lambda: name_fields(spark, job.inputs[SOURCE]))
    check_counts(audit, config["max_reject_share"], lambda: describe_rejections(documents))
    check_places(
        screened_counts.get["suspects"], spark.read.schema("city_key string").parquet(job.outputs[TABLE])
    )
    check_units(screened_counts.get, config["units"])


def rejects(screened: DataFrame, lineage: Mapping[str, Column]) -> DataFrame:
    """Return silver_rejects.weather_observation: the rejected documents, each with its reason and its source."""
    rejected = screened.where(F.col("reason").isNotNull())
    source = ("_id", "source_file", "source_row", "city_name", "dt", "dt_iso", "document")
    return rejected.select("reason", *source, *(value.alias(name) for name, value in lineage.items()))


if __name__ == "__main__":
    run(spark_session("bronze_to_silver"), arguments(sys.argv))
