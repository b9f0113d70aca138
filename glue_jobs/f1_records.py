"""The Formula 1 API's records in bronze: read with explicit columns, unpacked into rows, and read value by value."""

from collections.abc import Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType

from lake import ROW_ORDER, read_stream

# Every column of a record is text: scalars as the API gives them, objects and lists as JSON.
COLUMNS = {
    "races": ("season", "round", "url", "raceName", "Circuit", "date", "time", "Qualifying", "Sprint"),
    "results": ("season", "round", "Results"),
    "sprint": ("season", "round", "SprintResults"),
    "qualifying": ("season", "round", "QualifyingResults"),
    "pit_stops": ("season", "round", "PitStops"),
    "laps": ("season", "round", "Laps"),
    "drivers": (
        "driverId", "permanentNumber", "code", "givenName", "familyName", "dateOfBirth", "nationality",
    ),
    "constructors": ("constructorId", "name", "nationality"),
    "circuits": ("circuitId", "circuitName", "Location"),
    "driver_standings": ("season", "round", "DriverStandings"),
    "constructor_standings": ("season", "round", "ConstructorStandings"),
}  # fmt: skip
EXTRACTED_AT = "_airbyte_extracted_at"
LINEAGE = (*ROW_ORDER, EXTRACTED_AT)
_NO_FILES = frozenset({"PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA"})
_DURATION = r"^\+?(?:(?:(\d+):)?(\d+):)?(\d+)(?:\.(\d{1,3}))?$"


def read_records(spark: SparkSession, location: str | Sequence[str], stream: str) -> DataFrame:
    """Return the stream's records; none if it was never written, as sprints in a season without one."""
    fields = [StructField(name, StringType()) for name in COLUMNS[stream]]
    schema = StructType([*fields, StructField(EXTRACTED_AT, LongType())])
    try:
        return read_stream(spark, location, schema)
    except AnalysisException as error:
        if error.getErrorClass() not in _NO_FILES:
            raise
    return no_records(spark, stream)


def no_records(spark: SparkSession, stream: str) -> DataFrame:
    """Return an empty stream with its columns."""
    names = (*COLUMNS[stream], *LINEAGE)
    numbers = ("source_row", EXTRACTED_AT)
    columns = [F.lit(None).cast("long" if name in numbers else "string").alias(name) for name in names]
    # A range, not a local relation: the optimiser would remove an empty one with the observations above it.
    return spark.range(0).select(*columns)


def unpack_list(records: DataFrame, listing: str, shape: str) -> DataFrame:
    """Return a row for every `item` of the record's list; a list that is not such JSON is one row with a `reason`.

    A race that the API cut over two pages comes in two records; its items are all there, in either.
    """
    items = F.from_json(listing, shape)
    unread = F.col(listing).isNotNull() & F.col("items").isNull()
    unpacked = records.withColumn("items", items).withColumn("reason", F.when(unread, "JSON_INVALID"))
    rows = unpacked.select(
        "season", "round", F.explode_outer("items").alias("item"), "reason",
        F.when(unread, F.col(listing)).alias("unread"), *LINEAGE,
    )  # fmt: skip
    return rows.where(F.col("item").isNotNull() | F.col("reason").isNotNull())


def text(name: str) -> Column:
    """Return a text, or null for the empty one, which the API uses for "not known"."""
    value = F.trim(F.col(name))
    return F.when(value != "", value)


def milliseconds(value: Column) -> Column:
    """Return the milliseconds of `[H:]MM:SS.sss` or `SS.sss`, exactly; a leading `+` marks a gap. Else null."""

    def part(group: int) -> Column:
        return F.regexp_extract(value, _DURATION, group)

    def whole(group: int) -> Column:
        return F.coalesce(part(group).cast("long"), F.lit(0))

    seconds = whole(1) * 3600 + whole(2) * 60 + whole(3)
    return F.when(value.rlike(_DURATION), seconds * 1000 + F.rpad(part(4), 3, "0").cast("long"))


def moment(day: Column, time: Column) -> Column:
    """Return the instant of an ISO date and a time of day in UTC (`13:00:00Z`); null unless both are known."""
    return F.when(time.isNotNull(), F.concat(day, F.lit("T"), time).cast("timestamp"))


# How a text becomes a value of each kind; a text that cannot is null, which the caller must not take for absent.
READERS = {
    "text": lambda value: value,
    "int": lambda value: value.cast("int"),
    "long": lambda value: value.cast("long"),
    "double": lambda value: value.cast("double"),
    "date": lambda value: value.cast("date"),
    "points": lambda value: value.cast("decimal(6,2)"),
    "total": lambda value: value.cast("decimal(7,2)"),
    "duration": milliseconds,
}
