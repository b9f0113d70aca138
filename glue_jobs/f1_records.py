"""The Formula 1 API's records in bronze: their columns, the shapes inside their JSON, and how they become rows."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

from lake import ROW_ORDER, read_stream

# Every column of a record is text: scalars as the API gives them, objects and lists as JSON.
RACE_HEAD = ("season", "round", "url", "raceName", "Circuit", "date", "time")
COLUMNS = {
    "races": (*RACE_HEAD, "Qualifying", "Sprint"),
    "results": (*RACE_HEAD, "Results"),
    "sprint": (*RACE_HEAD, "SprintResults"),
    "qualifying": (*RACE_HEAD, "QualifyingResults"),
    "pit_stops": (*RACE_HEAD, "PitStops"),
    "drivers": (
        "driverId",
        "permanentNumber",
        "code",
        "givenName",
        "familyName",
        "dateOfBirth",
        "nationality",
    ),
    "constructors": ("constructorId", "name", "nationality"),
    "circuits": ("circuitId", "circuitName", "Location"),
    "driver_standings": ("season", "round", "DriverStandings"),
    "constructor_standings": ("season", "round", "ConstructorStandings"),
}

_DRIVER = "Driver struct<driverId string>"
_CONSTRUCTOR = "Constructor struct<constructorId string>"
CIRCUIT = "circuitId string"
LOCATION = "lat string, long string, locality string, country string"
MOMENT = "date string, time string"
RESULTS = (
    f"array<struct<number string, position string, positionText string, points string, {_DRIVER}, {_CONSTRUCTOR},"
    " grid string, laps string, status string, Time struct<millis string, time string>,"
    " FastestLap struct<rank string, lap string, Time struct<time string>>>>"
)
QUALIFYING = f"array<struct<position string, {_DRIVER}, {_CONSTRUCTOR}, Q1 string, Q2 string, Q3 string>>"
PIT_STOPS = "array<struct<driverId string, lap string, stop string, time string, duration string>>"
DRIVER_STANDINGS = (
    f"array<struct<position string, positionText string, points string, wins string, {_DRIVER},"
    " Constructors array<struct<constructorId string>>>>"
)
CONSTRUCTOR_STANDINGS = (
    f"array<struct<position string, positionText string, points string, wins string, {_CONSTRUCTOR}>>"
)
NO_FILES = frozenset({"PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA"})


def read_records(spark: SparkSession, location: str, stream: str) -> DataFrame:
    """The stream's records; none if nothing was ever written for it, as for sprints in a season without one."""
    schema = StructType([StructField(name, StringType()) for name in COLUMNS[stream]])
    try:
        return read_stream(spark, location, schema)
    except AnalysisException as error:
        if error.getErrorClass() not in NO_FILES:
            raise
    lineage = [StructField(ROW_ORDER[0], StringType()), StructField(ROW_ORDER[1], LongType())]
    return spark.createDataFrame([], StructType([*schema.fields, *lineage]))


def race_rows(records: DataFrame, listing: str, shape: str) -> DataFrame:
    """One row for every item of the record's list, with the season and round it belongs to.

    A race that the API cut over two pages comes in two records; its items are all there, in either.
    """
    items = F.from_json(listing, shape)
    return records.select(
        F.col("season").cast("int").alias("season"),
        F.col("round").cast("int").alias("round"),
        F.explode(items).alias("item"),
    )


def text(name: str) -> Column:
    """A text without the empty one, which the API uses for "not known"."""
    value = F.trim(F.col(name))
    return F.when(value != "", value)


def number(name: str) -> Column:
    """A whole number."""
    return text(name).cast("int")


def milliseconds(name: str) -> Column:
    """Exact milliseconds of `[H:]MM:SS.sss` or `SS.sss`; a leading `+` marks a gap. Null if it is neither."""
    value = F.when(F.col(name).rlike(r"^\+?(\d+:){0,2}\d+(\.\d+)?$"), F.regexp_replace(name, r"^\+", ""))
    parts = F.split(value, ":")
    seconds = F.element_at(parts, -1).cast("decimal(9,3)") * 1000
    minutes = F.when(F.size(parts) > 1, F.element_at(parts, -2).cast("long")).otherwise(0)
    hours = F.when(F.size(parts) > 2, F.element_at(parts, -3).cast("long")).otherwise(0)
    return (seconds.cast("long") + minutes * 60_000 + hours * 3_600_000).alias(name.rsplit(".", 1)[-1])


def moment(day: str, time: str) -> Column:
    """The instant of an ISO date and a time of day in UTC (`13:00:00Z`); null unless both are known."""
    return F.to_timestamp(
        F.concat_ws("T", text(day), F.regexp_replace(text(time), "Z$", "")), "yyyy-MM-dd'T'HH:mm:ss"
    )


def one_per_key(rows: DataFrame, key: Sequence[str], *, prefer: Column | None = None) -> DataFrame:
    """One row a key: rows that repeat are dropped, of differing ones the preferred (least) stays and is flagged."""
    values = [name for name in rows.columns if name not in key]
    order = F.lit(0) if prefer is None else F.coalesce(prefer.cast("double"), F.lit(1e9))
    grouped = rows.groupBy(*key).agg(
        F.min(F.struct(order.alias("order"), *values)).alias("kept"),
        F.count(F.lit(1)).cast("int").alias("source_rows"),
        F.size(F.collect_set(F.xxhash64(*values) if values else F.lit(0))).alias("variants"),
    )
    flags = F.when(F.col("variants") > 1, F.array(F.lit("DUP_CONFLICT")))
    return grouped.select(
        *key,
        *(F.col(f"kept.{name}").alias(name) for name in values),
        "source_rows",
        F.coalesce(flags, F.array().cast("array<string>")).alias("dq_flags"),
    )
