"""silver.weather_observation from new files and the version before: the rows that new documents belong to, made again.

A row is made of all documents of its place and time. If new documents come for it, its old ones are read again from the
files that hold them, and all go through the same functions as in a full run. So the result is the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from changes import Changes, FullRunNeeded, read_state
from lake import write_table
from query_planning import planned_for
from weather_counts import TABLE, count_observations
from weather_new_documents import NewDocuments, Screening, new_files, read_new
from weather_observations import observe_with_files
from weather_old_rows import (
    OldRows,
    find_old_rows,
    folder_of,
    read_base,
    read_old_documents,
    rows_with_base,
    table_schema,
)
from weather_quality import rejections
from weather_results import PARTITIONS, ROW_COUNTS, SOURCE, SilverResult, SilverRun
from weather_state import SilverState, companions_of, joined


def write_changes(spark: SparkSession, run: SilverRun) -> SilverResult:
    """Write the partitions that new documents belong to, whole: rows that are made again, and the others as they were.

    Raises:
        FullRunNeeded: The table cannot be made from what is new alone.
    """
    changes = run.changes
    if changes is None or SOURCE not in changes.new or not set(run.job.outputs) <= set(changes.base):
        raise FullRunNeeded("a table has no version to build on")
    state = read_state(spark, changes, TABLE, SilverState.of)
    state.check_times(run.latest)
    report = changes.reports[TABLE]
    counts = {**dict.fromkeys(ROW_COUNTS, 0), **report.get("flags", {})}
    counts |= {name: report[name] for name in ("rows_out", "merged")}
    paths = list(changes.new[SOURCE])
    if not paths:
        state = replace(state, latest_dt=run.latest)
        return SilverResult(state, counts, None, 0, replaces=())
    files = new_files(spark, paths)
    schema = state.schema_with(files.schema)
    screening = Screening(run.config, rejections(run.latest), schema, state.documents.generation)
    with planned_for(spark, files):
        new = read_new(spark, paths, screening)
    try:
        state.check_generation(new.counts.generation)
        return _write_new(_Step(spark, run, changes, state, screening, files, new), counts)
    except FullRunNeeded:
        new.documents.unpersist()
        raise


@dataclass(frozen=True)
class _Step:
    """What the rows are made from: the new documents, and the version before with its state."""

    spark: SparkSession
    run: SilverRun
    changes: Changes
    state: SilverState
    screening: Screening
    files: DataFrame
    new: NewDocuments


def _write_new(step: _Step, base_counts: Mapping[str, int]) -> SilverResult:
    state, new = step.state, step.new
    after = replace(
        state,
        schema=step.screening.schema.jsonValue(),
        documents=state.documents.plus(new.counts),
        latest_dt=step.run.latest,
    )
    rejected = new.counts.counts["rejected"]
    if not new.spans:
        return SilverResult(after, base_counts, new.documents, rejected, replaces=())
    written, gone = _write_partitions(step)
    partitions = set(written["partitions"].split())
    return SilverResult(
        state=replace(
            after,
            partitions=tuple(sorted(partitions | set(state.partitions))),
            companions=joined(state.companions, companions_of(written["companions"])),
        ),
        rows={name: base_counts[name] - gone.get(name, 0) + written[name] for name in ROW_COUNTS},
        documents=new.documents,
        rejected=rejected,
        replaces=tuple(folder_of(partition) for partition in sorted(partitions)),
    )


def _write_partitions(step: _Step) -> tuple[Mapping[str, Any], Mapping[str, int]]:
    """Write the partitions of new documents; return their counts, and those of the partitions that they replace."""
    new, config, lineage = step.new, step.run.config, step.run.lineage
    rows = observe_with_files(new.documents, config, lineage)
    known = set(new.spans) & set(step.state.partitions)
    base = read_base(step.spark, step.changes.base[TABLE], known, table_schema(rows)) if known else None
    with planned_for(step.spark, step.files, *([] if base is None else [base])):
        old = None if base is None else find_old_rows(base, new, step.state)
        if old is not None:
            rows = observe_with_files(_with_old_documents(step, old), config, lineage)
        together, replaced_counts = rows_with_base(rows, base, new)
        silver, written_counts = count_observations(together)
        write_table(silver, step.run.job.outputs[TABLE], PARTITIONS)
    return written_counts.get, replaced_counts.get if replaced_counts else {}


def _with_old_documents(step: _Step, old: OldRows) -> DataFrame:
    files = step.changes.files.get(SOURCE, ())
    again = read_old_documents(step.spark, old, files, step.new, step.screening)
    return step.new.documents.unionByName(again)
