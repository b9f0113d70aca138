"""Where tables lie: their folders, their versions, their names in the catalog, and the lock of those who write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings import Settings

OWN = "_etltctl"  # the folder of a layer that holds locks, journals and records of versions
AUDIT = "audit/"


@dataclass(frozen=True)
class Places:
    """The places of the tables that the settings speak of; a table is named `layer.table`."""

    settings: Settings

    def root(self, table: str) -> str:
        """The folder of all versions of the table."""
        layer, _, name = table.partition(".")
        return f"{self.settings.lake.root(layer)}/{name}/"

    def version(self, table: str, version: str) -> str:
        """The folder of one version of the table."""
        return f"{self.root(table)}v={version}/"

    def records(self, table: str) -> str:
        """Return the folder of what etltctl keeps about the table's versions; no reader of the table lists it."""
        layer, _, name = table.partition(".")
        return f"{self.settings.lake.root(layer)}/{OWN}/versions/{name}/"

    def record(self, table: str, version: str) -> str:
        """Return the folder that holds what etltctl keeps about one version."""
        return f"{self.records(table)}v={version}/"

    def audit(self, table: str, version: str) -> str:
        """Return the folder to which a job writes its account of one version."""
        return f"{self.record(table, version)}{AUDIT}"

    def in_catalog(self, table: str) -> tuple[str, str]:
        """The table's database and name."""
        layer, _, name = table.partition(".")
        return self.settings.athena.databases[layer], name

    def fixed(self, table: str) -> str | None:
        """Where a table lies that has no versions: a bronze stream, or one that somebody else writes."""
        return self._streams.get(table) or self.settings.rules(table).location

    def tables(self) -> list[str]:
        """Every table: bronze streams, then what the jobs write, then what others do."""
        others = [table for table, rules in self.settings.tables.items() if rules.location]
        return list(dict.fromkeys([*self._streams, *self._writers, *others]))

    def journal(self, table: str) -> str:
        """The object that tells of a publish under way, of this table and those its job writes with it."""
        return f"{self._of_writer(table)}.journal"

    def lock(self, table: str) -> str:
        """The object that whoever publishes the table holds, with those its job writes with it."""
        return f"{self._of_writer(table)}.lock"

    def _of_writer(self, table: str) -> str:
        first, job = self._writers.get(table, (table, table))
        layer = first.partition(".")[0]
        return f"{self.settings.lake.root(layer)}/{OWN}/{job}"

    @cached_property
    def _writers(self) -> dict[str, tuple[str, str]]:
        """The first of the tables its job writes, and the job, by table."""
        jobs = self.settings.glue.jobs.items()
        return {table: (job.writes[0], name) for name, job in reversed(list(jobs)) for table in job.writes}

    @cached_property
    def _streams(self) -> dict[str, str]:
        return {
            f"bronze.{table}": location
            for source in self.settings.sources
            for table, location in self.settings.stream_locations(source).items()
        }


def version_of(location: str) -> str:
    """The version in a location; empty for a place that has no versions."""
    match = re.search(r"/v=([^/]+)/$", location)
    return match[1] if match else ""
