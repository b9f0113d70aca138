"""Refreshing the catalog from the files: columns from footers, and only those partitions that differ.

A table whose files did not change costs one listing and one read of the catalog. Nothing is written then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from etltctl.catalog import (
    NO_CHANGES,
    Described,
    PartitionChanges,
    Partitions,
    Registry,
    Table,
    is_closed,
)
from etltctl.errors import EtltctlError, ExitCode, NextStep
from etltctl.places import version_of
from etltctl.publishing.context import LakeContext
from etltctl.publishing.table_files import Inspector, foreign_objects, parquet_files, require_parquet_alone
from etltctl.publishing.version_history import FILES, History, files_hash, utc_now
from etltctl.publishing.version_records import VersionRecords, described
from etltctl.s3 import S3Object, settled
from etltctl.values import TableName

# The worst first: readers may see wrong data, then a person must change something, then it may pass with time.
WORST_FIRST = (
    ExitCode.UNVERIFIED,
    ExitCode.BLOCKED,
    ExitCode.ACCESS,
    ExitCode.CONFIGURATION,
    ExitCode.FAILED,
    ExitCode.ALREADY_RUNNING,
)
GONE = "files are gone"  # the catalog has the table, and its folder has no file
NOT_PUBLISHED = "not published"  # there are versions, and none passed its audit


@dataclass(frozen=True)
class Refreshed:
    """A table that was refreshed: what changed, its rows, and how many partitions changed."""

    table: str
    change: str
    rows: int
    partitions: PartitionChanges = NO_CHANGES


@dataclass(frozen=True)
class Refresh:
    """The refresh of the catalog's tables from their files."""

    context: LakeContext
    inspector: Inspector
    records: VersionRecords

    def refresh(self, table: TableName) -> Refreshed | None:
        """Make the table in the catalog say what its files say.

        A version that was never published stays out of the catalog. A table whose files are gone stays in it as it
        is.

        Returns:
            What was done; None if the table has no file yet.

        Raises:
            BlockedError: Athena could not read the files as one table.
            UnverifiedError: A file is damaged, or files of a published version are not those that were published.
            AlreadyRunningError: The files are replaced again and again while they are read.
        """
        return settled(partial(self._refresh, table), str(table))

    def _refresh(self, name: TableName) -> Refreshed | None:
        current = self.context.current(name)
        location = self._location(name, current)
        objects = self.context.s3.objects(location) if location else []
        files = parquet_files(location or "", objects)
        # An empty folder may be a sync that is about to write: the table and its columns stay.
        if current is not None and location and not files:
            return Refreshed(str(name), GONE, 0)
        if not location or not files:
            return Refreshed(str(name), NOT_PUBLISHED, 0) if location == "" else None
        # Before any footer is read: most refreshes find nothing to do and end here.
        is_disturbed = bool(foreign_objects(location, objects))
        if current is not None and not is_disturbed and _is_up_to_date(current, location, files):
            return Refreshed(str(name), "unchanged", History.of(current).rows)
        if version_of(location):
            self.records.require_unchanged(name, location, objects, current)
        require_parquet_alone(str(name), location, objects)
        return self._update(name, location, files, current)

    def _update(
        self, name: TableName, location: str, files: Sequence[S3Object], current: Described | None
    ) -> Refreshed:
        catalog, rules = self.context.catalog, self.context.rules(name)
        # A version is switched in one call, which needs partitions that Athena computes.
        is_projected = bool(version_of(location)) or rules.partitions == "projection"
        inspected = self.inspector.inspect(
            str(name),
            self.context.places.in_catalog(name),
            location,
            files,
            is_projected=is_projected,
            allow_widening=rules.allow_widening,
            current=current,
        )
        changes, is_new = NO_CHANGES, current is None
        table = inspected.table
        if is_new and version_of(location):
            # A table that the catalog lost; one that it holds keeps its texts.
            table = described(table, self.records.job_report(name, location))
            table = replace(table, parameters={**table.parameters, **self._history(name, location)})
        # A table that is written in place is never closed. The hash of its files is written after its partitions, so
        # that a refresh that died between the two is noticed.
        if table.registered and not version_of(location):
            current = self._columns_first(table, current)
            changes = Partitions(catalog.aws, table).put(table.registered)
        if version_of(location):
            change = Registry(catalog).put(table, current, str(name))
        else:
            change = catalog.put(table, current)
        return Refreshed(str(name), "created" if is_new else change, inspected.rows, changes)

    def _history(self, name: TableName, location: str) -> dict[str, str]:
        """Return the versions of a table that the catalog lost, as parameters: they are on record next to the data.

        Without them a rollback would find no version, and a retirement would take them all for never published.
        """
        current, versions = version_of(location), self.records.published_versions(name)
        # Since when a version is out of use is lost. From now on is the safe answer: it is kept for longer.
        since = {version: utc_now().isoformat() for version in versions if version != current}
        return History(current, tuple(versions), since).parameters()

    def _columns_first(self, table: Table, current: Described | None) -> Described | None:
        """Write the table with its new columns, but not yet the hash of its files, and return it.

        If the process dies before the partitions are registered, the next refresh sees that some may be missing.
        """
        columns = current["StorageDescriptor"]["Columns"] if current else []
        if current and [(one["Name"], one["Type"]) for one in columns] == list(table.columns.items()):
            return current
        # An empty hash never equals that of the files, so a refresh that dies here is repeated.
        unmarked = {name: text for name, text in table.parameters.items() if name != FILES}
        self.context.catalog.put(replace(table, parameters={**unmarked, FILES: ""}), current)
        return self.context.catalog.table(table.database, table.name)

    def _location(self, name: TableName, current: Described | None) -> str | None:
        """Return the place of the table's files: its fixed place, or that in the catalog.

        For a table that the catalog lost it is that of the version that was published last: empty if no version was
        ever published, None if the table has no version.
        """
        if fixed := self.context.places.fixed(name):
            return fixed
        if current is not None:
            return str(current["StorageDescriptor"]["Location"])
        return self.records.last_published(name)


def _is_up_to_date(current: Described, location: str, files: Sequence[S3Object]) -> bool:
    described = current["StorageDescriptor"]["Location"]
    if is_closed(current):
        return False
    return bool(described == location and current.get("Parameters", {}).get(FILES) == files_hash(files))


def combined(errors: Mapping[str, EtltctlError], count: int) -> EtltctlError:
    """Return the one error of a table, or an error of the worst one's kind that names every table.

    Args:
        errors: The errors by table.
        count: The number of all tables whose refresh was tried.
    """
    # The exit code of a batch is that of its worst table.
    worst = min(errors.values(), key=_rank)
    if len(errors) == 1:
        return worst
    combined = type(worst)(
        f"{len(errors)} of {count} tables could not be refreshed: {', '.join(errors)}",
        hint="the other tables were refreshed; these stay as they were",
    )
    combined.facts = {
        table: NextStep(error.message, *(["\n", *error.next_step.parts] if error.next_step.parts else []))
        for table, error in errors.items()
    }
    return combined


def _rank(error: EtltctlError) -> int:
    return WORST_FIRST.index(error.exit_code) if error.exit_code in WORST_FIRST else len(WORST_FIRST)
