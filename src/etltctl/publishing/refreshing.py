"""The catalog in line with the files: columns from footers, only those partitions that differ, else nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from etltctl.catalog import (
    NO_CHANGES,
    Catalog,
    Described,
    PartitionChanges,
    Partitions,
    Registry,
    Table,
    is_closed,
)
from etltctl.errors import EtltctlError, ExitCode
from etltctl.publishing.history import FILES, History
from etltctl.publishing.inspecting import Inspector, files_hash, parquet_files, require_parquet_alone
from etltctl.publishing.places import Places, version_of
from etltctl.publishing.records import VersionRecords
from etltctl.s3 import S3, S3Object, settled

if TYPE_CHECKING:
    from etltctl.settings import Settings

# The worst first: what readers see may be wrong, then what a person must change, then what may pass with time.
WORST_FIRST = (
    ExitCode.UNVERIFIED,
    ExitCode.BLOCKED,
    ExitCode.ACCESS,
    ExitCode.CONFIGURATION,
    ExitCode.FAILED,
    ExitCode.ALREADY_RUNNING,
)
GONE = "files are gone"  # of a table in the catalog
NOT_PUBLISHED = "not published"  # there are versions, and none that passed its audit


@dataclass(frozen=True)
class Refreshed:
    """A table brought in line, as `layer.name`: what changed, its rows, its partitions' changes."""

    table: str
    change: str
    rows: int
    partitions: PartitionChanges = NO_CHANGES


@dataclass(frozen=True)
class Refresh:
    """Brings tables of the catalog in line with their files.

    Where no file came, went or changed since, that is one listing and one look at the table.
    """

    settings: Settings
    s3: S3
    catalog: Catalog
    places: Places
    inspector: Inspector
    records: VersionRecords

    def refresh(self, name: str) -> Refreshed | None:
        """Bring the table in line with its files; None where there is no file yet.

        What was never published stays unseen. A table whose files are gone stays in the catalog as it is.

        Raises:
            BlockedError: Athena could not read the files as one table.
            UnverifiedError: A file is damaged, or files of a published version are not those that were published.
            AlreadyRunningError: The files are replaced again and again while they are read.
        """
        return settled(partial(self._refreshed, name), name)

    def _refreshed(self, name: str) -> Refreshed | None:
        current = self.catalog.table(*self.places.in_catalog(name))
        location = self._location(name, current)
        objects = self.s3.objects(location) if location else []
        files = parquet_files(location or "", objects)
        if current is not None and location and not files:
            return Refreshed(name, GONE, 0)
        if not location or not files:
            return Refreshed(name, NOT_PUBLISHED, 0) if location == "" else None
        if current is not None and _is_in_line(current, location, files):
            return Refreshed(name, "unchanged", History.of(current).rows)
        require_parquet_alone(name, location, objects)
        if version_of(location):
            self.records.require_unchanged(name, location, files, current)
        return self._bring_in_line(name, location, files, current)

    def _bring_in_line(
        self, name: str, location: str, files: Sequence[S3Object], current: Described | None
    ) -> Refreshed:
        rules = self.settings.rules(name)
        is_projected = bool(version_of(location)) or rules.partitions == "projection"
        found = self.inspector.inspect(
            name,
            self.places.in_catalog(name),
            location,
            files,
            is_projected=is_projected,
            allow_widening=rules.allow_widening,
            current=current,
        )
        changes, is_new = NO_CHANGES, current is None
        table = found.table
        if table.registered and not version_of(location):
            current = self._columns_first(table, current)
            changes = Partitions(self.catalog.aws, table).put(table.registered)
        change = (
            Registry(self.catalog).put(table, current)
            if version_of(location)
            else self.catalog.put(table, current)
        )
        return Refreshed(name, "created" if is_new else change, found.rows, changes)

    def _columns_first(self, table: Table, current: Described | None) -> Described | None:
        """The table with its new columns but not yet the mark that its files are registered.

        Killed between the two, the next refresh sees that partitions may be missing.
        """
        listed = current["StorageDescriptor"]["Columns"] if current else []
        if current and [(one["Name"], one["Type"]) for one in listed] == list(table.columns.items()):
            return current
        unmarked = {name: text for name, text in table.parameters.items() if name != FILES}
        self.catalog.put(replace(table, parameters={**unmarked, FILES: ""}), current)
        return self.catalog.table(table.database, table.name)

    def _location(self, name: str, current: Described | None) -> str | None:
        """The table's place: its own, the catalog's, or that of the version published last if the catalog lost it.

        Empty if no version was ever published, None if there is none.
        """
        if fixed := self.places.fixed(name):
            return fixed
        if current is not None:
            return str(current["StorageDescriptor"]["Location"])
        return self.records.last_published(name)


def _is_in_line(current: Described, location: str, files: Sequence[S3Object]) -> bool:
    described = current["StorageDescriptor"]["Location"]
    if is_closed(current):
        return False
    return bool(described == location and current.get("Parameters", {}).get(FILES) == files_hash(files))


def combined(errors: Mapping[str, EtltctlError], count: int) -> EtltctlError:
    """Return the one error of a table, or an error of the worst one's kind that names every table.

    Args:
        errors: The errors by table.
        count: The number of all tables that were to be refreshed.
    """
    worst = min(errors.values(), key=_rank)
    if len(errors) == 1:
        return worst
    told = {table: f"{error.message}\n{error.hint}".strip() for table, error in errors.items()}
    combined = type(worst)(
        f"{len(errors)} of {count} tables could not be refreshed: {', '.join(errors)}",
        hint="the other tables were refreshed; these stay as they were",
    )
    combined.facts = dict(told)
    return combined


def _rank(error: EtltctlError) -> int:
    return WORST_FIRST.index(error.exit_code) if error.exit_code in WORST_FIRST else len(WORST_FIRST)
