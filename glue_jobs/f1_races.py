"""The gold tables of Formula 1 races: qualifying against race, pit stops, team-mates and circuits."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from f1_seasons import Seasons

_DRIVER_IN_RACE = ["season", "round", "driver_id"]


def quali_vs_race(seasons: Seasons) -> DataFrame:
    """Return gold.f1_quali_vs_race: the finish of each qualifying place; penalties and gains in places, gaps in ms."""
    race = _race_results(seasons).select(
        *_DRIVER_IN_RACE, "grid", F.when(F.col("is_classified"), F.col("position")).alias("finish_position")
    )
    in_team = Window.partitionBy("season", "round", "constructor_id")
    pole = F.min(F.when(F.col("position") == 1, F.col("best_ms"))).over(Window.partitionBy("season", "round"))
    mate = F.when(F.count("best_ms").over(in_team) == 2, F.sum("best_ms").over(in_team) - F.col("best_ms"))
    quali = seasons.qualifying.select(
        *_DRIVER_IN_RACE,
        F.col("position").alias("quali_position"),
        (F.col("best_ms") - pole).alias("gap_to_pole_ms"),
        (F.col("best_ms") - mate).alias("gap_to_teammate_ms"),
    )
    gained = F.when(F.col("grid") > 0, F.col("grid") - F.col("finish_position"))
    penalty = F.when(F.col("grid") > 0, F.col("grid") - F.col("quali_position"))
    return quali.join(race, _DRIVER_IN_RACE, "full").select(
        *_DRIVER_IN_RACE,
        "quali_position",
        "grid",
        "finish_position",
        penalty.alias("grid_penalty"),
        gained.alias("places_gained"),
        "gap_to_pole_ms",
        "gap_to_teammate_ms",
    )


def pit_stats(seasons: Seasons) -> DataFrame:
    """Return gold.f1_pit_stats: a team's lane times in a race (entry to exit, not standing), without long stops."""
    teams = _race_results(seasons).select(*_DRIVER_IN_RACE, "constructor_id")
    stops = seasons.tables["silver.f1_pit_stop"].join(F.broadcast(teams), _DRIVER_IN_RACE)
    is_long = F.coalesce("is_long", F.lit(False))
    ordinary = F.when(~is_long, F.col("duration_ms"))
    quartiles = F.percentile(ordinary, F.array(F.lit(0.5), F.lit(0.25)))
    counted = stops.groupBy("season", "round", "constructor_id").agg(
        F.count_if(~is_long).cast("int").alias("stops"),
        quartiles[0].alias("median_ms"),
        quartiles[1].alias("p25_ms"),
        F.min(ordinary).alias("best_ms"),
        F.count_if(is_long).cast("int").alias("long_stops"),
    )
    order = Window.partitionBy("season", "round").orderBy(F.asc_nulls_last("median_ms"))
    return counted.withColumn("rank", F.when(F.col("median_ms").isNotNull(), F.rank().over(order)))


def teammate_h2h(seasons: Seasons) -> DataFrame:
    """Return gold.f1_teammate_h2h: two drivers of a team compared, in the rounds in which both drove for it.

    A race counts where both are classified; `median_quali_gap_pct` is above 0 where driver_a was the slower.
    """
    pairs = _pairs(_drives(seasons))
    a_won, b_won = F.col("a.finish") < F.col("b.finish"), F.col("b.finish") < F.col("a.finish")
    a_faster, b_faster = F.col("a.quali") < F.col("b.quali"), F.col("b.quali") < F.col("a.quali")
    gap_pct = 100 * (F.col("a.best_ms") - F.col("b.best_ms")) / F.col("b.best_ms")
    return pairs.groupBy("season", "constructor_id", "driver_a", "driver_b").agg(
        F.count(F.lit(1)).cast("int").alias("races_together"),
        _number(a_won, "race_a"),
        _number(b_won, "race_b"),
        _number(a_faster, "quali_a"),
        _number(b_faster, "quali_b"),
        F.sum("a.points").cast("decimal(7,2)").alias("points_a"),
        F.sum("b.points").cast("decimal(7,2)").alias("points_b"),
        F.median(gap_pct).alias("median_quali_gap_pct"),
    )


def _drives(seasons: Seasons) -> DataFrame:
    """Return a row for each driver, team and round: race finish, qualifying place and time, points of both sessions."""
    finish = F.max(F.when((F.col("session") == "R") & F.col("is_classified"), F.col("position")))
    drives = (
        seasons.results.groupBy(*_DRIVER_IN_RACE, "constructor_id")
        .agg(
            finish.alias("finish"),
            F.sum("points").alias("points"),
            F.bool_or(F.col("session") == "R").alias("raced"),
        )
        .where("raced")
    )
    quali = seasons.qualifying.select(
        *_DRIVER_IN_RACE, "constructor_id", F.col("position").alias("quali"), "best_ms"
    )
    return drives.join(F.broadcast(quali), [*_DRIVER_IN_RACE, "constructor_id"], "left")


def _pairs(drives: DataFrame) -> DataFrame:
    driven = F.struct("driver_id", "finish", "quali", "best_ms", "points")
    teams = drives.groupBy("season", "round", "constructor_id").agg(
        F.array_sort(F.collect_list(driven)).alias("drivers")
    )
    first = teams.select("*", F.posexplode("drivers").alias("place", "a"))
    behind = F.slice("drivers", F.col("place") + 2, F.size("drivers"))
    both = first.select("season", "constructor_id", "a", F.explode(behind).alias("b"))
    return both.withColumns({"driver_a": F.col("a.driver_id"), "driver_b": F.col("b.driver_id")})


def circuit_stats(seasons: Seasons) -> DataFrame:
    """Return gold.f1_circuit_stats: the races at a circuit summed up over the seasons that were read."""
    starts = _starts_at_circuits(seasons)
    is_winner = F.col("finish") == 1
    qualified = F.when(is_winner & F.col("quali").isNotNull(), F.col("quali"))
    return starts.groupBy("circuit_id").agg(
        F.size(F.collect_set(F.struct("season", "round"))).alias("races"),
        F.avg((qualified == 1).cast("int")).alias("pole_win_rate"),
        F.avg((qualified <= 2).cast("int")).alias("front_row_win_rate"),
        F.avg(F.when(F.col("grid") > 0, F.col("grid") - F.col("finish"))).alias("avg_places_gained"),
        F.avg(F.col("is_out").cast("int")).alias("dnf_rate"),
        F.size(F.collect_set(F.when(is_winner, F.col("driver_id")))).alias("distinct_winners"),
        F.max_by("driver_id", F.when(is_winner, F.col("season") * 100 + F.col("round"))).alias("last_winner"),
    )


def circuit_wins(seasons: Seasons) -> DataFrame:
    """Return gold.f1_circuit_wins: the record of each driver at each circuit."""
    wins = F.count_if(F.col("finish") == 1)
    return _starts_at_circuits(seasons).groupBy("circuit_id", "driver_id").agg(
        F.count(F.lit(1)).cast("int").alias("starts"),
        wins.cast("int").alias("wins"),
        (wins / F.count(F.lit(1))).alias("win_rate"),
        _number(F.col("finish") <= 3, "podiums"),
        F.min(F.when(F.col("grid") > 0, F.col("grid"))).alias("best_grid"),
    )  # fmt: skip


def _starts_at_circuits(seasons: Seasons) -> DataFrame:
    quali = seasons.qualifying.select(*_DRIVER_IN_RACE, F.col("position").alias("quali"))
    places = seasons.races.select("season", "round", "circuit_id")
    is_out = (F.col("status_group") == "retired") & ~F.col("is_classified")
    starts = _race_results(seasons).where(~F.col("status_group").eqNullSafe("dns")).select(
        *_DRIVER_IN_RACE, "grid", is_out.alias("is_out"),
        F.when(F.col("is_classified"), F.col("position")).alias("finish"),
    )  # fmt: skip
    return starts.join(F.broadcast(places), ["season", "round"]).join(
        F.broadcast(quali), _DRIVER_IN_RACE, "left"
    )


def _race_results(seasons: Seasons) -> DataFrame:
    return seasons.results.where("session = 'R'")


def _number(condition: Column, name: str) -> Column:
    return F.count_if(condition).cast("int").alias(name)
