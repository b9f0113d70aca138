"""Make silver.weather_observation: one cleaned row per place and time from the weather documents in bronze."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import weather_descriptions
from changes import FullRunNeeded, explain_full_run, read_changes, write_state
from job_config import WEATHER, config_hash, read_config
from lake import JobArguments, arguments, spark_session, write_audit, write_table
from weather_changes import write_changes
from weather_counts import (
    TABLE,
    check_counts,
    check_places,
    check_shape,
    describe_rejections,
    make_audit,
    name_fields,
)
from weather_observations import observe_weather, screen_documents
from weather_quality import latest_dt
from weather_results import SOURCE, SilverResult, SilverRun, write_all
from weather_units import check_units

__all__ = ["SOURCE", "TABLE", "check_counts", "observe_weather", "rejects", "run", "screen_documents"]

REJECTS = "silver_rejects.weather_observation"
_REJECT_COLUMNS = ("_id", "source_file", "source_row", "city_name", "dt", "dt_iso", "document")


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write the table and, if the job has that output, the rejected documents.

    Raises:
        QualityError: The result must not be published.
    """
    config = read_config(WEATHER, job.config)
    lineage = {"run_id": F.lit(job.run_id), "config_hash": F.lit(config_hash(config))}
    changes = read_changes(spark, job.changes)
    this = SilverRun(job, config, lineage, latest_dt(), changes)
    result = _write_silver(spark, this)
    documents = result.state.documents
    audit = make_audit(documents.counts, result.rows)
    facts = result.explanation if result.replaces is None else {"replaces": result.replaces}
    write_audit(spark, job.audit_location(TABLE), {**audit, **facts}, weather_descriptions)
    if REJECTS in job.outputs:
        _write_rejects(spark, this, result)
    if changes is not None:
        write_state(spark, changes, TABLE, result.state.as_json())
    check_shape(documents.counts, lambda: name_fields(spark, this.source))
    check_counts(audit, config["max_reject_share"], lambda: _describe(spark, this, result))
    check_places(documents.suspects, result.state.places)
    check_units(documents.counts, config["units"])
    if result.documents is not None:
        result.documents.unpersist()


def _write_silver(spark: SparkSession, this: SilverRun) -> SilverResult:
    if this.changes is None or not this.changes.base:
        return write_all(spark, this)
    try:
        return write_changes(spark, this)
    except FullRunNeeded as reason:
        explanation = explain_full_run("bronze_to_silver", reason)
    return replace(write_all(spark, this), explanation=explanation)


def _write_rejects(spark: SparkSession, this: SilverRun, result: SilverResult) -> None:
    """Write the rejected documents that the run has read, with the number of all."""
    location = this.job.outputs[REJECTS]
    if result.documents is not None and (result.rejected or result.replaces is None):
        rejected = rejects(result.documents, this.lineage)
        # Without rejections the documents are not read a second time.
        write_table(rejected if result.rejected else rejected.limit(0), location)
    counts = {"table": REJECTS, "rows_out": result.state.documents.counts["rejected"]}
    carried_over = {} if result.replaces is None else {"replaces": []}
    write_audit(spark, this.job.audit_location(REJECTS), {**counts, **carried_over}, weather_descriptions)


def rejects(screened: DataFrame, lineage: Mapping[str, Column]) -> DataFrame:
    """Return silver_rejects.weather_observation: the rejected documents, each with its reason and its source."""
    rejected = screened.where(F.col("reason").isNotNull())
    return rejected.select(
        "reason", *_REJECT_COLUMNS, *(value.alias(name) for name, value in lineage.items())
    )


def _describe(spark: SparkSession, this: SilverRun, result: SilverResult) -> str:
    """Return the commonest reasons for a rejection, with those of the version that the run builds on."""
    parts: list[Any] = []
    if result.documents is not None:
        parts.append(rejects(result.documents, this.lineage))
    if result.replaces is not None and this.changes is not None and REJECTS in this.changes.base:
        parts.append(spark.read.parquet(this.changes.base[REJECTS]))
    rejected = parts[0].unionByName(parts[1]) if len(parts) > 1 else parts[0]
    return describe_rejections(rejected)


if __name__ == "__main__":
    run(spark_session("bronze_to_silver"), arguments(sys.argv))
