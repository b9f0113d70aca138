"""What has changed since the run whose tables an incremental job builds on, and the state that the job keeps."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from hadoop_files import read_text, write_text
from lake import JobArguments, write_audit

EVERYTHING = "everything"  # in a report: why the job read everything
_COUNTS = ("table", "rows_in", "rows_out", "merged", "rejected", "flags")
State = TypeVar("State")
_LOG = logging.getLogger(__name__)


class FullRunNeeded(Exception):  # noqa: N818 - not an error: the job reads everything instead
    """A reason why the rows cannot be made from what is new alone."""


@dataclass(frozen=True)
class Changes:
    """The file that an incremental job is started with; each mapping is by table.

    Attributes:
        files: All files of each input stream.
        states: The folder that is the job's next to the new version of each output.
        base: The versions that the run builds on; empty for a full run.
        reports: The audits of these versions.
        base_states: The folders that the job wrote next to these versions.
        new: The files that the run before has not read.
        touched: The partition folders of an input table that have changed since.
    """

    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base_states: Mapping[str, str] = field(default_factory=dict)
    new: Mapping[str, Sequence[str]] = field(default_factory=dict)
    touched: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def require_reports(self, tables: Iterable[str]) -> None:
        """Check that there is a report on the base of each table.

        Raises:
            FullRunNeeded: There is none, so the counts of the rows that are carried over are not known.
        """
        if unknown := [table for table in tables if "rows_out" not in self.reports.get(table, {})]:
            raise FullRunNeeded(f"there is no report on the earlier version of {unknown[0]}")

    def files_of(self, table: str, location: str) -> str | list[str]:
        """Return the files of an input stream; its location if it has none, so that Spark names what is missing."""
        return list(self.files.get(table, ())) or location


def read_changes(spark: SparkSession, location: str | None) -> Changes | None:
    """Return the changes that a job is started with; None for a job that is not incremental.

    Raises:
        FileNotFoundError: There is no file at the location.
    """
    if not location:
        return None
    text = read_text(spark, location)
    if text is None:
        raise FileNotFoundError(f"{location}, named by --changes, does not exist")
    content = json.loads(text)
    return Changes(**{each.name: content.get(each.name) or {} for each in fields(Changes)})


def read_state(
    spark: SparkSession, changes: Changes, table: str, parse: Callable[[Mapping[str, Any]], State]
) -> State:
    """Return the state that the job left next to the base of a table.

    Args:
        spark: The session.
        changes: What has changed.
        table: The table.
        parse: Makes the state of its JSON object.

    Raises:
        FullRunNeeded: There is none, or it is damaged.
    """
    folder = changes.base_states.get(table)
    text = read_text(spark, _file_of(folder)) if folder else None
    if text is None:
        raise FullRunNeeded(f"the earlier run left no state of {table}")
    try:
        return parse(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FullRunNeeded(f"the state that the earlier run left of {table} is damaged") from error


def write_state(spark: SparkSession, changes: Changes, table: str, state: Mapping[str, Any]) -> None:
    """Leave a state for the next run."""
    write_text(spark, _file_of(changes.states[table]), json.dumps(state, sort_keys=True))


def carry_over(spark: SparkSession, job: JobArguments, changes: Changes, descriptions: ModuleType) -> None:
    """Write no rows: those of the base are still right. The reports have its counts, and etltctl copies its files.

    Args:
        spark: The session.
        job: The job's arguments.
        changes: What has changed.
        descriptions: What the reports say of the columns.

    Raises:
        FullRunNeeded: There is no report on the base of a table. Nothing was written.
    """
    changes.require_reports(job.outputs)
    for table in job.outputs:
        counts = {name: value for name, value in changes.reports[table].items() if name in _COUNTS}
        write_audit(spark, job.audit_location(table), {**counts, "replaces": []}, descriptions)


def explain_full_run(job: str, reason: FullRunNeeded) -> dict[str, str]:
    """Log in one line why a job reads everything although it has a base, and return what its reports say of it."""
    _LOG.warning("%s reads everything: %s", job, reason)
    return {EVERYTHING: str(reason)}


def _file_of(folder: str) -> str:
    return f"{folder.rstrip('/')}/state.json"
