"""What a run of bronze_to_silver counted while it wrote, and the checks that must hold before it is published."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from lake import QualityError
from weather_quality import CODES

TABLE = "silver.weather_observation"
KELVIN_ABOVE = 150.0  # no place on Earth is as hot in Celsius or as cold in Kelvin
EXAMPLES = 5
EXAMPLE_LENGTH = 300  # characters


def count_screened(screened: DataFrame) -> tuple[DataFrame, Observation]:
    """Count documents, rejections, and what tells of the units, while they are read and at no extra pass.

    `suspects` are the places that have rejected documents, as one text: an observation gives back no arrays.
    """
    counts = Observation("screened")
    found = (
        F.count(F.lit(1)).alias("rows_in"),
        F.count("reason").alias("rejected"),
        F.count("temp_c").alias("temperatures"),
        F.count_if(F.col("temp_c") > KELVIN_ABOVE).alias("hot"),
        F.concat_ws(" ", F.collect_set(F.when(F.col("reason").isNotNull(), F.col("city_key")))).alias(
            "suspects"
        ),
    )
    return screened.observe(counts, *found), counts


def count_observations(silver: DataFrame) -> tuple[DataFrame, Observation]:
    """Count rows, merged documents and every flag while the table is written."""
    counts = Observation("observations")
    found = [F.count_if(F.array_contains("dq_flags", code)).alias(code) for code in CODES]
    totals = (
        F.count(F.lit(1)).alias("rows_out"),
        F.coalesce(F.sum(F.col("source_rows") - 1), F.lit(0)).alias("merged"),
    )
    return silver.observe(counts, *totals, *found), counts


def make_audit(screened: Mapping[str, Any], observations: Mapping[str, Any]) -> dict[str, Any]:
    """The row counts of the table, with the flags that occurred."""
    read = {name: screened[name] for name in ("rows_in", "rejected")}
    written = {name: observations[name] for name in ("rows_out", "merged")}
    found = {code: observations[code] for code in CODES if observations[code]}
    return {"table": TABLE, **read, **written, "flags": found}


def check_counts(
    audit: Mapping[str, Any], max_reject_share: float, tell: Callable[[], str] = lambda: ""
) -> None:
    """Raise QualityError when rows were lost or too many documents were rejected; `tell` says which."""
    if audit["rows_in"] != audit["rows_out"] + audit["merged"] + audit["rejected"]:
        raise QualityError(f"rows in are not rows out, merged and rejected: {json.dumps(audit)}")
    if audit["rejected"] > max_reject_share * audit["rows_in"]:
        raise QualityError(
            f"{audit['rejected']} of {audit['rows_in']} documents rejected, more than {max_reject_share:.1%}: {tell()}"
        )


def tell_rejections(screened: DataFrame) -> str:
    """The commonest reasons, each with its number of documents and an example."""
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
    """Raise QualityError when a place that had documents has no row; `suspects` are city keys with blanks between."""
    if not suspects:
        return
    kept = silver.where(F.col("city_key").isin(suspects.split())).select("city_key").distinct()
    lost = sorted(set(suspects.split()) - {row.city_key for row in kept.collect()})
    if lost:
        raise QualityError(f"every document was rejected of: {', '.join(lost[:EXAMPLES])}")


def check_units(screened: Mapping[str, Any], units: str) -> None:
    """Raise QualityError when the median temperature is not one of the units the settings name."""
    if not screened["temperatures"]:
        return
    is_kelvin = 2 * screened["hot"] > screened["temperatures"]
    if is_kelvin and units != "standard":
        raise QualityError(
            f"the median temperature is above {KELVIN_ABOVE:.0f}, so it is in Kelvin, but the job's setting units is "
            f'"{units}"; say units = "standard" in [glue.jobs.bronze_to_silver.config]'
        )
    if units == "standard" and not is_kelvin:
        raise QualityError(
            f"the median temperature is not above {KELVIN_ABOVE:.0f}, so it is not in Kelvin, but the job's setting "
            'units is "standard"; say units = "metric" in [glue.jobs.bronze_to_silver.config]'
        )
