"""Make the silver tables of SOURCE from bronze: JSON and times unpacked, Airbyte's columns and repeats dropped."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

# Each bronze table, and the silver table that is made of it.
TABLES = {"bronze.table": "silver.table"}
# The columns whose values name a record. Of records with equal keys the one that was extracted last is kept.
KEYS: dict[str, list[str]] = {"silver.table": []}
# Columns that hold JSON as text, with their types as Spark's DDL writes them:
# {"silver.table": {"position": "struct<lat: double, lon: double>", "tags": "array<string>"}}
JSON: dict[str, dict[str, str]] = {}
# Columns that hold times as text, such as 2026-11-29T08:30:00Z: {"silver.table": ["built_at"]}
TIMES: dict[str, list[str]] = {}

GENERATION = "_airbyte_generation_id"
EXTRACTED = "_airbyte_extracted_at"
AIRBYTE = ("_airbyte_", "_ab_")  # how the columns that Airbyte adds begin


def current(bronze: DataFrame) -> DataFrame:
    """Return the records of the newest generation: a sync that replaces the others leaves their files for a while."""
    if GENERATION not in bronze.columns:
        return bronze
    newest = bronze.agg(F.max(GENERATION).alias("newest"))
    return bronze.join(F.broadcast(newest), F.col(GENERATION).eqNullSafe(F.col("newest"))).drop("newest")


def clean(records: DataFrame, table: str) -> DataFrame:
    """Return the rows of a silver table.

    Raises, when the rows are computed, for a value that is not of the type that JSON or TIMES states.
    """
    rows = newest_of_key(records, KEYS.get(table, []))
    rows = rows.drop(*(name for name in rows.columns if name.startswith(AIRBYTE)))
    unpacked = {name: unpack(name, kind) for name, kind in JSON.get(table, {}).items()}
    return rows.withColumns({**unpacked, **{name: moment(name) for name in TIMES.get(table, [])}})


def newest_of_key(records: DataFrame, key: list[str]) -> DataFrame:
    """Return one record of each key; all of them if there is no key."""
    if not key:
        return records
    order = [F.col(EXTRACTED).desc()] if EXTRACTED in records.columns else [F.lit(0)]
    ranked = records.withColumn("rank_of_key", F.row_number().over(Window.partitionBy(*key).orderBy(*order)))
    return ranked.where("rank_of_key = 1").drop("rank_of_key")


def unpack(name: str, kind: str) -> Column:
    """Return a column of JSON text as a value of a type."""
    return F.from_json(F.col(name), kind, {"mode": "FAILFAST"})


def moment(name: str) -> Column:
    """Return a column of times as text as a timestamp in UTC."""
    at = F.to_timestamp(F.col(name))
    wrong = F.concat(F.lit(f"{name} is not a time: "), F.col(name))
    return F.when(F.col(name).isNotNull() & at.isNull(), F.raise_error(wrong).cast("timestamp")).otherwise(at)


def counts(rows_in: int, rows_out: int) -> dict[str, Any]:
    """Return the report on a table. etltctl compares it with the files before readers see the table."""
    return {"rows_in": rows_in, "rows_out": rows_out, "merged": rows_in - rows_out, "rejected": 0}


def main(inputs: Mapping[str, str], outputs: Mapping[str, str], audits: Mapping[str, str]) -> None:
    """Write every silver table once, to a location that is still empty."""
    spark = SparkSession.builder.appName("SOURCE").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    # Without ANSI mode a text that is not a time becomes null, and `moment` can name it.
    spark.conf.set("spark.sql.ansi.enabled", "false")
    for source, target in TABLES.items():
        records = current(spark.read.option("mergeSchema", "true").parquet(inputs[source]))
        clean(records, target).write.mode("error").parquet(outputs[target])
        report = counts(records.count(), spark.read.parquet(outputs[target]).count())
        spark.createDataFrame([(json.dumps(report),)], "value string").coalesce(1).write.text(audits[target])


if __name__ == "__main__":
    from awsglue.utils import getResolvedOptions  # only where the job runs

    options = getResolvedOptions(sys.argv, ["inputs", "outputs", "audits"])
    main(*(json.loads(options[name]) for name in ("inputs", "outputs", "audits")))
