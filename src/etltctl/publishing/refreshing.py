"""The catalog in line with the files: columns from footers, only those partitions that differ, else nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etltctl.catalog import NO_CHANGES, Catalog, Described, PartitionChanges, Partitions, Table
from etltctl.publishing.history import FILES, History
from etltctl.publishing.inspecting import Inspector, files_hash
from etltctl.publishing.places import PUBLISHED, Places, version_of
from etltctl.s3 import S3, S3Object

if TYPE_CHECKING:
    from etltctl.settings import Settings

GONE = "files are gone"  # of a table in the catalog
NOT_PUBLISHED = "not published"  # there are versions, and none that passed its audit


@dataclass(frozen=True)
class Refreshed:
    """A table brought in line: what changed, its rows, its partitions' changes."""

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

    def refresh(self, name: str) -> Refreshed | None:
        """The table brought in line; None where there is no file yet. What was never published stays unseen.

        A table whose files are gone stays in the catalog as it is, and is told.
        """
        place = self.places.in_catalog(name)
        full_name = ".".join(place)
        current = self.catalog.table(*place)
        location = self._location(name, current)
        files = self.inspector.files(location) if location else []
        if current is not None and location and not files:
            return Refreshed(full_name, GONE, 0)
        if not location or not files:
            return Refreshed(full_name, NOT_PUBLISHED, 0) if location == "" else None
        if current is not None and _is_in_line(current, location, files):
            return Refreshed(full_name, "unchanged", History.of(current).rows)
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
        if found.partitions and not is_projected:
            current = self._columns_first(table, current)
            changes = Partitions(self.catalog.aws, table).put(found.partitions)
        change = self.catalog.put(table, current)
        return Refreshed(table.full_name, "created" if is_new else change, found.rows, changes)

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
        root = self.places.root(name)
        versions = [f"{root}{folder}/" for folder in self.s3.folders(root) if folder.startswith("v=")]
        marks = [mark for version in versions for mark in self.s3.objects(f"{version}{PUBLISHED}")]
        if not marks:
            return "" if versions else None
        return max(marks, key=lambda mark: mark.modified).location.removesuffix(PUBLISHED)


def _is_in_line(current: Described, location: str, files: Sequence[S3Object]) -> bool:
    described = current["StorageDescriptor"]["Location"]
    return bool(described == location and current.get("Parameters", {}).get(FILES) == files_hash(files))
