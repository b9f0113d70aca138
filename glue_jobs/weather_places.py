"""Gold of weather from changed places: their rows are made again, those of the others are read from the base."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from changes import Changes, FullRunNeeded, read_state, write_state

COUNTS = ("rows_in", "rows_out")
_KEY = "city_key="

PlaceCounts = Mapping[str, Mapping[str, Sequence[int]]]
"""For each table and place, the `COUNTS`."""


@dataclass(frozen=True)
class ChangedPlaces:
    """The places that have changed since the base, and what the base holds of all.

    Attributes:
        places: Their city keys.
        base: The location of the version before of each table.
        counts: The counts of that version.
    """

    places: frozenset[str]
    base: Mapping[str, str]
    counts: PlaceCounts

    def others(self, spark: SparkSession, table: str, like: DataFrame) -> DataFrame:
        """Return the rows of the other places in the version before.

        Args:
            spark: The session.
            table: The table.
            like: Rows of the table, which have the columns that are read.
        """
        rows = spark.read.schema(like.schema).parquet(self.base[table])
        return rows.where(~F.col("city_key").isin(sorted(self.places)))

    def counts_of_others(self, table: str) -> dict[str, Sequence[int]]:
        """Return the counts of the other places."""
        return {place: each for place, each in self.counts[table].items() if place not in self.places}


def counts_in(state: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the counts of each place in a state."""
    return {place: [int(rows_in), int(rows_out)] for place, (rows_in, rows_out) in state["places"].items()}


def changed_places(
    spark: SparkSession, changes: Changes, source: str, tables: Collection[str]
) -> ChangedPlaces:
    """Return the places that have changed.

    Args:
        spark: The session.
        changes: What has changed.
        source: The input by whose partitions places are found.
        tables: The tables of the job.

    Raises:
        FullRunNeeded: The tables cannot be made from these places and the base.
    """
    if source not in changes.touched or not set(tables) <= set(changes.base):
        raise FullRunNeeded("a table has no version to build on")
    changes.require_reports(tables)
    counts = {table: read_state(spark, changes, table, counts_in) for table in tables}
    folders = changes.touched[source]
    if not all(folder.startswith(_KEY) for folder in folders):
        raise FullRunNeeded(f"{source} is not partitioned by city_key")
    places = frozenset(unquote(folder.removeprefix(_KEY).partition("/")[0]) for folder in folders)
    known = {place for each in counts.values() for place in each}
    if known and places >= known:
        raise FullRunNeeded("every place has changed")
    return ChangedPlaces(places, changes.base, counts)


def count_by_place(tables: Mapping[str, DataFrame]) -> dict[str, dict[str, list[int]]]:
    """Return the counts of rows by table and place.

    Args:
        tables: The rows of each table, with the number of `observations` that they were made from.
    """
    parts = [
        rows.select(F.lit(table).alias("table"), "city_key", F.col("observations").cast("long"))
        for table, rows in tables.items()
    ]
    sums = (F.sum("observations").alias("rows_in"), F.count(F.lit(1)).alias("rows_out"))
    grouped = reduce(DataFrame.unionByName, parts).groupBy("table", "city_key").agg(*sums).collect()
    counts: dict[str, dict[str, list[int]]] = {table: {} for table in tables}
    for row in grouped:
        counts[row.table][row.city_key] = [row[name] for name in COUNTS]
    return counts


def totals(counts: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return the sum of each of the `COUNTS` over the places of a table."""
    return {name: sum(each[at] for each in counts.values()) for at, name in enumerate(COUNTS)}


def write_counts(spark: SparkSession, changes: Changes, counts: PlaceCounts) -> None:
    """Leave the counts for the next run."""
    for table, of_places in counts.items():
        write_state(spark, changes, table, {"places": of_places})
