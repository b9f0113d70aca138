"""Make the gold.f1_* tables: championships and their reconciliation with the official standings, races, circuits."""

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from f1_config import config_hash, read_config
from f1_races import circuit_stats, circuit_wins, pit_stats, quali_vs_race, teammate_h2h
from f1_seasons import (
    Seasons,
    constructor_championship,
    constructor_progression,
    driver_championship,
    driver_progression,
    reconciliation,
)
from lake import JobArguments, QualityError, arguments, spark_session, write_audit, write_table

RECONCILIATION = "gold.f1_standings_reconciliation"
WRITERS = 4  # each table is one small task: several at a time fill the cores
EXAMPLES = 5

TABLES: Mapping[str, tuple[Callable[[Seasons], DataFrame], tuple[str, ...]]] = {
    "gold.f1_driver_championship": (driver_championship, ("season", "driver_id")),
    "gold.f1_constructor_championship": (constructor_championship, ("season", "constructor_id")),
    RECONCILIATION: (reconciliation, ("season", "round", "kind", "entity_id")),
    "gold.f1_driver_points_progression": (driver_progression, ("season", "round", "driver_id")),
    "gold.f1_constructor_points_progression": (
        constructor_progression,
        ("season", "round", "constructor_id"),
    ),
    "gold.f1_quali_vs_race": (quali_vs_race, ("season", "round", "driver_id")),
    "gold.f1_pit_stats": (pit_stats, ("season", "round", "constructor_id")),
    "gold.f1_teammate_h2h": (teammate_h2h, ("season", "constructor_id", "driver_a", "driver_b")),
    "gold.f1_circuit_stats": (circuit_stats, ("circuit_id",)),
    "gold.f1_circuit_wins": (circuit_wins, ("circuit_id", "driver_id")),
}


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write every table that is asked for; raise QualityError if the standings do not reconcile."""
    config = read_config(job.config)
    version = F.lit(config_hash(config))
    with ThreadPoolExecutor(WRITERS) as threads:
        # One task for all of a table: seasons are some hundred rows, less than a shuffle costs.
        tables = threads.map(lambda location: spark.read.parquet(location).coalesce(1), job.inputs.values())
        seasons = Seasons(spark, dict(zip(job.inputs, tables, strict=True)), config)

        def write(table: str) -> None:
            make, key = TABLES[table]
            rows = make(seasons).withColumns({"run_id": F.lit(job.run_id), "config_hash": version})
            _write(spark, rows.coalesce(1).sortWithinPartitions(*key), table, job.outputs[table])

        list(threads.map(write, job.outputs))
    if RECONCILIATION in job.outputs:
        check_reconciliation(spark.read.parquet(job.outputs[RECONCILIATION]))


def _write(spark: SparkSession, rows: DataFrame, table: str, location: str) -> None:
    counts = Observation(table)
    write_table(rows.observe(counts, F.count(F.lit(1)).alias("rows_out")), location)
    rows_out = counts.get["rows_out"]
    audit = {
        "table": table,
        "rows_in": rows_out,
        "rows_out": rows_out,
        "merged": 0,
        "rejected": 0,
        "flags": {},
    }
    write_audit(spark, location, audit)


def check_reconciliation(rows: DataFrame) -> None:
    """Raise QualityError when a difference to the official standings is not a known ruling."""
    wrong = rows.where("status = 'points_diff'").orderBy("season", "round", "kind", "entity_id")
    first = wrong.limit(EXAMPLES).collect()
    if first:
        told = "; ".join(
            f"{row.season} round {row['round']} {row.kind} {row.entity_id}: computed {row.computed_points}, "
            f"official {row.official_points}"
            for row in first
        )
        raise QualityError(f"standings do not reconcile: {told}")


def main() -> None:
    """The Glue job."""
    job = arguments(sys.argv)
    run(spark_session("silver_to_gold_api"), job)


if __name__ == "__main__":
    main()
