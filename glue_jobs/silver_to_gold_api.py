"""Make the gold.f1_* tables: championships and their reconciliation with the official standings, races, circuits."""

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

import f1_descriptions
from changes import Changes, FullRunNeeded, carry_over, explain_full_run, read_changes
from f1_changes import PROVENANCE, TouchedSeasons
from f1_races import circuit_stats, circuit_wins, pit_stats, quali_vs_race, teammate_h2h
from f1_seasons import (
    Seasons,
    constructor_championship,
    constructor_progression,
    driver_championship,
    driver_progression,
    reconciliation,
)
from job_config import F1, config_hash, read_config
from lake import JobArguments, QualityError, arguments, spark_session, write_audit, write_table

FIRST_SEASON = 1991  # the first in which every result counted
EARLY_RULES = (
    "Until 1990 only a driver's best results of a season counted, until 1978 only a constructor's best car, and until "
    "1957 drivers who shared a car shared its points"
)
RECONCILIATION = "gold.f1_standings_reconciliation"
WRITERS = 4  # each table is one small task: several at a time fill the cores
EXAMPLES = 5

RESULT, QUALIFYING, PIT_STOP = "silver.f1_result", "silver.f1_qualifying", "silver.f1_pit_stop"
STANDINGS = ("silver.f1_driver_standing", "silver.f1_constructor_standing")


@dataclass(frozen=True)
class GoldTable:
    """A gold table.

    Attributes:
        make: Makes its rows.
        key: Its key.
        reads: The silver tables whose rows it counts as read.
        has_seasons: Whether each row is of one season, and made of the rows of that season alone. Of any other table
            an incremental job makes all rows again.
    """

    make: Callable[[Seasons], DataFrame]
    key: tuple[str, ...]
    reads: tuple[str, ...]
    has_seasons: bool = False


TABLES: Mapping[str, GoldTable] = {
    "gold.f1_driver_championship": GoldTable(
        driver_championship, ("season", "driver_id"), (RESULT,), has_seasons=True
    ),
    "gold.f1_constructor_championship": GoldTable(
        constructor_championship, ("season", "constructor_id"), (RESULT,), has_seasons=True
    ),
    RECONCILIATION: GoldTable(
        reconciliation, ("season", "round", "kind", "entity_id"), STANDINGS, has_seasons=True
    ),
    "gold.f1_driver_points_progression": GoldTable(
        driver_progression, ("season", "round", "driver_id"), (RESULT,), has_seasons=True
    ),
    "gold.f1_constructor_points_progression": GoldTable(
        constructor_progression, ("season", "round", "constructor_id"), (RESULT,), has_seasons=True
    ),
    "gold.f1_quali_vs_race": GoldTable(
        quali_vs_race, ("season", "round", "driver_id"), (QUALIFYING, RESULT), has_seasons=True
    ),
    "gold.f1_pit_stats": GoldTable(
        pit_stats, ("season", "round", "constructor_id"), (PIT_STOP,), has_seasons=True
    ),
    "gold.f1_teammate_h2h": GoldTable(
        teammate_h2h,
        ("season", "constructor_id", "driver_a", "driver_b"),
        (RESULT, QUALIFYING),
        has_seasons=True,
    ),
    "gold.f1_circuit_stats": GoldTable(circuit_stats, ("circuit_id",), (RESULT,)),
    "gold.f1_circuit_wins": GoldTable(circuit_wins, ("circuit_id", "driver_id"), (RESULT,)),
}


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write the gold tables that the run has as outputs.

    An incremental job makes only the seasons again that have changed, and writes nothing if none has.

    Raises:
        QualityError: The standings do not reconcile.
    """
    changes = read_changes(spark, job.changes)
    touched, explanation = _touched_seasons(job, changes)
    if changes is not None and touched is not None and not touched.seasons:
        carry_over(spark, job, changes, f1_descriptions)
        return
    config = read_config(F1, job.config)
    with ThreadPoolExecutor(WRITERS) as threads:
        # One task for all of a table: seasons are some hundred rows, less than a shuffle costs.
        tables = threads.map(
            lambda location: spark.read.parquet(location).drop(*PROVENANCE).coalesce(1), job.inputs.values()
        )
        all_seasons = Seasons(spark, dict(zip(job.inputs, tables, strict=True)), config)
        read = count_rows(all_seasons.tables)
        lineage = {"run_id": F.lit(job.run_id), "config_hash": F.lit(config_hash(config))}

        def write(table: str) -> None:
            gold = TABLES[table]
            rows = _rows_of(gold, all_seasons, touched).withColumns(lineage)
            if touched is not None and gold.has_seasons:
                rows = touched.with_others(spark, table, rows)
            ordered = rows.coalesce(1).sortWithinPartitions(*gold.key)
            rows_in = sum(read[silver] for silver in gold.reads)
            _write(spark, ordered, table, job, {"rows_in": rows_in, **explanation})

        list(threads.map(write, job.outputs))
    if RECONCILIATION in job.outputs:
        first = min(scheme["from_season"] for scheme in config["points_schemes"])
        check_reconciliation(spark.read.parquet(job.outputs[RECONCILIATION]), first)


def _touched_seasons(
    job: JobArguments, changes: Changes | None
) -> tuple[TouchedSeasons | None, Mapping[str, str]]:
    """Return the seasons that an incremental job makes again.

    If it makes all, return None, and what the reports say of why.
    """
    if changes is None or not changes.base:
        return None, {}
    try:
        changes.require_reports(job.outputs)
        return TouchedSeasons.of(changes, job.inputs), {}
    except FullRunNeeded as reason:
        return None, explain_full_run("silver_to_gold_api", reason)


def _rows_of(gold: GoldTable, all_seasons: Seasons, touched: TouchedSeasons | None) -> DataFrame:
    """Return a table's rows, of a table with seasons those of the touched ones; circuits count the races of all."""
    if touched is None or not gold.has_seasons:
        return gold.make(all_seasons)
    tables = {name: touched.rows_of(rows) for name, rows in all_seasons.tables.items()}
    return gold.make(Seasons(all_seasons.spark, tables, all_seasons.config))


def count_rows(tables: Mapping[str, DataFrame]) -> dict[str, int]:
    """Return the number of rows of each table, from Parquet's footers."""
    counts = (
        rows.agg(F.lit(name).alias("name"), F.count(F.lit(1)).alias("n")) for name, rows in tables.items()
    )
    return {row["name"]: row["n"] for row in reduce(DataFrame.unionByName, counts).collect()}


def _write(
    spark: SparkSession, rows: DataFrame, table: str, job: JobArguments, facts: Mapping[str, Any]
) -> None:
    """Write a table; its report has, next to its counts, these facts."""
    counts = Observation(table)
    write_table(rows.observe(counts, F.count(F.lit(1)).alias("rows_out")), job.outputs[table])
    audit = {"table": table, "rows_out": counts.get["rows_out"], **facts}
    write_audit(
        spark, job.audit_location(table), {**audit, "merged": 0, "rejected": 0, "flags": {}}, f1_descriptions
    )


def check_reconciliation(rows: DataFrame, first_season: int = FIRST_SEASON) -> None:
    """Refuse standings that differ from the official ones.

    Args:
        rows: gold.f1_standings_reconciliation.
        first_season: The first season whose rules are modelled.

    Raises:
        QualityError: A difference is not a known ruling.
    """
    wrong = rows.where("status = 'points_diff'").orderBy("season", "round", "kind", "entity_id")
    first = wrong.limit(EXAMPLES).collect()
    if not first:
        return
    differences = "; ".join(
        f"{row.season} round {row['round']} {row.kind} {row.entity_id}: computed {row.computed_points}, "
        f"official {row.official_points}"
        for row in first
    )
    early = (
        wrong.where(F.col("season") < first_season).select("season").distinct().orderBy("season").collect()
    )
    if early:
        seasons = ", ".join(str(row.season) for row in early)
        differences += (
            f". {EARLY_RULES}, and these rules are not modelled. Supported are seasons from {first_season} on: leave "
            f"{seasons} out of the source's setting `seasons`"
        )
    raise QualityError(f"standings do not reconcile, so the gold tables stay as they were: {differences}")


def main() -> None:
    """Run the Glue job."""
    job = arguments(sys.argv)
    run(spark_session("silver_to_gold_api", is_small=True), job)


if __name__ == "__main__":
    main()
