"""The documents of new bronze files: read and screened once, kept in memory, and counted by partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from changes import FullRunNeeded
from lake import CANNOT_MERGE, GENERATION, select_stream
from weather_counts import document_counts
from weather_documents import BRONZE, NUMBERS, OPTIONAL
from weather_observations import KEY, screen_documents, with_time
from weather_quality import Flag
from weather_shapes import FLAT
from weather_state import DocumentCounts


@dataclass(frozen=True)
class Screening:
    """How documents are read and judged, the same for new and for old ones."""

    config: Mapping[str, Any]
    rules: Sequence[Flag]
    schema: StructType
    generation: int | None

    def files(self, spark: SparkSession, paths: Sequence[str]) -> DataFrame:
        """Return the rows of files, without those of older generations."""
        rows = spark.read.schema(self.schema).parquet(*paths)
        return rows if self.generation is None else rows.where(F.col(GENERATION) >= self.generation)

    def documents(self, files: DataFrame) -> DataFrame:
        """Return screened documents with their whole key."""
        bronze = select_stream(files, BRONZE, (*NUMBERS, *FLAT), OPTIONAL)
        return with_time(screen_documents(bronze, self.config, self.rules))


@dataclass(frozen=True)
class NewDocuments:
    """The documents of the new files, kept in memory, and what was counted of them.

    Attributes:
        documents: Screened documents with their key.
        counts: Their counts.
        spans: The first and the last second of the documents of each partition, by `place/year`.
    """

    documents: DataFrame
    counts: DocumentCounts
    spans: Mapping[str, tuple[int, int]]

    @property
    def keys(self) -> DataFrame:
        """The keys of the rows that the documents belong to; a key may occur twice."""
        return self.documents.where("reason is null").select(*KEY)


def new_files(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Return the rows of files, with the columns of all of them.

    Raises:
        FullRunNeeded: A column has two types.
    """
    try:
        return spark.read.option("mergeSchema", "true").parquet(*paths)
    except Py4JJavaError as error:
        if CANNOT_MERGE not in str(error):
            raise
        raise FullRunNeeded("a column has two types in the new files") from error


def read_new(spark: SparkSession, paths: Sequence[str], screening: Screening) -> NewDocuments:
    """Read the new files once: keep their documents and count them by partition."""
    is_kept = F.col("reason").isNull()
    documents = screening.documents(screening.files(spark, paths))
    # Only a rejected document's text is wanted: to keep it for all would make and store it.
    lean = documents.withColumn("document", F.when(~is_kept, F.col("document"))).persist()
    seconds = F.unix_seconds("observed_at")
    groups = (
        lean.groupBy(
            F.when(is_kept, F.col("city_key")).alias("place"), F.when(is_kept, F.col("year")).alias("in_year")
        )
        .agg(*document_counts(lean), F.min(seconds).alias("first"), F.max(seconds).alias("last"))
        .collect()
    )
    spans = {f"{row.place}/{row.in_year}": (row.first, row.last) for row in groups if row.place is not None}
    return NewDocuments(lean, DocumentCounts.of(groups), spans)
