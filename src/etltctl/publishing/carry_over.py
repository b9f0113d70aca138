"""The files of the current version that an incremental job leaves as they are: carried over by a copy within S3."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from etltctl.errors import RETRY, BlockedError, NextStep, UnverifiedError, command
from etltctl.hive import partition_folder
from etltctl.places import version_of
from etltctl.publishing.context import LakeContext, location_of
from etltctl.publishing.table_files import parquet_files
from etltctl.publishing.version_inputs import WRITTEN, InputRecords, named_folders
from etltctl.publishing.version_records import REPLACES, VersionRecords, first_names
from etltctl.s3 import S3Object
from etltctl.values import S3Location, TableName

COPIERS = 8  # copies at once
NOTHING_PUBLISHED = "nothing was published, the current version stays"

Copies = Sequence[tuple[S3Object, S3Location]]


@dataclass(frozen=True)
class CarryOver:
    """The completion of versions whose job wrote only some of the partitions."""

    context: LakeContext
    records: VersionRecords
    input_records: InputRecords

    def complete(self, versions: Mapping[str, str], bases: Mapping[str, str]) -> None:
        """Copy the bases' other files into the versions whose job's report says which partitions it replaces.

        A try that was interrupted has copied some of them. Those are not copied again.

        Args:
            versions: The folder of each new version by its table.
            bases: The folder of the version that the job worked from, by table.

        Raises:
            BlockedError: Another version than the base is current now.
            UnverifiedError: The base's files are not those that were published, or what a report says of the
                partitions is not what the job wrote. Nothing was copied.
        """
        # All are checked before the first is copied: the tables of a job are published as one set.
        copies = [
            copy for table, base in bases.items() for copy in self._copies(table, versions[table], base)
        ]
        with ThreadPoolExecutor(COPIERS) as copiers:
            list(copiers.map(lambda copy: self.context.s3.copy(*copy), copies))

    def _copies(self, table: str, location: str, base: str) -> Copies:
        """Return the files that the version lacks, each with its place there."""
        name = TableName.parse(table)
        now = location_of(self.context.current(name))
        if now == location:
            return ()  # it was completed and made current before this try
        if now != base:
            raise _base_replaced(table, base, now)
        report = self.records.job_report(name, location)
        if REPLACES not in report:
            return ()
        replaced = _required_folders(table, report)
        objects = self.context.s3.objects(base)
        self.records.require_unchanged(name, base, objects)
        of_base = {one.location.removeprefix(base): one for one in parquet_files(base, objects)}
        there = [
            one.location.removeprefix(location)
            for one in parquet_files(location, self.context.s3.objects(location))
        ]
        _require_true(table, self._written(table, location, there), of_base, replaced)
        return [
            (one, S3Location.parse(location).object(path))
            for path, one in of_base.items()
            if partition_folder(path) not in replaced and path not in there
        ]

    def _written(self, table: str, location: str, there: Sequence[str]) -> Sequence[str]:
        """Return the files that the job wrote, which are kept on record before the first copy."""
        place = self.context.places.record(table, version_of(location)).object(WRITTEN)
        kept = self.input_records.written(table, version_of(location))
        if kept is not None:
            return kept
        self.context.s3.write(place, json.dumps(there).encode())
        return there


def require_base(table: str, report: Mapping[str, Any], base: str) -> None:
    """Check that a version whose job wrote only some partitions has a base from which the others were copied.

    Args:
        table: The table.
        report: The job's report on the version.
        base: The location of the base; empty if there is none.

    Raises:
        UnverifiedError: It has none, so the version is not whole.
    """
    if REPLACES in report and not base:
        raise UnverifiedError(
            f"the job's report on {table} says that it wrote only some partitions, and no version is known from which "
            "to copy the others",
            hint=f"{NOTHING_PUBLISHED}; leave out {REPLACES} where the job gets no base, then run it again",
            table=table,
        )


def _base_replaced(table: str, base: str, now: str) -> BlockedError:
    return BlockedError(
        f"{table} is version {version_of(now) or 'none'} now, and this run's version was made from version "
        f"{version_of(base)}: published, it would undo what came between",
        hint=NextStep(
            "the current version stays; make it again from that one: ", command(*RETRY.words, "--fresh")
        ),
        current=now,
        base=base,
    )


def _required_folders(table: str, report: Mapping[str, Any]) -> frozenset[str]:
    """Return the partitions that a report says the job wrote.

    Raises:
        UnverifiedError: It has no list of them, or does not count the rows, by which a mistake would be noticed.
    """
    folders = named_folders(report, REPLACES)
    if folders is None:
        raise _refused(
            table, f"the job's report on {table} has no list of partitions as {REPLACES}", "fix the job"
        )
    if "rows_out" not in report:
        raise _refused(
            table,
            f"the job's report on {table} says which partitions it wrote, and not how many rows the table has",
            "let it report rows_out, of old rows and new ones",
        )
    return folders


def _require_true(
    table: str, written: Sequence[str], of_base: Collection[str], replaced: frozenset[str]
) -> None:
    """Check that the partitions that the job wrote are those that its report names.

    Raises:
        UnverifiedError: Rows of both versions would stand next to each other, a file would take the place of one that
            is to be copied, or no partition has a name.
    """
    ours, theirs = ({partition_folder(path) for path in paths} for paths in (written, of_base))
    # A table without partitions may get further files.
    if mixed := sorted(ours - replaced - {""}):
        raise _refused(
            table,
            f"the job wrote the partition {mixed[0]} of {table}, and its report does not say so: rows of both versions "
            "could stand next to each other",
            f"list the partition in the report's {REPLACES}",
            first_names(mixed),
        )
    if again := sorted(path for path in {*written} & {*of_base} if partition_folder(path) not in replaced):
        raise _refused(
            table,
            f"the job wrote {again[0]} of {table}, which the current version has too: its rows would be lost",
            "give files another name in each run, such as one with the run id",
            first_names(again),
        )
    if unknown := sorted(replaced - ours - theirs):
        near = get_close_matches(unknown[0], sorted(theirs), n=1)
        raise _refused(
            table,
            f"the job's report on {table} replaces {unknown[0]}, and no file lies in such a partition",
            f"name it as its folder is called{f', such as {near[0]}' if near else ''}",
            first_names(unknown),
        )


def _refused(table: str, message: str, fix: str, partitions: str = "") -> UnverifiedError:
    named = {"partitions": partitions} if partitions else {}
    return UnverifiedError(message, hint=f"{NOTHING_PUBLISHED}; {fix}", table=table, **named)
