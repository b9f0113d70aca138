"""Making audited versions current: one catalog call a table, under `table_lock`, with a journal for a set of tables.

Tables of the catalog are switched one by one: readers of two tables of a set may for a moment see one new and one old.
Of one table a reader always sees one whole version. The journal records a set that was left half switched, until a run
publishes the set again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from etltctl.catalog import NO_CHANGES, Described, PartitionChanges, Registry, Table, is_closed
from etltctl.errors import RETRY, BlockedError, NextStep, command
from etltctl.places import version_of
from etltctl.publishing.audit import Staged
from etltctl.publishing.context import LakeContext, location_of
from etltctl.publishing.table_lock import TableLock
from etltctl.publishing.version_history import RUN, WRITTEN, History, utc_now
from etltctl.publishing.version_records import VersionRecords
from etltctl.values import TableName


@dataclass(frozen=True)
class Switched:
    """A table after the switch: what changed, its history, and the versions that can be deleted now."""

    change: str
    history: History
    retired: Sequence[str] = ()


@dataclass(frozen=True)
class Published:
    """A table that the catalog now holds.

    Attributes:
        change: `created`, `updated` or `unchanged`; of a refresh also `files are gone` or `not published`.
        row_counts: What its job reported of the rows.
        partitions: How many registered partitions changed.
        retired: The folders of old versions that were deleted.
        rules: The names of the rules that its audit evaluated.
        files: The number of its files; 0 if they were not counted.
        size: The size of its files, in bytes.
        warnings: Broken rules that the settings let pass, and folders that could not be deleted.
    """

    table: str
    change: str
    rows: int
    row_counts: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    partitions: PartitionChanges = NO_CHANGES
    retired: Sequence[str] = ()
    warnings: Sequence[str] = ()
    rules: Sequence[str] = ()
    files: int = 0
    size: int = 0


@dataclass(frozen=True)
class Switch:
    """The switch of tables to other versions.

    Attributes:
        context: The lake.
        records: The records of versions.
        lock: The lock on the tables of the lake.
    """

    context: LakeContext
    records: VersionRecords
    lock: TableLock

    def publish(self, staged: Sequence[Staged], run_id: str) -> dict[TableName, Switched]:
        """Make the versions current. A version that is current already stays so: thus a publish can be resumed.

        Args:
            staged: The versions, which passed their audit.
            run_id: The run that publishes them.

        Raises:
            BlockedError: Another run published one of the tables since the audit, or a version that was written later
                is current. Nothing was switched.
            AlreadyRunningError: The lock is held by another process or was lost to one. What was switched stays so.
        """
        with self.lock.held([version.name for version in staged]) as require_held:
            # Read under the lock: what was current when the audit began may have been replaced since.
            current = {version.name: self.context.current(version.name) for version in staged}
            for version in staged:
                # All versions are checked before the first is switched: a set is refused whole.
                _require_untouched(version, current[version.name])
                _require_newer(version, current[version.name])
            # A try before may have switched some of them and died.
            to_switch = [v for v in staged if _needs_switch(v, current[v.name])]
            journal, is_journaled = self.context.places.journal(staged[0].name), len(to_switch) > 1
            require_held()
            # Written before the first switch: a process that dies between two tables leaves a record of the set.
            if is_journaled:
                self.context.s3.write(journal, _journal(to_switch, current, run_id))
            switched = {}
            for version in staged:
                require_held()
                # Kept before the switch, so that every current version has a list that shows later changes.
                self.records.keep_files(
                    version.name, version.table.location, [f.object for f in version.footers]
                )
                switched[version.name] = self._switch(
                    version.table, current[version.name], version.name, run_id
                )
            # A try before may have switched some tables, or all but one, and left its journal.
            if is_journaled or (len(staged) > 1 and len(to_switch) < len(staged)):
                self.context.s3.remove(journal)
            return switched

    def back(self, name: TableName, table: Table, run_id: str) -> Switched:
        """Make an earlier version current again; the caller holds the lock."""
        current = self.context.catalog.table(table.database, table.name)
        return self._switch(table, current, name, run_id)

    def unfinished(self, table: TableName) -> Mapping[str, Any] | None:
        """Return the run, time and tables of a publish of the table's set that was left half way; None without one."""
        text = self.context.s3.read_if_there(self.context.places.journal(table))
        if text is None:
            return None
        try:
            journal = json.loads(text)
        except ValueError:
            return {
                "run": "unknown",
                "tables": {},
            }  # a damaged journal still says that a publish was under way
        return journal if isinstance(journal, dict) else None

    def _switch(self, table: Table, current: Described | None, name: TableName, run_id: str) -> Switched:
        """Switch the table, then mark its version as published. A try before may have done either."""
        # In this order: a mark without a switch would let a refresh bring back a version that no reader ever saw.
        switched = self._put(table, current, name, run_id)
        self.records.mark_published(name, table.location)
        return switched

    def _put(self, table: Table, current: Described | None, name: TableName, run_id: str) -> Switched:
        if location_of(current) == table.location:
            # Resumed after the switch: the history stays as the switch wrote it, and so does the run that it names.
            kept = {key: value for key, value in (current or {}).get("Parameters", {}).items() if key == RUN}
            same = replace(table, parameters={**table.parameters, **kept})
            # Written again although it is current: a try that died may have left the entry half written.
            return Switched(Registry(self.context.catalog).put(same, current, str(name)), History.of(current))
        # One time for the whole switch: a version falls out of use in the second in which another becomes current.
        now = utc_now()
        history = History.of(current).switched(version_of(table.location), now)
        grace = timedelta(minutes=self.context.settings.lake.grace_minutes)
        retired = history.retirable(self._versions_to_keep(name), grace, now)
        # Forgotten in the same call that makes the new version current; the folders are deleted after it.
        history = history.without(retired)
        parameters = {**table.parameters, **history.parameters(), **({RUN: run_id} if run_id else {})}
        described = replace(table, parameters=parameters)
        change = Registry(self.context.catalog).put(described, current, str(name))
        return Switched(change, history, retired)

    def _versions_to_keep(self, table: TableName) -> int:
        return self.context.rules(table).keep_versions or self.context.settings.lake.keep_versions


def _needs_switch(version: Staged, current: Described | None) -> bool:
    return location_of(current) != version.table.location or is_closed(current or {})


def _require_untouched(version: Staged, now: Described | None) -> None:
    """Check that the table is as it was when the audit began, or at the version itself: then a publish is resumed."""
    # Glue does not document `UpdateTable` with a `VersionId` for Hive tables. So the location that the audit began with
    # is compared too.
    if location_of(now) in (location_of(version.base), version.table.location):
        return
    by = (now or {}).get("Parameters", {}).get(RUN) or "another process"
    raise BlockedError(
        f"{version.name} was published by {by} while this run's version of it was audited; that one stays current",
        hint=NextStep(
            "if this run's version is the right one: ", RETRY, " audits it against the current one"
        ),
        current=location_of(now),
        refused=version.table.location,
    )


def _require_newer(version: Staged, now: Described | None) -> None:
    """Check that a run that is resumed late does not replace a version whose files were written later."""
    current = History.of(now)
    # The time of the files and not of the run: a run id that is resumed days later keeps its old files.
    written = version.table.parameters.get(WRITTEN, "")
    if current.current == version_of(version.table.location) or not current.written or not written:
        return
    if datetime.fromisoformat(written) < datetime.fromisoformat(current.written):
        raise BlockedError(
            f"{version.name} is version {current.current} now, which was written after this run's; it stays current",
            hint=NextStep("start a new run, or publish this one again: ", command(*RETRY.words, "--fresh")),
            refused=version.table.location,
        )


def _journal(staged: Sequence[Staged], current: Mapping[TableName, Described | None], run_id: str) -> bytes:
    # Both ends of each table, so that a person can complete the set by hand or undo it.
    tables = {str(v.name): {"from": location_of(current[v.name]), "to": v.table.location} for v in staged}
    return json.dumps({"run": run_id, "since": utc_now().isoformat(), "tables": tables}, indent=1).encode()
