"""The files of the current version that an incremental job leaves as they are: copied within S3 into the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from etltctl.errors import UnverifiedError
from etltctl.publishing.context import LakeContext
from etltctl.publishing.table_files import parquet_files
from etltctl.publishing.version_inputs import REPLACES
from etltctl.publishing.version_records import VersionRecords
from etltctl.s3 import S3Object
from etltctl.values import S3Location, TableName

COPIERS = 8  # copies at once
NAMED = 5  # partitions that a message names


@dataclass(frozen=True)
class TakingOver:
    """The completion of versions whose job wrote only some of the partitions."""

    context: LakeContext
    records: VersionRecords

    def complete(self, table: str, location: str, base: str) -> None:
        """Copy the base's other files into the version, if the job's report says which partitions it replaces.

        A try that was interrupted has copied some of them. Those are not copied again.

        Args:
            table: The table.
            location: The folder of the new version.
            base: The folder of the version that the job worked from.

        Raises:
            UnverifiedError: The base's files are not those that were published, or the job wrote into a partition
                that it does not replace. Nothing was copied.
        """
        name = TableName.parse(table)
        report = self.records.job_report(name, location)
        if REPLACES not in report:
            return
        replaced = _folders(table, report)
        objects = self.context.s3.objects(base)
        self.records.require_unchanged(name, base, objects)
        of_base = {_below(base, one): one for one in parquet_files(base, objects)}
        there = {_below(location, one) for one in parquet_files(location, self.context.s3.objects(location))}
        _require_replaced(table, there - set(of_base), of_base, replaced)
        kept = [one for path, one in of_base.items() if _folder(path) not in replaced and path not in there]
        target = S3Location.parse(location)
        with ThreadPoolExecutor(COPIERS) as copiers:
            list(copiers.map(lambda one: self.context.s3.copy(one, target.object(_below(base, one))), kept))


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
            hint="nothing was published, the current version stays; leave out "
            f"{REPLACES} where the job gets no base, then run it again",
            table=table,
        )


def _folders(table: str, report: Mapping[str, Any]) -> frozenset[str]:
    folders = report[REPLACES]
    if not isinstance(folders, list) or not all(isinstance(each, str) for each in folders):
        raise UnverifiedError(
            f"the job's report on {table} has no list of partitions as {REPLACES}",
            hint="nothing was published, the current version stays; fix the job, then run it again",
            table=table,
        )
    return frozenset(folder.strip("/") for folder in folders)


def _require_replaced(
    table: str, written: set[str], of_base: Mapping[str, S3Object], replaced: frozenset[str]
) -> None:
    """Check that no partition would hold rows of both versions; a table without partitions may get further files."""
    kept = {_folder(path) for path in of_base} - replaced - {""}
    mixed = sorted({_folder(path) for path in written} & kept)
    if mixed:
        raise UnverifiedError(
            f"the job wrote the partition {mixed[0]} of {table}, and its report does not say that it replaces it: the "
            "rows of both versions would stand next to each other",
            hint=f"nothing was published, the current version stays; list the partition in the report's {REPLACES}",
            table=table,
            partitions=_first(mixed),
        )


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _below(location: str, one: S3Object) -> str:
    return one.location.removeprefix(location)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
