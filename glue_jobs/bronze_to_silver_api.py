"""Make the silver.f1_* tables: typed rows, one a key, from the Formula 1 API's records in bronze."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from f1_records import (
    CIRCUIT,
    CONSTRUCTOR_STANDINGS,
    DRIVER_STANDINGS,
    LOCATION,
    MOMENT,
    PIT_STOPS,
    QUALIFYING,
    RESULTS,
    milliseconds,
    moment,
    number,
    one_per_key,
    race_rows,
    read_records,
    text,
)
from lake import JobArguments, arguments, spark_session, write_table

LONG_STOP_MS = 60_000
WRITERS = 4
Records = Mapping[str, DataFrame]


def race(records: Records) -> DataFrame:
    """silver.f1_race: the calendar."""
    head = records["races"].withColumns(
        {
            "circuit": F.from_json("Circuit", CIRCUIT),
            "quali": F.from_json("Qualifying", MOMENT),
            "sprint": F.from_json("Sprint", MOMENT),
        }
    )
    sprints = (
        records["sprint"].select(number("season").alias("season"), number("round").alias("round")).distinct()
    )
    rows = head.select(
        number("season").alias("season"),
        number("round").alias("round"),
        text("raceName").alias("race_name"),
        text("circuit.circuitId").alias("circuit_id"),
        F.to_date(text("date")).alias("race_date"),
        moment("date", "time").alias("race_start"),
        F.col("sprint").isNotNull().alias("is_sprint_planned"),
        moment("quali.date", "quali.time").alias("quali_start"),
        moment("sprint.date", "sprint.time").alias("sprint_start"),
        text("url").alias("url"),
    )
    known = rows.join(F.broadcast(sprints.withColumn("ran", F.lit(True))), ["season", "round"], "left")
    has_sprint = F.col("is_sprint_planned") | F.coalesce("ran", F.lit(False))
    return one_per_key(
        known.withColumn("has_sprint", has_sprint).drop("is_sprint_planned", "ran"), ["season", "round"]
    )


def circuit(records: Records) -> DataFrame:
    """silver.f1_circuit."""
    found = records["circuits"].withColumn("place", F.from_json("Location", LOCATION))
    rows = found.select(
        text("circuitId").alias("circuit_id"),
        text("circuitName").alias("circuit_name"),
        text("place.locality").alias("locality"),
        text("place.country").alias("country"),
        text("place.lat").cast("double").alias("lat"),
        text("place.long").cast("double").alias("lon"),
    )
    return one_per_key(rows, ["circuit_id"])


def driver(records: Records) -> DataFrame:
    """silver.f1_driver."""
    rows = records["drivers"].select(
        text("driverId").alias("driver_id"),
        text("code").alias("code"),
        number("permanentNumber").alias("permanent_number"),
        text("givenName").alias("given_name"),
        text("familyName").alias("family_name"),
        F.to_date(text("dateOfBirth")).alias("date_of_birth"),
        text("nationality").alias("nationality"),
    )
    return one_per_key(rows, ["driver_id"])


def constructor(records: Records) -> DataFrame:
    """silver.f1_constructor."""
    rows = records["constructors"].select(
        text("constructorId").alias("constructor_id"),
        text("name").alias("name"),
        text("nationality").alias("nationality"),
    )
    return one_per_key(rows, ["constructor_id"])


def result(records: Records) -> DataFrame:
    """silver.f1_result: races (R) and sprints (S); the constructor is that of the result, not of the driver."""
    races = race_rows(records["results"], "Results", RESULTS).withColumn("session", F.lit("R"))
    sprints = race_rows(records["sprint"], "SprintResults", RESULTS).withColumn("session", F.lit("S"))
    rows = races.unionByName(sprints).select(
        "season",
        "round",
        "session",
        text("item.Driver.driverId").alias("driver_id"),
        text("item.Constructor.constructorId").alias("constructor_id"),
        number("item.number").alias("car_number"),
        number("item.position").alias("position"),
        text("item.positionText").alias("position_text"),
        F.coalesce(F.col("item.positionText").rlike(r"^\d+$"), F.lit(False)).alias("is_classified"),
        text("item.points").cast("decimal(6,2)").alias("points"),
        number("item.grid").alias("grid"),
        number("item.laps").alias("laps"),
        text("item.status").alias("status"),
        status_group("item.status", "item.positionText").alias("status_group"),
        text("item.Time.millis").cast("long").alias("race_time_ms"),
        number("item.FastestLap.rank").alias("fastest_lap_rank"),
        number("item.FastestLap.lap").alias("fastest_lap_no"),
        milliseconds("item.FastestLap.Time.time").alias("fastest_lap_ms"),
    )
    one = one_per_key(rows, ["season", "round", "session", "driver_id"], prefer=F.col("position"))
    winner = F.max(F.when(F.col("position") == 1, F.col("race_time_ms")))
    gap = F.col("race_time_ms") - winner.over(Window.partitionBy("season", "round", "session"))
    return one.withColumns({"pit_lane_start": F.col("grid") == 0, "gap_ms": gap})


def status_group(status: str, position_text: str) -> Column:
    """finished, lapped, retired, dsq or dns, from the API's words and position letters (D, E, W, F)."""
    words, letter = F.lower(F.col(status)), F.col(position_text)
    return (
        F.when(words.rlike("^disqualified|^excluded") | letter.isin("D", "E"), "dsq")
        .when(words.rlike("^did not|^withdr") | letter.isin("W", "F"), "dns")
        .when(words == "finished", "finished")
        .when(words.rlike(r"^\+\d+ laps?$|^lapped$"), "lapped")
        .otherwise("retired")
    )


def qualifying(records: Records) -> DataFrame:
    """silver.f1_qualifying."""
    items = race_rows(records["qualifying"], "QualifyingResults", QUALIFYING)
    rows = items.select(
        "season",
        "round",
        text("item.Driver.driverId").alias("driver_id"),
        text("item.Constructor.constructorId").alias("constructor_id"),
        number("item.position").alias("position"),
        *(milliseconds(f"item.Q{n}").alias(f"q{n}_ms") for n in (1, 2, 3)),
    )
    one = one_per_key(rows, ["season", "round", "driver_id"], prefer=F.col("position"))
    reached = F.when(F.col("q3_ms").isNotNull(), 3).when(F.col("q2_ms").isNotNull(), 2).otherwise(1)
    return one.withColumns({"best_ms": F.least("q1_ms", "q2_ms", "q3_ms"), "segment_reached": reached})


def pit_stop(records: Records) -> DataFrame:
    """silver.f1_pit_stop: lane times, entry to exit, not the time stood still."""
    rows = race_rows(records["pit_stops"], "PitStops", PIT_STOPS).select(
        "season",
        "round",
        text("item.driverId").alias("driver_id"),
        number("item.stop").alias("stop"),
        number("item.lap").alias("lap"),
        milliseconds("item.duration").alias("duration_ms"),
        text("item.time").alias("local_time"),
    )
    one = one_per_key(rows, ["season", "round", "driver_id", "stop"])
    return one.withColumn("is_long", F.col("duration_ms") >= LONG_STOP_MS)


def driver_standing(records: Records) -> DataFrame:
    """silver.f1_driver_standing: the official table after each round."""
    items = race_rows(records["driver_standings"], "DriverStandings", DRIVER_STANDINGS)
    rows = items.select(
        "season",
        "round",
        text("item.Driver.driverId").alias("driver_id"),
        *_standing(),
        F.transform("item.Constructors", lambda found: found["constructorId"]).alias("constructor_ids"),
    )
    return one_per_key(rows, ["season", "round", "driver_id"], prefer=F.col("position"))


def constructor_standing(records: Records) -> DataFrame:
    """silver.f1_constructor_standing: the official table after each round."""
    items = race_rows(records["constructor_standings"], "ConstructorStandings", CONSTRUCTOR_STANDINGS)
    rows = items.select(
        "season", "round", text("item.Constructor.constructorId").alias("constructor_id"), *_standing()
    )
    return one_per_key(rows, ["season", "round", "constructor_id"], prefer=F.col("position"))


def _standing() -> list[Column]:
    return [
        number("item.position").alias("position"),
        text("item.positionText").alias("position_text"),
        text("item.points").cast("decimal(7,2)").alias("points"),
        number("item.wins").alias("wins"),
    ]


TABLES: Mapping[str, Callable[[Records], DataFrame]] = {
    "silver.f1_race": race,
    "silver.f1_circuit": circuit,
    "silver.f1_driver": driver,
    "silver.f1_constructor": constructor,
    "silver.f1_result": result,
    "silver.f1_qualifying": qualifying,
    "silver.f1_pit_stop": pit_stop,
    "silver.f1_driver_standing": driver_standing,
    "silver.f1_constructor_standing": constructor_standing,
}


def run(spark: SparkSession, job: JobArguments) -> None:
    """Write every table that is asked for, a few at a time: each is small, and Spark has two cores to fill."""
    records = {
        table.removeprefix("bronze.api_"): read_records(spark, location, table.removeprefix("bronze.api_"))
        for table, location in job.inputs.items()
    }

    def write(table: str) -> None:
        rows = TABLES[table](records).withColumns(
            {"ingested_at": F.current_timestamp(), "run_id": F.lit(job.run_id)}
        )
        write_table(rows.coalesce(1), job.outputs[table])

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, job.outputs))


def main() -> None:
    """The Glue job."""
    job = arguments(sys.argv)
    run(spark_session("bronze_to_silver_api"), job)


if __name__ == "__main__":
    main()
