"""What the parts of publishing share: the settings, S3, the catalog, and where tables lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from etltctl.catalog import Catalog, Described
from etltctl.errors import Command, command
from etltctl.places import Places
from etltctl.s3 import S3
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.checks import TableRules


@dataclass(frozen=True)
class LakeContext:
    """What every part of the lake works with: the settings, S3, the catalog, and where tables lie."""

    settings: Settings
    s3: S3
    catalog: Catalog

    @cached_property
    def places(self) -> Places:
        """Return where tables lie."""
        return Places(self.settings)

    def rules(self, table: TableName) -> TableRules:
        """Return what the settings say of the table."""
        return self.settings.rules(str(table))

    def writing(self, table: str) -> Command:
        """Return the command that writes the table."""
        return command_writing(table, self.settings)

    def current(self, table: TableName) -> Described | None:
        """Return the table as the catalog describes it now; None if it is not there."""
        return self.catalog.table(*self.places.in_catalog(table))


def location_of(described: Described | None) -> str:
    """Return where a table lies that the catalog describes; empty for a table that is not there."""
    return str(described["StorageDescriptor"]["Location"]) if described else ""


def command_writing(table: str, settings: Settings) -> Command:
    """Return the command that writes a table: its pipeline, or its job or sync if no pipeline has it.

    Args:
        table: The table as `layer.table`.
        settings: The settings.
    """
    jobs = [name for name, job in settings.glue.jobs.items() if table in job.writes]
    syncs = [
        name
        for name in settings.sources
        if table in {f"bronze.{stream}" for stream in settings.stream_locations(name)}
    ]
    queries = [name for name, sql in settings.sql.items() if table == sql.writes]
    steps = {
        *(f"glue:{job}" for job in jobs),
        *(f"sql:{name}" for name in queries),
        *(f"sync:{name}" for name in syncs),
    }
    for name, pipeline in settings.pipelines.items():
        if steps & set(pipeline.steps):
            # The pipeline also makes what the job reads.
            return command("run", name)
    if jobs:
        return command("run-glue", jobs[0])
    return command("sync", syncs[0]) if syncs else command("run", "PIPELINE")
