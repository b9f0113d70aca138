"""Where tables lie: their folders, their versions, their names in the catalog, and the locks of their writers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from etltctl.values import S3Location, TableName, quoted_name

if TYPE_CHECKING:
    from etltctl.settings import Settings

OWN_FOLDER = "_etltctl"  # the folder of a layer that holds locks, journals and records of versions
JOB_REPORT = "audit"  # the folder's name, which the paths in the arguments of jobs have
INPUTS = "inputs.json"
STATE = "state"

Name = str | TableName


@dataclass(frozen=True)
class Places:
    """The places of the tables that the settings name. A table is named `layer.table`."""

    settings: Settings

    def root(self, table: Name) -> S3Location:
        """Return the folder of all versions of the table."""
        parsed = TableName.parse(table)
        return self._layer(parsed.layer).folder(parsed.name)

    def version(self, table: Name, version: str) -> S3Location:
        """Return the folder of one version of the table."""
        return self.root(table).folder(f"v={version}")

    def records(self, table: Name) -> S3Location:
        """Return the folder of etltctl's records of the table's versions; no reader of the table lists it."""
        parsed = TableName.parse(table)
        return self._layer(parsed.layer).folder(OWN_FOLDER, "versions", parsed.name)

    def record(self, table: Name, version: str) -> S3Location:
        """Return the folder of etltctl's records of one version."""
        return self.records(table).folder(f"v={version}")

    def job_report(self, table: Name, version: str) -> S3Location:
        """Return the folder to which a job writes its report on one version."""
        return self.record(table, version).folder(JOB_REPORT)

    def inputs(self, table: Name, version: str) -> S3Location:
        """Return the record of what one version was made from. The tables of a job share that of the first."""
        first, _ = self._writers.get(str(table), (str(table), ""))
        return self.record(first, version).object(INPUTS)

    def state(self, table: Name, version: str) -> S3Location:
        """Return the folder in which the script of a version may leave what its next run needs."""
        return self.record(table, version).folder(STATE)

    def in_catalog(self, table: Name) -> tuple[str, str]:
        """Return the table's database and its name there."""
        parsed = TableName.parse(table)
        return self.settings.athena.databases[parsed.layer], parsed.name

    def in_query(self, table: Name) -> str:
        """Return the table's name as a query reads it, with its database.

        Raises:
            KeyError: There is no such table.
        """
        if str(table) not in self.tables():
            raise KeyError(str(table))
        return ".".join(map(quoted_name, self.in_catalog(table)))

    def fixed(self, table: Name) -> str | None:
        """Return the place of a table without versions: a bronze stream, or a table that others write."""
        # A stream has its place from its source, which a rule cannot move.
        return self._streams.get(str(table)) or self.settings.rules(str(table)).location

    def of(self, table: Name) -> S3Location:
        """Return the folder that holds the table's files, whatever the version."""
        return S3Location.parse(self.fixed(table) or self.root(table))

    def tables(self) -> list[str]:
        """Return every table: bronze streams, then the tables that jobs and queries write, then those of others."""
        others = [table for table, rules in self.settings.tables.items() if rules.location]
        return list(dict.fromkeys([*self._streams, *self._writers, *others]))

    def journal(self, table: Name) -> S3Location:
        """Return the object that records a publish under way. One journal covers all tables of a job."""
        return self._of_writer(table, "journal")

    def lock(self, table: Name) -> S3Location:
        """Return the object of the lock that a publisher holds. One lock covers all tables of a job."""
        return self._of_writer(table, "lock")

    def _of_writer(self, table: Name, suffix: str) -> S3Location:
        # All tables of a job share the lock of the first, because they are published as one set.
        first, job = self._writers.get(str(table), (str(table), str(table)))
        return self._layer(TableName.parse(first).layer).object(f"{OWN_FOLDER}/{job}.{suffix}")

    def _layer(self, layer: str) -> S3Location:
        return S3Location.parse(self.settings.lake.root(layer))

    @cached_property
    def _writers(self) -> dict[str, tuple[str, str]]:
        """The first of the tables that a table's job or query writes, and the name of the writer, by table."""
        jobs, queries = self.settings.glue.jobs.items(), self.settings.sql.items()
        # Reversed, so that of two writers the first counts; the settings refuse such a table anyway.
        of_jobs = {table: (job.writes[0], name) for name, job in reversed(list(jobs)) for table in job.writes}
        # A job and a query may have the same name, but must not share a lock.
        return of_jobs | {sql.writes: (sql.writes, f"sql-{name}") for name, sql in queries}

    @cached_property
    def _streams(self) -> dict[str, str]:
        return self.settings.stream_tables()


def version_of(location: str) -> str:
    """Return the version in a location; empty for a place that has no versions."""
    match = re.search(r"/v=([^/]+)/$", location)
    return match[1] if match else ""
