"""What a run of bronze_to_silver is made from, and what it has written, of all bronze or of what is new."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession

from changes import Changes
from lake import JobArguments, newest_generation, read_files, select_stream, write_table
from weather_counts import TABLE, count_observations, count_screened
from weather_documents import BRONZE, NUMBERS, OPTIONAL
from weather_observations import observe_with_files, screen_documents
from weather_quality import CODES, rejections
from weather_shapes import FLAT
from weather_state import DocumentCounts, SilverState, companions_of

SOURCE = "bronze.mongodb_observations"
PARTITIONS = ("city_key", "year")
ROW_COUNTS = ("rows_out", "merged", *CODES)


@dataclass(frozen=True)
class SilverRun:
    """The arguments and settings of one run.

    Attributes:
        job: The arguments of the job.
        config: The settings.
        lineage: The columns that say which run made a row.
        latest: The latest time of an observation that is accepted, in seconds since 1970.
        changes: What is new; None for a job that is not incremental.
    """

    job: JobArguments
    config: Mapping[str, Any]
    lineage: Mapping[str, Column]
    latest: int
    changes: Changes | None

    @property
    def source(self) -> str | list[str]:
        """The folder of the bronze stream, or its files."""
        location = self.job.inputs[SOURCE]
        return self.changes.files_of(SOURCE, location) if self.changes else location


@dataclass(frozen=True)
class SilverResult:
    """What a run has written; with the rows of the version before that are carried over.

    Attributes:
        state: What the next run is to know.
        rows: The `ROW_COUNTS`.
        documents: The documents that the run has read, with the reasons for rejections.
        rejected: How many of these documents were rejected.
        replaces: The partition folders that replace those of the version before; None if nothing is carried over.
        explanation: What the report says of why nothing is carried over although there is a version before.
    """

    state: SilverState
    rows: Mapping[str, int]
    documents: DataFrame | None
    rejected: int
    replaces: Sequence[str] | None = None
    explanation: Mapping[str, str] = field(default_factory=dict)


def write_all(spark: SparkSession, run: SilverRun) -> SilverResult:
    """Write the table from all documents."""
    files = read_files(spark, run.source)
    bronze = select_stream(newest_generation(files), BRONZE, (*NUMBERS, *FLAT), OPTIONAL)
    documents = screen_documents(bronze, run.config, rejections(run.latest))
    screened, document_counts = count_screened(documents)
    silver, row_counts = count_observations(observe_with_files(screened, run.config, run.lineage))
    write_table(silver, run.job.outputs[TABLE], PARTITIONS)
    counts, rows = DocumentCounts.of([document_counts.get]), row_counts.get
    state = SilverState(
        schema=files.schema.jsonValue(),
        documents=counts,
        latest_dt=run.latest,
        partitions=tuple(sorted(rows["partitions"].split())),
        companions=companions_of(rows["companions"]),
    )
    return SilverResult(state, _numbers(rows), documents, counts.counts["rejected"])


def _numbers(rows: Mapping[str, Any]) -> dict[str, int]:
    return {name: rows[name] for name in ROW_COUNTS}
