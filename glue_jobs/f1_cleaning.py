"""Rows of silver.f1_* tables from records: typed, screened, one for each key, with what follows from their values."""

import operator
from collections.abc import Callable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from f1_quality import flags
from f1_records import EXTRACTED_AT, LINEAGE, READERS, moment, text, unpack_list
from f1_tables import OBJECTS, TABLES, Source, Table

LONG_STOP_MS = 60_000
_NOT_COLUMNS = (
    "variants", "is_unreadable", "teams", "race_time", "quali_day", "quali_time", "sprint_day", "sprint_time",
)  # fmt: skip

Records = Mapping[str, DataFrame]


def screen_rows(name: str, records: Records) -> DataFrame:
    """Return a table's rows before duplicates are dropped: fields, `reason` of a rejection, source."""
    table = TABLES[name]
    parts = [_rows_of(name, records[source.stream], source) for source in table.sources]
    return reduce(DataFrame.unionByName, parts)


def _rows_of(name: str, records: DataFrame, source: Source) -> DataFrame:
    table = TABLES[name]
    rows = _open(name, records, source)
    named = rows.withColumn("session", F.lit(source.session)) if source.session else rows
    texts = {field.name: text(field.path) for field in table.fields}
    values = {field.name: READERS[field.kind](texts[field.name]) for field in table.fields}
    unreadable = [texts[name].isNotNull() & value.isNull() for name, value in values.items()]
    is_nameless = reduce(operator.or_, (values[column].isNull() for column in table.key))
    reason = F.coalesce("reason", F.when(is_nameless, "KEY_MISSING"))
    return named.select(
        *(value.alias(name) for name, value in values.items()),
        reduce(operator.or_, unreadable).alias("is_unreadable"),
        reason.alias("reason"),
        F.col("row"),
        *LINEAGE,
    )


def _open(name: str, records: DataFrame, source: Source) -> DataFrame:
    """Return the records' rows with `row`, their JSON, for readers of the rejected rows."""
    if source.listing:
        rows = unpack_list(records, source.listing, TABLES[name].shape)
        arranged = _REARRANGED[name](rows) if name in _REARRANGED else rows
        return arranged.withColumn("row", F.coalesce("unread", F.to_json("item")))
    whole = F.to_json(F.struct(*(column for column in records.columns if column not in LINEAGE)))
    objects = {
        column: F.from_json(column, shape) for column, shape in OBJECTS.items() if column in records.columns
    }
    opened = records.withColumns({"row": whole, "reason": F.lit(None).cast("string")})
    return opened.withColumns(objects) if objects else opened


def _one_a_timing(rows: DataFrame) -> DataFrame:
    timed = rows.withColumn("timing", F.explode_outer("item.Timings"))
    return timed.withColumn("item", F.struct("item.number", "timing"))


def _teams_as_text(rows: DataFrame) -> DataFrame:
    teams = F.concat_ws(" ", "item.Constructors.constructorId").alias("teams")
    parts = [
        F.col(f"item.{name}").alias(name) for name in ("position", "positionText", "points", "wins", "Driver")
    ]
    return rows.withColumn("item", F.when(F.col("item").isNotNull(), F.struct(*parts, teams)))


_REARRANGED: Mapping[str, Callable[[DataFrame], DataFrame]] = {
    "silver.f1_lap": _one_a_timing,
    "silver.f1_driver_standing": _teams_as_text,
}


def keep_one(rows: DataFrame, table: Table) -> DataFrame:
    """Keep one row a key: of the newest sync's rows the preferred, then the fullest; `variants` counts unequal ones.

    The sync is the time in the file's name, the same for all files of a sync. Where streams are appended, older
    syncs' rows are superseded, not in conflict.
    """
    values = [field.name for field in table.fields if field.name not in table.key]
    sync = F.coalesce(F.regexp_extract("source_file", r"_(\d+)_\d+\.parquet$", 1).cast("long"), F.lit(0))
    filled = reduce(operator.add, (F.col(value).isNotNull().cast("int") for value in values))
    preferred = F.col(table.prefers) if table.prefers else F.lit(None).cast("int")
    order = (
        (-sync).alias("age"), preferred.isNull().alias("is_last"), preferred.alias("rank"), (-filled).alias("empty"),
    )  # fmt: skip
    content = F.struct((-sync).alias("age"), F.xxhash64(*values).alias("digest"))
    grouped = rows.groupBy(*table.key).agg(
        F.min(F.struct(*order, *values, "is_unreadable", EXTRACTED_AT)).alias("kept"),
        F.count(F.lit(1)).cast("int").alias("source_rows"),
        F.collect_set(content).alias("contents"),
    )
    return grouped.select(
        *table.key,
        *(F.col(f"kept.{value}").alias(value) for value in (*values, "is_unreadable")),
        "source_rows",
        F.expr("size(filter(contents, c -> c.age = kept.age))").alias("variants"),
        F.timestamp_millis(F.col(f"kept.{EXTRACTED_AT}")).alias("ingested_at"),
    )


def clean_rows(name: str, screened: DataFrame, records: Records, lineage: Mapping[str, Column]) -> DataFrame:
    """Return the silver table `name` from its screened rows, in order of its key.

    One task does it all: the whole history of the sport is some ten thousand rows a table, less than a shuffle costs.
    """
    table = TABLES[name]
    kept = keep_one(screened.where(F.col("reason").isNull()).coalesce(1), table)
    known = mark_sprints(kept, records["sprint"]) if name == "silver.f1_race" else kept
    derived = _DERIVED[name](known) if name in _DERIVED else known
    flagged = derived.withColumn("dq_flags", flags(name)).drop(*_NOT_COLUMNS)
    last = ("source_rows", "dq_flags", "ingested_at")
    columns = [column for column in flagged.columns if column not in last]
    return flagged.select(*columns, *last).withColumns(dict(lineage)).sortWithinPartitions(*table.key)


def mark_sprints(races: DataFrame, sprints: DataFrame) -> DataFrame:
    """Set `has_sprint` where the calendar says so, or where one was run: not every source announces them."""
    run = sprints.select(F.col("season").cast("int"), F.col("round").cast("int"), F.lit(True).alias("ran"))
    known = races.join(F.broadcast(run.dropDuplicates(["season", "round"])), ["season", "round"], "left")
    has_sprint = F.col("sprint_day").isNotNull() | F.coalesce("ran", F.lit(False))
    return known.withColumn("has_sprint", has_sprint).drop("ran")


def _race(rows: DataFrame) -> DataFrame:
    return rows.withColumns(
        {
            "race_start": moment(F.col("race_date").cast("string"), F.col("race_time")),
            "quali_start": moment(F.col("quali_day"), F.col("quali_time")),
            "sprint_start": moment(F.col("sprint_day"), F.col("sprint_time")),
        }
    )


def _result(rows: DataFrame) -> DataFrame:
    session = Window.partitionBy("season", "round", "session")
    winner = F.max(F.when(F.col("position") == 1, F.col("race_time_ms"))).over(session)
    return rows.withColumns(
        {
            "is_classified": F.coalesce(F.col("position_text").rlike(r"^\d+$"), F.lit(False)),
            "pit_lane_start": F.col("grid") == 0,
            "status_group": status_group(F.col("status"), F.col("position_text")),
            "gap_ms": F.col("race_time_ms") - winner,
        }
    )


def status_group(status: Column, position_text: Column) -> Column:
    """Return finished, lapped, retired, dsq or dns, from the API's words and position letters (D, E, W, F)."""
    words = F.lower(status)
    return (
        F.when(words.rlike("^disqualified|^excluded") | position_text.isin("D", "E"), "dsq")
        .when(words.rlike("^did not|^107%") | position_text.isin("W", "F"), "dns")
        .when(words == "finished", "finished")
        .when(words.rlike(r"^\+\d+ laps?$|^lapped$"), "lapped")
        .when(status.isNotNull() | ~position_text.rlike(r"^\d+$"), "retired")
    )


def _qualifying(rows: DataFrame) -> DataFrame:
    reached = F.when(F.col("q3_ms").isNotNull(), 3).when(F.col("q2_ms").isNotNull(), 2)
    return rows.withColumns(
        {
            "best_ms": F.least("q1_ms", "q2_ms", "q3_ms"),
            "segment_reached": reached.when(F.col("q1_ms").isNotNull(), 1),
        }
    )


def _pit_stop(rows: DataFrame) -> DataFrame:
    return rows.withColumn("is_long", F.col("duration_ms") >= LONG_STOP_MS)


def _driver_standing(rows: DataFrame) -> DataFrame:
    teams = F.when(F.col("teams").isNull(), F.array().cast("array<string>")).otherwise(F.split("teams", " "))
    return rows.withColumn("constructor_ids", teams)


_DERIVED: Mapping[str, Callable[[DataFrame], DataFrame]] = {
    "silver.f1_race": _race,
    "silver.f1_result": _result,
    "silver.f1_qualifying": _qualifying,
    "silver.f1_pit_stop": _pit_stop,
    "silver.f1_driver_standing": _driver_standing,
}
