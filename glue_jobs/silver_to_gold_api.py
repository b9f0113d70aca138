"""Make the gold.f1_* tables: championships, and their reconciliation with the official standings."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from f1_standings import (
    adjustments,
    clinched_rounds,
    max_points_left,
    reconcile,
    standings_by_round,
)
from lake import JobArguments, QualityError, arguments, spark_session, write_table

RECONCILIATION = "gold.f1_standings_reconciliation"
WRITERS = 4
SCHEME = (
    "from_season int, to_season int, race_win int, sprint_win int, fastest_lap int, last_round_factor int"
)
ENTITY = {"driver": "driver_id", "constructor": "constructor_id"}


class Season:
    """The silver tables of a run and what several gold tables need of them, each computed once."""

    def __init__(
        self, spark: SparkSession, tables: Mapping[str, DataFrame], config: Mapping[str, Any]
    ) -> None:
        self.tables = tables
        self.results = tables["silver.f1_result"]
        schemes = [
            tuple(scheme[name.split()[0]] for name in SCHEME.split(", "))
            for scheme in config["points_schemes"]
        ]
        self.left = max_points_left(tables["silver.f1_race"], spark.createDataFrame(schemes, SCHEME))
        self.computed = {
            kind: standings_by_round(self.results, entity).persist() for kind, entity in ENTITY.items()
        }
        self.reconciled = {
            kind: reconcile(
                self.computed[kind], self._official(kind), adjustments(spark, config, kind), kind
            ).persist()
            for kind in ENTITY
        }

    def _official(self, kind: str) -> DataFrame:
        return self.tables[f"silver.f1_{kind}_standing"].withColumnRenamed(ENTITY[kind], "entity_id")

    def final(self, kind: str) -> DataFrame:
        """The standings after each season's last round."""
        last = F.max("round").over(Window.partitionBy("season"))
        return (
            self.reconciled[kind]
            .withColumn("last_round", last)
            .where("round = last_round and computed_points is not null")
        )


def reconciliation(season: Season) -> DataFrame:
    """gold.f1_standings_reconciliation: every official standing after every round, recomputed."""
    both = season.reconciled["driver"].unionByName(season.reconciled["constructor"])
    is_tie = (F.col("status") == "match") & (F.col("computed_position") != F.col("official_position"))
    return both.select(
        "season", "round", "kind", "entity_id", "computed_points", "official_points", "delta", "computed_position",
        "official_position", F.when(is_tie, "order_tie").otherwise(F.col("status")).alias("status"), "note",
    )  # fmt: skip


def driver_championship(season: Season) -> DataFrame:
    """gold.f1_driver_championship: the final table with what each driver did in the season's races."""
    races = season.results.where("session = 'R'")
    is_classified, is_retired = F.col("is_classified"), F.col("status_group") == "retired"
    did = races.groupBy("season", F.col("driver_id").alias("entity_id")).agg(
        count_where(F.col("fastest_lap_rank") == 1).alias("fastest_laps"),
        count_where(is_retired & ~is_classified).alias("dnfs"),
        count_where(F.col("status_group") != "dns").alias("starts"),
        F.min(F.when(is_classified, F.col("position"))).alias("best_finish"),
        F.avg(F.when(is_classified, F.col("position"))).alias("avg_finish"),
    )
    quali = season.tables["silver.f1_qualifying"].groupBy("season", F.col("driver_id").alias("entity_id"))
    poles = quali.agg(count_where(F.col("position") == 1).alias("poles"))
    clinched = clinched_rounds(season.computed["driver"], season.left)
    joined = season.final("driver")
    for part in (did, poles, clinched):
        joined = joined.join(part, ["season", "entity_id"], "left")
    is_champion = F.col("computed_position") == 1
    return joined.select(
        "season",
        F.col("entity_id").alias("driver_id"),
        F.col("computed_position").alias("position"),
        F.col("counted").cast("decimal(7,2)").alias("points"),
        F.coalesce("wins", F.lit(0)).alias("wins"),
        F.coalesce("podiums", F.lit(0)).alias("podiums"),
        F.coalesce("poles", F.lit(0)).alias("poles"),
        F.coalesce("fastest_laps", F.lit(0)).alias("fastest_laps"),
        F.coalesce("dnfs", F.lit(0)).alias("dnfs"),
        F.coalesce("starts", F.lit(0)).alias("starts"),
        F.when(F.col("starts") > 0, F.col("counted").cast("double") / F.col("starts")).alias(
            "points_per_start"
        ),
        "best_finish",
        "avg_finish",
        is_champion.alias("is_champion"),
        F.when(is_champion, F.col("title_clinched_round")).alias("title_clinched_round"),
    )


def constructor_championship(season: Season) -> DataFrame:
    """gold.f1_constructor_championship: the final table, rulings applied."""
    races = season.results.where("session = 'R' and is_classified")
    by_race = races.groupBy("season", "round", F.col("constructor_id").alias("entity_id"))
    in_front = by_race.agg(count_where(F.col("position") <= 2).alias("n"))
    one_twos = in_front.groupBy("season", "entity_id").agg(count_where(F.col("n") == 2).alias("one_twos"))
    return (
        season.final("constructor")
        .join(one_twos, ["season", "entity_id"], "left")
        .select(
            "season",
            F.col("entity_id").alias("constructor_id"),
            F.col("computed_position").alias("position"),
            F.col("counted").cast("decimal(7,2)").alias("points"),
            F.coalesce("wins", F.lit(0)).alias("wins"),
            F.coalesce("one_twos", F.lit(0)).alias("one_twos"),
            F.coalesce("podiums", F.lit(0)).alias("podiums"),
        )
    )


def count_where(condition: Column) -> Column:
    """How many rows of a group meet the condition."""
    return F.count(F.when(condition, 1)).cast("int")


TABLES = {
    "gold.f1_driver_championship": driver_championship,
    "gold.f1_constructor_championship": constructor_championship,
    RECONCILIATION: reconciliation,
}


def check_reconciliation(rows: DataFrame) -> None:
    """Raises QualityError naming the first standings that no known ruling explains."""
    wrong = rows.where("status = 'points_diff' or (status = 'missing_official' and computed_points <> 0)")
    first = wrong.orderBy("season", "round", "kind", "entity_id").limit(5).collect()
    if first:
        told = "; ".join(
            f"{row.season} round {row['round']} {row.kind} {row.entity_id}: computed {row.computed_points}, "
            f"official {row.official_points}"
            for row in first
        )
        raise QualityError(f"standings do not reconcile: {told}")


def read_config(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """f1_config.json, wherever Glue put it, with the job's own values on top."""
    places = [Path(folder or ".", "f1_config.json") for folder in (Path(__file__).parent, *sys.path)]
    found = next(place for place in places if place.is_file())
    return {**json.loads(found.read_text()), **overrides}


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write every table that is asked for; fail if the standings do not reconcile, so that nothing is published."""
    config = read_config(job.config)
    version = F.lit(config_hash(config))
    season = Season(
        spark, {name: spark.read.parquet(location) for name, location in job.inputs.items()}, config
    )

    def write(table: str) -> None:
        rows = TABLES[table](season).withColumns({"run_id": F.lit(job.run_id), "config_hash": version})
        write_table(rows.coalesce(1), job.outputs[table])

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, job.outputs))
    if RECONCILIATION in job.outputs:
        check_reconciliation(spark.read.parquet(job.outputs[RECONCILIATION]))


def config_hash(config: Mapping[str, Any]) -> str:
    """Twelve characters that change whenever the config does."""
    import hashlib

    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def main() -> None:
    """The Glue job."""
    job = arguments(sys.argv)
    run(spark_session("silver_to_gold_api"), job)


if __name__ == "__main__":
    main()
