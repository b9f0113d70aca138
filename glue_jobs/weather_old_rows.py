"""The rows of the version before that new documents belong to, and the old bronze files that hold their documents."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from weather_counts import row_counts
from weather_documents import SCHEMALESS, unix_seconds
from weather_new_documents import NewDocuments, Screening
from weather_observations import COLUMNS, KEY, OTHER_FILES, file_name
from weather_state import SilverState, locations_of


@dataclass(frozen=True)
class OldRows:
    """What the version before knows of the rows that new documents belong to.

    Attributes:
        files: The names of the bronze files that hold the documents of these rows.
        span: The first and the last second of these rows.
    """

    files: frozenset[str]
    span: tuple[int, int]


def table_schema(rows: DataFrame) -> StructType:
    """Return the columns of the table from rows that were made for it, which have one column more."""
    return rows.drop(OTHER_FILES).schema


def read_base(spark: SparkSession, base: str, partitions: Iterable[str], schema: StructType) -> DataFrame:
    """Return the rows of these partitions of the version before."""
    folders = [f"{base.rstrip('/')}/{folder_of(partition)}" for partition in sorted(partitions)]
    return spark.read.schema(schema).option("basePath", base).parquet(*folders)


def folder_of(partition: str) -> str:
    """Return the folder of a partition `place/year`, relative to the table."""
    place, _, year = partition.rpartition("/")
    return f"city_key={place}/year={year}"


def find_old_rows(base: DataFrame, new: NewDocuments, state: SilverState) -> OldRows | None:
    """Return what the version before has of the rows that new documents belong to; None if it has none of them.

    Args:
        base: The rows of the partitions that new documents belong to.
        new: The new documents.
        state: The state of the version before.
    """
    first, last = min(low for low, _ in new.spans.values()), max(high for _, high in new.spans.values())
    seconds = F.unix_seconds("observed_at")
    rows = base.select(*KEY, "source_file", "source_rows")
    near = rows.where(F.col("observed_at").between(_moment(first), _moment(last + 1)))
    groups = (
        near.join(new.keys, list(KEY), "left_semi")
        .groupBy(file_name(F.col("source_file")).alias("file"))
        .agg(
            F.max(F.col("source_rows") > 1).alias("is_merged"),
            F.min(seconds).alias("first"),
            F.max(seconds).alias("last"),
        )
        .collect()
    )
    if not groups:
        return None
    own = {row.file for row in groups}
    others = {name for row in groups if row.is_merged for name in state.companions.get(row.file, ())}
    return OldRows(
        files=frozenset(own | others),
        span=(min(row.first for row in groups), max(row.last for row in groups)),
    )


def read_old_documents(
    spark: SparkSession, old: OldRows, files: Iterable[str], new: NewDocuments, screening: Screening
) -> DataFrame:
    """Return the accepted documents in old files that belong to rows of new documents.

    Raises:
        FullRunNeeded: A file is not one of the stream's.
    """
    rows = screening.files(spark, locations_of(old.files, files))
    kinds = dict(rows.dtypes)
    if SCHEMALESS not in kinds and "dt" in kinds:
        rows = _of_same_time(rows, kinds["dt"], old, new)
    documents = screening.documents(rows).where("reason is null")
    return documents.join(new.keys, list(KEY), "left_semi")


def _of_same_time(rows: DataFrame, kind: str, old: OldRows, new: NewDocuments) -> DataFrame:
    """Return the rows of files whose time is that of a new document, before any document is parsed."""
    if kind == "double":
        # Parquet's statistics leave out row groups of other times.
        rows = rows.where(F.col("dt").between(float(old.span[0]), float(old.span[1] + 1)))
    seconds = F.col("dt") if kind == "double" else unix_seconds(F.col("dt").cast("string"))
    times = new.keys.select(F.col("observed_at").alias("time_of_new"))
    return rows.join(times, F.timestamp_seconds(seconds) == F.col("time_of_new"), "left_semi")


def rows_with_base(
    rows: DataFrame, base: DataFrame | None, new: NewDocuments
) -> tuple[DataFrame, Observation | None]:
    """Return the rows that were made together with the other rows of the partitions that are written again.

    Args:
        rows: Those of `observe_with_files`.
        base: The rows of these partitions in the version before; None if there are no such partitions.
        new: The new documents, whose rows in the base are replaced.

    Returns:
        The rows, and the counts of those of the base.
    """
    if base is None:
        return rows, None
    replaced = Observation("replaced")
    no_files: Column = F.lit(None).cast("array<string>")
    kept = base.observe(replaced, *row_counts()).join(new.keys, list(KEY), "left_anti")
    together = rows.unionByName(kept.select(*COLUMNS, no_files.alias(OTHER_FILES)))
    return together.repartition("city_key", "year").sortWithinPartitions(*KEY), replaced


def _moment(second: int) -> Column:
    return F.timestamp_seconds(F.lit(second))
