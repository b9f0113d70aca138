"""Standings recomputed from results, round by round, and laid beside the official ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

POINTS = "decimal(9,2)"
LAST_PLACE = 9_999
ADJUSTMENT = "season int, kind string, entity_id string, from_round int, points double, reason string"


def standings_by_round(results: DataFrame, entity: str) -> DataFrame:
    """For every round, everybody who had a result up to then: points, wins, and `finishes` for the count-back.

    `finishes` are the classified race positions in order with a last place behind them: compared element by
    element, more firsts come before fewer, then more seconds, and so on.
    """
    rounds = results.select("season", F.col("round").alias("after_round")).distinct()
    so_far = rounds.join(results, "season").where("round <= after_round")
    is_race = (F.col("session") == "R") & F.col("is_classified")
    finishes = F.array_sort(F.collect_list(F.when(is_race, F.col("position"))))
    return (
        so_far.groupBy("season", F.col("after_round").alias("round"), F.col(entity).alias("entity_id"))
        .agg(
            F.sum("points").cast(POINTS).alias("points"),
            F.count(F.when(is_race & (F.col("position") == 1), 1)).cast("int").alias("wins"),
            F.count(F.when(is_race & (F.col("position") <= 3), 1)).cast("int").alias("podiums"),
            finishes.alias("places"),
        )
        .withColumn("finishes", F.concat("places", F.array(F.lit(LAST_PLACE))))
        .drop("places")
    )


def adjustments(spark: SparkSession, config: Mapping[str, Any], kind: str) -> DataFrame:
    """The known rulings of one kind, from config."""
    rows = [
        (a["season"], a["kind"], a["entity_id"], a["from_round"], float(a["points"]), a["reason"])
        for a in config["known_adjustments"]
        if a["kind"] == kind
    ]
    made = spark.createDataFrame(rows, ADJUSTMENT)
    points = F.col("points").cast(POINTS).alias("adjustment")
    return made.select("season", "entity_id", "from_round", points, F.col("reason").alias("note"))


def reconcile(computed: DataFrame, official: DataFrame, known: DataFrame, kind: str) -> DataFrame:
    """gold.f1_standings_reconciliation for one kind: computed beside official, and what the difference means."""
    sides = computed.join(
        official.select(
            "season", "round", "entity_id",
            F.col("points").cast(POINTS).alias("official_points"), F.col("position").alias("official_position"),
        ),
        ["season", "round", "entity_id"],
        "full",
    )  # fmt: skip
    ruling = F.broadcast(known)
    ruled = sides.join(
        ruling,
        (sides["season"] == ruling["season"])
        & (sides["entity_id"] == ruling["entity_id"])
        & (sides["round"] >= ruling["from_round"]),
        "left",
    ).select(sides["*"], "adjustment", "note")
    points = F.coalesce("points", F.lit(0).cast(POINTS))
    counted = ruled.withColumn("counted", points + F.coalesce("adjustment", F.lit(0).cast(POINTS)))
    order = Window.partitionBy("season", "round").orderBy(
        *best_first("counted"), F.asc_nulls_last("official_position")
    )
    return counted.withColumns(
        {
            "kind": F.lit(kind),
            "computed_points": points.cast(POINTS),
            "delta": (points - F.col("official_points")).cast(POINTS),
            "computed_position": F.rank().over(order),
            "status": _status(),
        }
    )


def best_first(points: str) -> Sequence[Column]:
    """The order of a championship: points, then the count-back of race finishes."""
    return [F.desc(points), F.asc_nulls_last("finishes")]


def _status() -> Column:
    official, counted = F.col("official_points"), F.col("counted")
    agrees = counted == official
    return (
        F.when(official.isNull(), "missing_official")
        .when(~agrees, "points_diff")
        .when(F.col("adjustment").isNotNull(), "known_adjustment")
        .otherwise("match")
    )


def max_points_left(races: DataFrame, schemes: DataFrame) -> DataFrame:
    """For every round, the most points one driver can still win after it."""
    last = F.max("round").over(Window.partitionBy("season"))
    later = Window.partitionBy("season").orderBy(F.desc("round")).rowsBetween(Window.unboundedPreceding, -1)
    factor = F.when(F.col("round") == last, F.col("last_round_factor")).otherwise(1)
    sprint = F.when(F.col("has_sprint"), F.col("sprint_win")).otherwise(0)
    worth = (F.col("race_win") + F.col("fastest_lap")) * factor + sprint
    known = races.join(
        F.broadcast(schemes),
        (races["season"] >= schemes["from_season"]) & (races["season"] <= schemes["to_season"]),
    )
    return known.select(
        "season",
        "round",
        F.coalesce(F.sum(worth).over(later), F.lit(0)).cast(POINTS).alias("max_points_left"),
    )


def clinched_rounds(computed: DataFrame, left: DataFrame) -> DataFrame:
    """The first round after which nobody could pass the season's champion any more."""
    by_points = Window.partitionBy("season", "round").orderBy(*best_first("points"), "entity_id")
    ranked = computed.withColumn("rank", F.row_number().over(by_points)).where("rank <= 2")
    leads = ranked.groupBy("season", "round").agg(
        F.max(F.when(F.col("rank") == 1, F.col("entity_id"))).alias("entity_id"),
        F.max(F.when(F.col("rank") == 1, F.col("points"))).alias("first"),
        F.coalesce(F.max(F.when(F.col("rank") == 2, F.col("points"))), F.lit(0)).alias("second"),
    )
    safe = leads.join(F.broadcast(left), ["season", "round"]).where("first - second > max_points_left")
    return safe.groupBy("season", "entity_id").agg(F.min("round").alias("title_clinched_round"))
