"""What a run of bronze_to_silver counted while it wrote, and the checks that must hold before it is published."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from lake import QualityError
from weather_quality import CODES
from weather_shapes import EXPECTED
from weather_units import KELVIN_ABOVE

TABLE = "silver.weather_observation"
# What the table exists for; a stream without any of these is not weather, or has another shape.
ESSENTIALS = ("temp_source_unit", "pressure_msl_hpa", "pressure_station_hpa", "humidity_pct", "wind_speed_ms")
EXAMPLES = 5
MOST_FIELDS = 60
EXAMPLE_LENGTH = 300  # characters


def count_screened(screened: DataFrame) -> tuple[DataFrame, Observation]:
    """Count documents, rejections and signs of the units while the documents are read, with no extra pass.

    `suspects` are the places that have rejected documents, as one text: an observation gives back no arrays.
    """
    counts = Observation("screened")
    totals = (
        F.count(F.lit(1)).alias("rows_in"),
        F.count("reason").alias("rejected"),
        F.count("temp_source_unit").alias("temperatures"),
        F.count_if(F.col("temp_source_unit") > KELVIN_ABOVE).alias("hot"),
        F.count(F.coalesce(*ESSENTIALS)).alias("measured"),
        F.count_if(F.coalesce("reason", F.lit("MEASURES_MISSING")) == "MEASURES_MISSING").alias("placed"),
        F.concat_ws(" ", F.collect_set(F.when(F.col("reason").isNotNull(), F.col("city_key")))).alias(
            "suspects"
        ),
    )
    return screened.observe(counts, *totals), counts


def count_observations(silver: DataFrame) -> tuple[DataFrame, Observation]:
    """Count rows, merged documents and every flag while the table is written."""
    counts = Observation("observations")
    by_flag = [F.count_if(F.array_contains("dq_flags", code)).alias(code) for code in CODES]
    totals = (
        F.count(F.lit(1)).alias("rows_out"),
        F.coalesce(F.sum(F.col("source_rows") - 1), F.lit(0)).alias("merged"),
    )
    return silver.observe(counts, *totals, *by_flag), counts


def make_audit(screened: Mapping[str, Any], observations: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row counts of the table, with the flags that occurred."""
    read = {name: screened[name] for name in ("rows_in", "rejected")}
    written = {name: observations[name] for name in ("rows_out", "merged")}
    occurred = {code: observations[code] for code in CODES if observations[code]}
    return {"table": TABLE, **read, **written, "flags": occurred}


def check_shape(screened: Mapping[str, Any], field_names: Callable[[], str]) -> None:
    """Stop a run whose documents have a time and a place but none of the measures that the table is for.

    Args:
        screened: The counts of `count_screened`.
        field_names: Returns the names of the fields that the stream has; called only where the run stops.

    Raises:
        QualityError: No document has a temperature, pressure, humidity or wind speed.
    """
    if screened["placed"] and not screened["measured"]:
        raise QualityError(
            f"none of {screened['rows_in']} documents has a temperature, pressure, humidity or wind speed, "
            f"so silver stays as it was; expected {EXPECTED}; the documents have the fields {field_names()}"
        )


def name_fields(spark: SparkSession, location: str) -> str:
    """Return the fields of a bronze stream as one text; those of its first document where it is schemaless."""
    files = spark.read.option("mergeSchema", "true").parquet(location)
    names = [name for name in files.columns if not name.startswith("_airbyte_")]
    if "data" in names:
        keys = files.where("data is not null").select(F.json_object_keys("data").alias("keys")).first()
        names = list(keys.keys or ()) if keys else []
    return ", ".join(sorted(names)[:MOST_FIELDS]) or "(none)"


def check_counts(
    audit: Mapping[str, Any], max_reject_share: float, describe: Callable[[], str] = lambda: ""
) -> None:
    """Check that no row was lost and that not too many documents were rejected.

    Args:
        audit: The row counts of `make_audit`.
        max_reject_share: The share of rejected documents, 0 to 1, up to which a run may be published.
        describe: Returns a description of the rejections; called only if there are too many.

    Raises:
        QualityError: One of the two does not hold.
    """
    if audit["rows_in"] != audit["rows_out"] + audit["merged"] + audit["rejected"]:
        raise QualityError(f"rows in are not rows out, merged and rejected: {json.dumps(audit)}")
    if audit["rejected"] > max_reject_share * audit["rows_in"]:
        raise QualityError(
            f"{audit['rejected']} of {audit['rows_in']} documents rejected, more than {max_reject_share:.1%}: "
            + describe()
        )


def describe_rejections(screened: DataFrame) -> str:
    """Return the commonest reasons for a rejection, each with its number of documents and an example."""
    example = F.min(F.struct("source_file", "source_row", "document")).alias("example")
    reasons = (
        screened.where("reason is not null").groupBy("reason").agg(F.count(F.lit(1)).alias("n"), example)
    )
    commonest = reasons.orderBy(F.desc("n"), "reason").limit(EXAMPLES).collect()
    return "; ".join(
        f"{row.reason} {row.n} times, as in row {row.example.source_row} of {row.example.source_file}: "
        f"{row.example.document[:EXAMPLE_LENGTH]}"
        for row in commonest
    )


def check_places(suspects: str, silver: DataFrame) -> None:
    """Check that every place that had documents has a row.

    Args:
        suspects: City keys with blanks between.
        silver: The rows that were written.

    Raises:
        QualityError: Every document of a place was rejected.
    """
    if not suspects:
        return
    kept = silver.where(F.col("city_key").isin(suspects.split())).select("city_key").distinct()
    lost = sorted(set(suspects.split()) - {row.city_key for row in kept.collect()})
    if lost:
        raise QualityError(f"every document was rejected of: {', '.join(lost[:EXAMPLES])}")
