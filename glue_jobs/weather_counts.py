"""What a run of bronze_to_silver counted while it wrote, and the checks that must hold before it is published."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from lake import GENERATION, QualityError, read_files
from weather_observations import OTHER_FILES, file_name
from weather_quality import CODES, EARLIEST_DT
from weather_shapes import EXPECTED
from weather_units import KELVIN_ABOVE

TABLE = "silver.weather_observation"
# What the table exists for; a stream without any of these is not weather, or has another shape.
ESSENTIALS = ("temp_source_unit", "pressure_msl_hpa", "pressure_station_hpa", "humidity_pct", "wind_speed_ms")
EXAMPLES = 5
NO_TIME = 1e15  # seconds: no clock gets there
MOST_FIELDS = 60
EXAMPLE_LENGTH = 300  # characters


def count_screened(screened: DataFrame) -> tuple[DataFrame, Observation]:
    """Count documents, as `document_counts` says, while they are read, with no extra pass."""
    counts = Observation("screened")
    return screened.observe(counts, *document_counts(screened)), counts


def document_counts(screened: DataFrame) -> list[Column]:
    """Return the aggregates of documents: their number, rejections, signs of the units, generation.

    `suspects` are the places that have rejected documents, as one text: an observation gives back no arrays.
    `first_future` is the least `dt` that was rejected because it lies in the future.
    """
    is_rejected = F.col("reason").isNotNull()
    is_future = (F.col("reason") == "DT_MISSING") & F.col("dt").between(EARLIEST_DT, NO_TIME)
    generation = F.col(GENERATION) if GENERATION in screened.columns else F.lit(None).cast("long")
    return [
        F.count(F.lit(1)).alias("rows_in"),
        F.count("reason").alias("rejected"),
        F.count("temp_source_unit").alias("temperatures"),
        F.count_if(F.col("temp_source_unit") > KELVIN_ABOVE).alias("hot"),
        F.count(F.coalesce(*ESSENTIALS)).alias("measured"),
        F.count_if(F.coalesce("reason", F.lit("MEASURES_MISSING")) == "MEASURES_MISSING").alias("placed"),
        _as_text(F.when(is_rejected, F.col("city_key")), " ").alias("suspects"),
        F.max(generation).alias("generation"),
        F.min(F.when(is_future, F.col("dt"))).alias("first_future"),
    ]


def count_observations(silver: DataFrame) -> tuple[DataFrame, Observation]:
    """Count rows while the table is written: `row_counts`, and as text the partitions and the companions.

    Companions are the names of files that hold documents of one row, the file of the row first.

    Args:
        silver: The rows of `observe_with_files`. The column of the other files is not in what is returned.
    """
    counts = Observation("observations")
    partition = F.concat_ws("/", F.col("city_key"), F.col("year").cast("string"))
    files = F.concat_ws("/", file_name(F.col("source_file")), F.array_sort(OTHER_FILES))
    texts = (
        _as_text(partition, "\n").alias("partitions"),
        _as_text(F.when(F.col(OTHER_FILES).isNotNull(), files), "\n").alias("companions"),
    )
    return silver.observe(counts, *row_counts(), *texts).drop(OTHER_FILES), counts


def row_counts() -> list[Column]:
    """Return the aggregates of rows: their number, merged documents and every flag."""
    by_flag = [F.count_if(F.array_contains("dq_flags", code)).alias(code) for code in CODES]
    merged = F.coalesce(F.sum(F.col("source_rows") - 1), F.lit(0)).alias("merged")
    return [F.count(F.lit(1)).alias("rows_out"), merged, *by_flag]


def _as_text(values: Column, separator: str) -> Column:
    """Return an aggregate of the distinct values, which have no such separator, as one text."""
    return F.concat_ws(separator, F.collect_set(values))


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


def name_fields(spark: SparkSession, location: str | Sequence[str]) -> str:
    """Return the fields of a bronze stream as one text; those of its first document where it is schemaless."""
    files = read_files(spark, location)
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


def check_places(suspects: Iterable[str], places: Iterable[str]) -> None:
    """Check that every place that had documents has a row.

    Args:
        suspects: The city keys of the places that have rejected documents.
        places: The city keys of the table.

    Raises:
        QualityError: Every document of a place was rejected.
    """
    lost = sorted(set(suspects) - set(places))
    if lost:
        raise QualityError(f"every document was rejected of: {', '.join(lost[:EXAMPLES])}")
