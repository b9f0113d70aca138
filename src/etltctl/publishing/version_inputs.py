"""What a version was made from: the files and versions that its job had to read, kept next to the version's records.

An incremental job finds in it what the current version has not seen yet, and its script gets the same object to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from etltctl.errors import UnverifiedError
from etltctl.hive import partition_folder
from etltctl.places import version_of
from etltctl.publishing.context import LakeContext
from etltctl.publishing.version_records import DIFFERS, EVERYTHING, REPLACES, VersionRecords
from etltctl.values import S3Location, TableName

FORMAT = "etltctl.inputs/1"
WRITTEN = "written.json"  # the record of the files that the job itself wrote
LONGEST_CHAIN = 1_000  # versions between the one that a job read last and the current one


@dataclass(frozen=True)
class VersionInputs:
    """What a job run has to read, and what its versions are made from.

    Tables are named `layer.table`. For a full run `base`, `reports`, `base_states`, `new` and `touched` are
    empty.

    Attributes:
        made_by: The job's code, config and Glue version; another one needs a full run.
        seen: Of each input without versions its files: size and ETag by the name below the table's place.
        versions: Of each input with versions the version.
        why: Why the run is a full run; empty if it reads what is new.
        base: The current version of each table that the job writes, as its location.
        reports: What the job reported of the base.
        states: Where the script may leave what its next run needs, by table.
        base_states: Where the base's run may have left that.
        files: All files of each input without versions, as locations.
        new: Those that the base has not seen.
        touched: Of each input with versions the partitions that differ from those that the base was made from.
    """

    made_by: Mapping[str, Any] = field(default_factory=dict)
    seen: Mapping[str, Mapping[str, Sequence[Any]]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    base: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    base_states: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    new: Mapping[str, Sequence[str]] = field(default_factory=dict)
    touched: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: bytes) -> Self | None:
        """Return the inputs in a record; None for a record of another format."""
        try:
            record = json.loads(text)
            if record.pop("format") != FORMAT:
                return None
            return cls(**record) if _is_whole(record) else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def as_json(self) -> bytes:
        """Return the record."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True).encode()

    def facts(self) -> dict[str, Any]:
        """Return how much is new, as the events of a run carry it."""
        counts = {
            "files": sum(map(len, self.files.values())),
            "new_files": sum(map(len, self.new.values())),
            "touched": sum(map(len, self.touched.values())),
        }
        if self.why:
            return {EVERYTHING: self.why, "files": counts["files"]}
        return {"base": version_of(next(iter(self.base.values()), "")), **counts}


@dataclass(frozen=True)
class InputRecords:
    """The records of what versions were made from. The tables of a job share one record a version."""

    context: LakeContext
    records: VersionRecords

    def place(self, table: str, version: str) -> S3Location:
        """Return where the record lies of the versions that one run of the table's job wrote."""
        return self.context.places.inputs(table, version)

    def write(self, table: str, version: str, inputs: VersionInputs) -> None:
        """Write the record before the job starts."""
        self.context.s3.write(self.place(table, version), inputs.as_json())

    def read(self, location: str | S3Location) -> VersionInputs | None:
        """Return a record; None if there is none, or one that this etltctl cannot read."""
        text = self.context.s3.read_if_there(location)
        return None if text is None else VersionInputs.parse(text)

    def touched(self, table: str, since: str, until: str) -> list[str] | None:
        """Return the partitions of a table in which two of its versions differ, as folders such as `year=2024`.

        A version that its job wrote whole differs where the job's report says so.

        Args:
            table: The table.
            since: The older version.
            until: The newer version.

        Returns:
            The partitions, sorted; None if it is not on record how the newer version was made from the older one.
        """
        places, touched, version = self.context.places, set[str](), until
        for _ in range(LONGEST_CHAIN):
            if version == since:
                return sorted(touched)
            location = str(places.version(table, version))
            inputs = self.read(self.place(table, version))
            try:
                report = self.records.job_report(TableName.parse(table), location)
            except UnverifiedError:
                return None  # it is damaged
            before = version_of(inputs.base.get(table, "")) if inputs else ""
            folders = self._changed(table, version, report)
            if not before or folders is None or "" in folders:
                return None  # an empty name stands for all of a table without partitions
            touched |= folders
            version = before
        return None

    def _changed(self, table: str, version: str, report: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the partitions in which a version differs from its base; None if that is not on record."""
        if REPLACES not in report:
            return named_folders(report, DIFFERS)
        replaced, written = named_folders(report, REPLACES), self.written(table, version)
        if replaced is None or written is None:
            return None
        return replaced | {partition_folder(path) for path in written}

    def written(self, table: str, version: str) -> list[str] | None:
        """Return the files of a version that its job wrote, below its folder; None if that is not on record."""
        text = self.context.s3.read_if_there(self.context.places.record(table, version).object(WRITTEN))
        try:
            names = json.loads(text or b"null")
        except ValueError:
            return None
        return [str(name) for name in names] if isinstance(names, list) else None


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Return whether the fields of a record have the types of `VersionInputs`, also within."""
    texts = ("versions", "base", "states", "base_states")
    lists = ("files", "new", "touched")
    return (
        isinstance(record["why"], str)
        and all(isinstance(value, str) for name in texts for value in record[name].values())
        and all(isinstance(value, dict) for name in ("seen", "reports") for value in record[name].values())
        and all(isinstance(file, list) for files in record["seen"].values() for file in files.values())
        and all(isinstance(value, list) for name in lists for value in record[name].values())
        and all(isinstance(each, str) for name in lists for value in record[name].values() for each in value)
        and isinstance(record["made_by"], dict)
    )


def named_folders(report: Mapping[str, Any], key: str) -> frozenset[str] | None:
    """Return the partitions that a job's report names.

    Args:
        report: The report.
        key: `REPLACES` or `DIFFERS`.

    Returns:
        The folders; None if the report has no list of them under the key.
    """
    folders = report.get(key)
    if not isinstance(folders, list) or not all(isinstance(each, str) for each in folders):
        return None
    return frozenset(folder.strip("/") for folder in folders)
