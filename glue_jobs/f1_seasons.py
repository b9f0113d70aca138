"""The gold tables of Formula 1 seasons: championships, points round by round, and reconciliation with the official."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from f1_standings import ENTITY, adjustments, clinched_rounds, max_points_left, reconcile, standings_by_round


class Seasons:
    """The silver tables of a run, and what several gold tables need of them."""

    def __init__(
        self, spark: SparkSession, tables: Mapping[str, DataFrame], config: Mapping[str, Any]
    ) -> None:
        self.spark = spark
        self.tables = tables
        self.config = config

    @property
    def results(self) -> DataFrame:
        """The rows of silver.f1_result."""
        return self.tables["silver.f1_result"]

    @property
    def races(self) -> DataFrame:
        """The rows of silver.f1_race."""
        return self.tables["silver.f1_race"]

    @property
    def qualifying(self) -> DataFrame:
        """The rows of silver.f1_qualifying."""
        return self.tables["silver.f1_qualifying"]

    def standings(self, kind: str) -> DataFrame:
        """Every standing after every round, computed and official."""
        computed = standings_by_round(self.results, kind)
        official = self.tables[f"silver.f1_{kind}_standing"]
        return reconcile(computed, official, adjustments(self.spark, self.config), kind)

    def points_left(self) -> DataFrame:
        """Return the most points that can still be won after each round."""
        return max_points_left(self.spark, self.races, self.config)


def reconciliation(seasons: Seasons) -> DataFrame:
    """Return gold.f1_standings_reconciliation: every round with official standings, recomputed from results."""
    both = seasons.standings("driver").unionByName(seasons.standings("constructor"))
    return both.where("has_official").select(
        "season", "round", "kind", "entity_id", F.col("points").alias("computed_points"), "official_points",
        "delta", F.col("position").alias("computed_position"), "official_position", "status", "note",
    )  # fmt: skip


def driver_championship(seasons: Seasons) -> DataFrame:
    """Return gold.f1_driver_championship: the table after the last round, with each driver's record in the races."""
    standings = seasons.standings("driver")
    joined = _after_last_round(standings)
    clinched = clinched_rounds(standings, seasons.points_left(), "driver")
    for part in (
        _race_record(seasons.results),
        _poles(seasons.qualifying),
        clinched,
        _season_ends(seasons.races),
    ):
        joined = joined.join(
            F.broadcast(part), ["season", "entity_id"] if "entity_id" in part.columns else "season", "left"
        )
    leads = F.col("position") == 1
    is_over = F.col("title_clinched_round").isNotNull() | (F.col("round") == F.col("final_round"))
    counted = {
        name: F.coalesce(name, F.lit(0))
        for name in ("wins", "podiums", "poles", "fastest_laps", "dnfs", "starts")
    }
    return joined.select(
        "season",
        F.col("entity_id").alias("driver_id"),
        "position",
        F.col("counted").cast("decimal(7,2)").alias("points"),
        *(value.cast("int").alias(name) for name, value in counted.items()),
        F.when(F.col("starts") > 0, F.col("counted").cast("double") / F.col("starts")).alias(
            "points_per_start"
        ),
        "best_finish",
        "avg_finish",
        F.coalesce(leads & is_over, F.lit(False)).alias("is_champion"),
        F.when(leads, F.col("title_clinched_round")).alias("title_clinched_round"),
    )


def constructor_championship(seasons: Seasons) -> DataFrame:
    """Return gold.f1_constructor_championship: the table after the last round, rulings applied."""
    in_front = (
        seasons.results.where("session = 'R' and is_classified")
        .groupBy("season", "round", F.col("constructor_id").alias("entity_id"))
        .agg(F.count_if(F.col("position") <= 2).alias("n"))
    )
    one_twos = in_front.groupBy("season", "entity_id").agg(
        F.count_if(F.col("n") == 2).cast("int").alias("one_twos")
    )
    joined = _after_last_round(seasons.standings("constructor")).join(
        F.broadcast(one_twos), ["season", "entity_id"], "left"
    )
    return joined.select(
        "season",
        F.col("entity_id").alias("constructor_id"),
        "position",
        F.col("counted").cast("decimal(7,2)").alias("points"),
        *(F.coalesce(name, F.lit(0)).alias(name) for name in ("wins", "one_twos", "podiums")),
    )


def driver_progression(seasons: Seasons) -> DataFrame:
    """Return gold.f1_driver_points_progression: every round from each driver's first result on."""
    return _progression(seasons, "driver").drop("points_cum_gross")


def constructor_progression(seasons: Seasons) -> DataFrame:
    """Return gold.f1_constructor_points_progression: `points_cum` with rulings, `points_cum_gross` without."""
    return _progression(seasons, "constructor")


def _progression(seasons: Seasons, kind: str) -> DataFrame:
    entity = ENTITY[kind]
    standings = (
        seasons.standings(kind)
        .where("is_computed")
        .join(F.broadcast(_points_of_round(seasons.results, kind)), ["season", "round", "entity_id"], "left")
    )
    so_far = Window.partitionBy("season", "entity_id").orderBy("round")
    joined = standings.join(F.broadcast(seasons.points_left()), ["season", "round"], "left")
    # A driver who sits a round out is still listed under the team he last drove for.
    team = [F.last("team", ignorenulls=True).over(so_far).alias("constructor_id")] if kind == "driver" else []
    won = {name: F.coalesce(name, F.lit(0)).cast("decimal(7,2)") for name in ("race_points", "sprint_points")}
    leader = F.max("counted").over(Window.partitionBy("season", "round"))
    return joined.select(
        "season",
        "round",
        F.col("entity_id").alias(entity),
        *team,
        *(value.alias(name) for name, value in won.items()),
        (won["race_points"] + won["sprint_points"]).cast("decimal(7,2)").alias("points_round"),
        F.col("counted").alias("points_cum"),
        F.col("points").alias("points_cum_gross"),
        F.col("position").alias("position_cum"),
        F.col("wins").alias("wins_cum"),
        F.col("podiums").alias("podiums_cum"),
        (leader - F.col("counted")).cast("decimal(9,2)").alias("gap_to_leader"),
        F.col(f"{kind}_left").alias("max_points_left"),
    )


def _points_of_round(results: DataFrame, kind: str) -> DataFrame:
    def points(session: str) -> Column:
        return F.sum(F.when(F.col("session") == session, F.col("points")))

    return results.groupBy("season", "round", F.col(ENTITY[kind]).alias("entity_id")).agg(
        points("R").alias("race_points"),
        points("S").alias("sprint_points"),
        F.max_by("constructor_id", "session").alias("team"),
    )


def _after_last_round(standings: DataFrame) -> DataFrame:
    """Return the table after the last round that has results."""
    last = F.max(F.when(F.col("is_computed"), F.col("round"))).over(Window.partitionBy("season"))
    return standings.withColumn("last_round", last).where("round = last_round and is_computed")


def _race_record(results: DataFrame) -> DataFrame:
    classified = F.when(F.col("is_classified"), F.col("position"))
    is_out = (F.col("status_group") == "retired") & ~F.col("is_classified")
    races = results.where("session = 'R'").groupBy("season", F.col("driver_id").alias("entity_id"))
    return races.agg(
        F.count_if(F.col("fastest_lap_rank") == 1).alias("fastest_laps"),
        F.count_if(is_out).alias("dnfs"),
        F.count_if(F.col("status_group") != "dns").alias("starts"),
        F.min(classified).alias("best_finish"),
        F.avg(classified).alias("avg_finish"),
    )


def _poles(qualifying: DataFrame) -> DataFrame:
    """Count poles by the fastest qualifying: a penalty moves the driver on the grid, not the pole in the record."""
    drivers = qualifying.groupBy("season", F.col("driver_id").alias("entity_id"))
    return drivers.agg(F.count_if(F.col("position") == 1).alias("poles"))


def _season_ends(races: DataFrame) -> DataFrame:
    return races.groupBy("season").agg(F.max("round").alias("final_round"))
