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
        """Return the command that writes the table: its pipeline, or its job if no pipeline has that job or query."""
        jobs = [name for name, job in self.settings.glue.jobs.items() if table in job.writes]
        queries = [name for name, sql in self.settings.sql.items() if table == sql.writes]
        steps = {*(f"glue:{job}" for job in jobs), *(f"sql:{name}" for name in queries)}
        for name, pipeline in self.settings.pipelines.items():
            if steps & set(pipeline.steps):
                # The pipeline also makes what the job reads.
                return command("run", name)
        return command("run-glue", jobs[0]) if jobs else command("run", "PIPELINE")

    def current(self, table: TableName) -> Described | None:
        """Return the table as the catalog describes it now; None if it is not there."""
        return self.catalog.table(*self.places.in_catalog(table))
