"""Seasons of Formula 1 that differ between two versions: silver reports them, and gold makes them again."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from changes import Changes, FullRunNeeded, read_state, write_state
from f1_tables import TABLES

# How and by which run a row was read. Gold drops these columns, so a change of them alone touches no season.
PROVENANCE = ("source_rows", "ingested_at", "run_id", "config_hash")
_FOLDER = "season="

Fingerprints = Mapping[str, Mapping[str, str]]
"""By silver table and season, a text that changes with any fact of the season."""


def read_fingerprints(spark: SparkSession, locations: Mapping[str, str]) -> Fingerprints:
    """Return the fingerprints of silver tables, by one Spark job for all of them.

    Args:
        spark: The session.
        locations: The location of each table; tables without seasons are passed over.
    """
    tables = [table for table in locations if "season" in TABLES[table].key]
    if not tables:
        return {}
    facts = reduce(DataFrame.union, (_facts(spark, table, locations[table]) for table in tables))
    # Sums of decimals are exact, so the order of rows makes no difference.
    digest = F.concat_ws(" ", F.count(F.lit(1)), F.sum(F.col("digest").cast("decimal(20,0)")))
    fingerprints: dict[str, dict[str, str]] = {table: {} for table in tables}
    for row in facts.groupBy("table", "season").agg(digest.alias("digest")).collect():
        fingerprints[row["table"]][str(row["season"])] = row["digest"]
    return fingerprints


def _facts(spark: SparkSession, table: str, location: str) -> DataFrame:
    rows = spark.read.parquet(location).drop(*PROVENANCE)
    # As JSON: a hash of the columns would pass over nulls, and take two columns for the same if a value moves over.
    digest = F.xxhash64(F.to_json(F.struct("*"))).alias("digest")
    return rows.select(F.lit(table).alias("table"), "season", digest).coalesce(1)


def base_fingerprints(spark: SparkSession, changes: Changes) -> Fingerprints:
    """Return the fingerprints that the run before left; a table for which it left none is not among them."""
    known = {}
    for table in changes.base:
        with suppress(FullRunNeeded):
            known[table] = read_state(spark, changes, table, seasons_in)
    return known


def seasons_in(state: Mapping[str, Any]) -> dict[str, str]:
    """Return the fingerprint of each season in a state."""
    return {str(int(season)): str(digest) for season, digest in state["seasons"].items()}


def leave_fingerprints(spark: SparkSession, changes: Changes, fingerprints: Fingerprints) -> None:
    """Leave the fingerprints for the next run."""
    for table, of_seasons in fingerprints.items():
        write_state(spark, changes, table, {"seasons": of_seasons})


def differences(before: Fingerprints, after: Fingerprints) -> dict[str, dict[str, list[str]]]:
    """Return what the reports say of the seasons that came, went or changed; nothing of a table not known before."""
    return {
        table: {
            "differs": [
                f"{_FOLDER}{season}"
                for season in sorted({*before[table], *seasons})
                if before[table].get(season) != seasons.get(season)
            ]
        }
        for table, seasons in after.items()
        if table in before
    }


@dataclass(frozen=True)
class TouchedSeasons:
    """The seasons whose rows of gold are made again; those of the others are read from the base.

    Attributes:
        seasons: The seasons.
        base: The location of the version before of each table.
    """

    seasons: frozenset[int]
    base: Mapping[str, str]

    @classmethod
    def of(cls, changes: Changes, inputs: Mapping[str, Any]) -> "TouchedSeasons":
        """Return the seasons in which any input has changed since the base.

        Raises:
            FullRunNeeded: It is not known of each input in which seasons it has changed.
        """
        if unknown := sorted(set(inputs) - set(changes.touched)):
            raise FullRunNeeded(f"{unknown[0]} has no versions")
        folders = {folder for table in inputs for folder in changes.touched[table]}
        names = {folder.partition("/")[0] for folder in folders}
        if strange := sorted(name for name in names if not re.fullmatch(rf"{_FOLDER}\d+", name)):
            raise FullRunNeeded(f"{strange[0]}, which has changed, is not a season")
        return cls(frozenset(int(name.removeprefix(_FOLDER)) for name in names), changes.base)

    def rows_of(self, rows: DataFrame) -> DataFrame:
        """Return the rows of these seasons."""
        return rows.where(F.col("season").isin(sorted(self.seasons)))

    def with_others(self, spark: SparkSession, table: str, rows: DataFrame) -> DataFrame:
        """Return the rows of these seasons, and the base's rows of the others.

        Args:
            spark: The session.
            table: The table.
            rows: The table's rows of these seasons.
        """
        base = spark.read.schema(rows.schema).parquet(self.base[table])
        # A season that is null is in no list: such rows stay those of the base.
        is_touched = F.coalesce(F.col("season").isin(sorted(self.seasons)), F.lit(False))
        return rows.unionByName(base.where(~is_touched))
