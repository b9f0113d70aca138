"""Standings recomputed from results, round by round, and compared with the official ones."""

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

POINTS = "decimal(9,2)"
ENTITY = {"driver": "driver_id", "constructor": "constructor_id"}
LAST_PLACE = 9_999
_SCHEME = "from_season int, to_season int, race array<int>, sprint array<int>, fastest_lap int, last_round_factor int"
_ADJUSTMENT = "season int, kind string, entity_id string, from_round int, points double, reason string"


def rows_of(spark: SparkSession, values: str, schema: str) -> DataFrame:
    """Return settings as rows.

    They travel as JSON in the plan, because rows made of Python objects would start Python workers.
    """
    parsed = F.from_json(F.lit(values), f"array<struct<{schema}>>")
    return spark.range(1, numPartitions=1).select(F.inline(parsed))


def standings_by_round(results: DataFrame, kind: str) -> DataFrame:
    """Return for every round each driver or team with a result so far: points, wins, and `finishes` to break ties.

    `finishes` are the classified race positions in order with a last place behind them: compared element by
    element, more firsts come before fewer, then more seconds, and so on.
    """
    rounds = results.select("season", F.col("round").alias("after_round")).distinct()
    so_far = results.join(F.broadcast(rounds), "season").where("round <= after_round")
    is_race = (F.col("session") == "R") & F.col("is_classified")
    totals = so_far.groupBy(
        "season", F.col("after_round").alias("round"), F.col(ENTITY[kind]).alias("entity_id")
    ).agg(
        F.sum("points").cast(POINTS).alias("points"),
        F.count_if(is_race & (F.col("position") == 1)).cast("int").alias("wins"),
        F.count_if(is_race & (F.col("position") <= 3)).cast("int").alias("podiums"),
        F.array_sort(F.collect_list(F.when(is_race, F.col("position")))).alias("places"),
    )
    return totals.withColumn("finishes", F.concat("places", F.array(F.lit(LAST_PLACE)))).drop("places")


def reconcile(computed: DataFrame, official: DataFrame, known: DataFrame, kind: str) -> DataFrame:
    """Return computed and official standings side by side, and what a difference means.

    `points` are those of the results, `counted` have the known rulings applied and decide the position.
    `has_official` is true if any official standings of the round were read.
    """
    stated = official.select(
        "season", "round", F.col(ENTITY[kind]).alias("entity_id"),
        F.col("points").cast(POINTS).alias("official_points"), F.col("position").alias("official_position"),
    )  # fmt: skip
    sides = computed.join(stated, ["season", "round", "entity_id"], "full")
    ruled = _rule(sides, known.where(F.col("kind") == kind))
    points = F.coalesce("points", F.lit(0).cast(POINTS))
    after_round = Window.partitionBy("season", "round")
    counted = ruled.withColumns(
        {
            "is_computed": F.col("points").isNotNull(),
            "points": points,
            "counted": (points + F.coalesce("adjustment", F.lit(0).cast(POINTS))).cast(POINTS),
            "has_official": F.count("official_points").over(after_round) > 0,
            "kind": F.lit(kind),
        }
    )
    order = after_round.orderBy(
        F.desc("counted"), F.asc_nulls_last("finishes"), F.asc_nulls_last("official_position"), "entity_id"
    )
    tied = after_round.orderBy(
        F.desc("counted"), F.asc_nulls_last("finishes"), F.asc_nulls_last("official_position")
    )
    ranked = counted.withColumns({"position": F.rank().over(tied), "order": F.row_number().over(order)})
    return ranked.withColumns(
        {"delta": (F.col("points") - F.col("official_points")).cast(POINTS), "status": _status()}
    )


def _rule(sides: DataFrame, known: DataFrame) -> DataFrame:
    ruling = known.select(
        F.col("season").alias("ruled_season"), F.col("entity_id").alias("ruled_id"), "from_round",
        F.col("points").cast(POINTS).alias("adjustment"), F.col("reason").alias("note"),
    )  # fmt: skip
    in_force = (
        (F.col("season") == F.col("ruled_season"))
        & (F.col("entity_id") == F.col("ruled_id"))
        & (F.col("round") >= F.col("from_round"))
    )
    return sides.join(F.broadcast(ruling), in_force, "left").drop("ruled_season", "ruled_id", "from_round")


def _status() -> Column:
    official, counted = F.col("official_points"), F.col("counted")
    return (
        F.when(official.isNull() & (counted == 0), "missing_official")
        .when(official.isNull() | (counted != official), "points_diff")
        .when(F.col("adjustment").isNotNull(), "known_adjustment")
        .when(F.col("position") != F.col("official_position"), "order_tie")
        .otherwise("match")
    )


def adjustments(spark: SparkSession, config: Mapping[str, Any]) -> DataFrame:
    """Return the known rulings from the config."""
    return rows_of(spark, json.dumps(config["known_adjustments"]), _ADJUSTMENT)


def max_points_left(spark: SparkSession, races: DataFrame, config: Mapping[str, Any]) -> DataFrame:
    """Return for every round the most points that a driver and a constructor (two cars) can still win after it.

    Null in seasons without a scheme in config, where nothing is known.
    """
    schemes = rows_of(spark, json.dumps(config["points_schemes"]), _SCHEME)
    known = races.select("season", "round", "has_sprint").join(
        F.broadcast(schemes), F.col("season").between(F.col("from_season"), F.col("to_season")), "left"
    )
    last = F.max("round").over(Window.partitionBy("season"))
    factor = F.when(F.col("round") == last, F.col("last_round_factor")).otherwise(1)
    later = Window.partitionBy("season").orderBy("round").rowsBetween(1, Window.unboundedFollowing)

    def left(cars: int) -> Column:
        race = sum((F.col("race")[car] for car in range(cars)), F.col("fastest_lap")) * factor
        sprint = sum((F.col("sprint")[car] for car in range(cars)), F.lit(0))
        worth = race + F.when(F.col("has_sprint"), sprint).otherwise(0)
        return F.when(F.col("race").isNotNull(), F.coalesce(F.sum(worth).over(later), F.lit(0))).cast(POINTS)

    return known.select("season", "round", left(1).alias("driver_left"), left(2).alias("constructor_left"))


def clinched_rounds(standings: DataFrame, left: DataFrame, kind: str) -> DataFrame:
    """Return the first round after which the leader's gap exceeds what any rival can still win."""
    leads = (
        standings.where("order <= 2")
        .groupBy("season", "round")
        .agg(
            F.min_by("entity_id", "order").alias("entity_id"),
            F.max("counted").alias("first"),
            F.when(F.count(F.lit(1)) > 1, F.min("counted")).otherwise(F.lit(0)).alias("second"),
        )
    )
    safe = leads.join(F.broadcast(left), ["season", "round"]).where(f"first - second > {kind}_left")
    return safe.groupBy("season", "entity_id").agg(F.min("round").alias("title_clinched_round"))
