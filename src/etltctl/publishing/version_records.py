"""Records of each version of a table: the job's report, a mark of publication, and the list of its files.

They lie outside the table's folder, because some readers open every object that they find below a table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from etltctl.catalog import Described, Table
from etltctl.errors import NextStep, UnverifiedError, command
from etltctl.places import JOB_REPORT, Name, version_of
from etltctl.publishing.context import LakeContext
from etltctl.publishing.table_files import foreign_objects, parquet_files
from etltctl.publishing.version_history import FILES as CATALOG_FILES
from etltctl.publishing.version_history import files_hash
from etltctl.s3 import PARQUET, S3Object, is_data
from etltctl.values import S3Location

PUBLISHED = "published"  # written each time the version is made current
LIST = "files.json"
OTHER = "other"
COUNTS = ("rows_in", "rows_out", "merged", "rejected")  # what a job may count
EVERYTHING = "everything"  # why the job's script read all of its inputs although it was to read what is new
REPLACES = "replaces"  # the partitions that the job wrote; the others are carried over
DIFFERS = "differs"  # of a version that the job wrote whole: the folders in which it differs from its base
DESCRIPTION, COMMENTS = "description", "comments"  # what a job may say of its table and of its columns
NAMED = 5  # files that a message names

# Versions that etltctl 0.1 published have their records in their own folder, under these names.
OLD_REPORT = "_audit"
OLD_PUBLISHED = "_PUBLISHED"


@dataclass(frozen=True)
class FileChanges:
    """How the files of a published version differ from the list that was kept when it was published."""

    missing: Sequence[str] = ()
    added: Sequence[str] = ()
    replaced: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Return whether any file differs."""
        return bool(self.missing or self.added or self.replaced)

    def facts(self) -> dict[str, str]:
        """Return the first of the files of each kind, by kind, as text."""
        kinds = {"missing": self.missing, "added": self.added, "replaced": self.replaced}
        return {kind: first_names(names) for kind, names in kinds.items() if names}


@dataclass(frozen=True)
class VersionRecords:
    """The records of the versions of all tables.

    A table is named `layer.table`, and a version by the location of its folder.
    """

    context: LakeContext

    def job_report(self, table: Name, location: str) -> Mapping[str, Any]:
        """Return the job's report on the version: rows in, out, merged, rejected, flags. Empty if there is none.

        Args:
            table: The table as `layer.table`.
            location: The folder of the version.

        Raises:
            UnverifiedError: The report is not a JSON object.
        """
        # Scripts of etltctl 0.1 wrote into the version itself: that place is read second.
        own_place = self.context.places.job_report(table, version_of(location))
        for folder in (own_place, S3Location.parse(location).object(OLD_REPORT)):
            # Spark names its output itself, and writes empty parts next to the one with the text.
            for part in self.context.s3.objects(folder.object("part-")):
                if text := self.context.s3.read(part.location).strip():
                    return _parsed(str(table), part.location, text)
        return {}

    def set_aside(self, table: Name, location: str, objects: Sequence[S3Object]) -> None:
        """Move every object that is not data out of the version's folder, before the version is published.

        Scripts that know no place for their report write them into the version, and Spark leaves `_SUCCESS` there.
        File systems on S3 mark folders with empty objects (`year=2024/`, `year=2024_$folder$`). Athena skips all of
        them, but readers that open every object fail at them.

        Args:
            table: The table.
            location: The folder of the version.
            objects: The objects in it.
        """
        # Moved and not deleted: what a script left there may be all that explains a failure.
        record = str(self.context.places.record(table, version_of(location)))
        for one in objects:
            is_empty = not one.size and not one.key.endswith(PARQUET)
            if is_empty or not is_data(location, one.key):
                below = one.location.removeprefix(location)
                is_report = below.startswith(f"{OLD_REPORT}/")
                path = JOB_REPORT + below.removeprefix(OLD_REPORT) if is_report else f"{OTHER}/{below}"
                self.context.s3.move(
                    one, f"{record}{path}"
                )  # as it is: a key may end with / or hold two of them

    def keep_files(self, table: Name, location: str, files: Sequence[S3Object]) -> None:
        """Keep the list of the version's files, so that a later change of them is noticed."""
        text = json.dumps({"location": location, "files": _listing(location, files)}, indent=1)
        self.context.s3.write(self._record(table, location).object(LIST), text.encode())

    def file_changes(self, table: Name, location: str, files: Sequence[S3Object]) -> FileChanges | None:
        """Compare the version's files with the list that was kept; return None if no list was kept."""
        text = self.context.s3.read_if_there(self._record(table, location).object(LIST))
        if text is None:
            return None
        try:
            kept: dict[str, list[Any]] = json.loads(text)["files"]
        # A list that cannot be read proves nothing; the hash in the catalog is compared in its place.
        except (ValueError, KeyError, TypeError):
            return None
        now = _listing(location, files)
        return FileChanges(
            [name for name in kept if name not in now],
            [name for name in now if name not in kept],
            [name for name in kept if name in now and kept[name] != now[name]],
        )

    def require_unchanged(
        self, table: Name, location: str, objects: Sequence[S3Object], current: Described | None = None
    ) -> None:
        """Check that the files of a version are those that were published, and that no reader meets another.

        Args:
            table: The table.
            location: The folder of the version.
            objects: All objects of the version as they are now.
            current: The table in the catalog. Its hash shows a change where no list of files was kept.

        Raises:
            UnverifiedError: Files came, went or changed since.
        """
        files = parquet_files(location, objects)
        changes = self.file_changes(table, location, files)
        # The hash says that something differs and not what, so it serves only where no list is left.
        known = (current or {}).get("Parameters", {}).get(CATALOG_FILES, "")
        if changes is None and known not in ("", files_hash(files)):
            changes = FileChanges(replaced=["some; no list was kept when the version was published"])
        # Neither the list nor the hash has them: no version is published with such objects in its folder.
        if foreign := [one.location.removeprefix(location) for one in foreign_objects(location, objects)]:
            changes = changes or FileChanges()
            changes = replace(changes, added=[*changes.added, *foreign])
        if changes:
            version = version_of(location)
            raise UnverifiedError(
                f"the files of version {version} of {table} are not those that were published: something wrote to "
                f"{location} since",
                hint=NextStep(
                    "readers see them as they are now; go back: ", command("rollback", table),
                    ", or run the job that writes the table again",
                ),
                table=str(table),
                version=version,
                **changes.facts(),
            )  # fmt: skip

    def mark_published(self, table: Name, location: str) -> None:
        """Record that the version passed its audit and is made current now."""
        self.context.s3.write(self._record(table, location).object(PUBLISHED), b"")

    def last_published(self, table: Name) -> str | None:
        """Return the folder of the version that was made current last.

        Returns:
            An empty text if versions exist and none was ever published; None if the table has no version at all.
        """
        # The mark's time decides and not the version's name: a rollback makes an older version current later.
        if marks := self._times_by_version(table, PUBLISHED):
            return str(
                self.context.places.root(table).folder(max(marks, key=lambda name: (marks[name], name)))
            )
        return "" if self._folders(table) else None

    def published_versions(self, table: Name) -> list[str]:
        """Return every version that was published and is still there, in the order of publication, newest first.

        It serves a table whose entry in the catalog, which holds this list, is lost.
        """
        marks = self._times_by_version(table, PUBLISHED)
        # The list of files is written by a publish alone. A rollback writes the mark again, which would put an old
        # version in front of the one that it replaced.
        list_times = self._times_by_version(table, LIST)
        order = sorted(marks, key=lambda name: (list_times.get(name, marks[name]), name), reverse=True)
        return [name.removeprefix("v=") for name in order]

    def _folders(self, table: Name) -> list[str]:
        folders = self.context.s3.folders(self.context.places.root(table))
        return [name for name in folders if name.startswith("v=")]

    def _times_by_version(self, table: Name, kind: str) -> dict[str, datetime]:
        """Return when a record of each version was written last, by the version's folder.

        Args:
            table: The table.
            kind: The name of the record.
        """
        s3, root, records = (
            self.context.s3,
            self.context.places.root(table),
            self.context.places.records(table),
        )
        versions = self._folders(table)
        times = {
            one.key.removeprefix(records.key).removesuffix(f"/{kind}"): one.modified
            # One listing finds the records of all versions, however many there are.
            for one in s3.objects(records)
            if one.key.endswith(f"/{kind}")
        }
        if kind == PUBLISHED:
            for name in versions:
                for one in s3.objects(root.folder(name).object(OLD_PUBLISHED)):
                    times[name] = max(one.modified, times.get(name, one.modified))
        # A record outlives its version: retirement deletes the folder first.
        return {name: at for name, at in times.items() if name in versions}

    def _record(self, table: Name, location: str) -> S3Location:
        return self.context.places.record(table, version_of(location))


def described(table: Table, report: Mapping[str, Any]) -> Table:
    """Return the table with the description and the comments of columns that its job's report has.

    Only texts are taken: a job may write anything there, and what it writes must not stop a publish.
    """
    said = report.get(COMMENTS)
    comments = said if isinstance(said, dict) else {}
    return replace(
        table,
        description=text if isinstance(text := report.get(DESCRIPTION), str) else "",
        comments={name.lower(): text for name, text in comments.items() if isinstance(text, str)},
    )


def counts_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report without texts for the catalog and names of partitions, as events and checks carry it."""
    left_out = (DESCRIPTION, COMMENTS, REPLACES, DIFFERS)
    return {name: value for name, value in report.items() if name not in left_out}


def _parsed(table: str, place: str, text: bytes) -> Mapping[str, Any]:
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(table, place) from error
    if not isinstance(report, dict):
        raise _unreadable(table, place)
    flags = report.get("flags", {})
    if not isinstance(flags, dict):
        raise _unreadable(table, place, "flags is not a JSON object")
    for name, count in {**{name: report.get(name, 0) for name in COUNTS}, **flags}.items():
        if type(count) is not int:  # `isinstance` would take true for 1
            raise _unreadable(table, place, f"{name} is {count!r} and not a whole number")
    return report


def _unreadable(table: str, place: str, why: str = "it is not a JSON object") -> UnverifiedError:
    return UnverifiedError(
        f"the report that the job wrote on {table} cannot be read: {why}",
        hint="nothing was published, the current version stays; fix the job, then run it again",
        report=place,
    )


def _listing(location: str, files: Sequence[S3Object]) -> dict[str, list[Any]]:
    """Return size and ETag of each file by its name below the location."""
    # Relative names, so that a lake that was copied to another bucket keeps its lists.
    return {one.location.removeprefix(location): [one.size, one.etag] for one in files}


def first_names(names: Sequence[str]) -> str:
    """Return the first of the names, and how many more there are, as a message has them."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(sorted(names)[:NAMED]) + more
