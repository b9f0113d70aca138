"""The tables of the lake: whether readers see the files that were published."""

from __future__ import annotations

from collections.abc import Iterator

from etltctl.catalog import Catalog
from etltctl.diagnosis.findings import Finding, fail, ok
from etltctl.diagnosis.probe import Probe
from etltctl.errors import UnverifiedError
from etltctl.publishing import Lake
from etltctl.s3 import S3


def check_published_files(probe: Probe) -> Iterator[Finding]:
    """Compare the files of every current version with the list that was kept when it was published."""
    settings = probe.settings
    lake = Lake(settings, S3(probe.aws), Catalog(probe.aws))
    compared = 0
    # Only tables with versions have a list of files to compare with; bronze is overwritten by each sync.
    for table in dict.fromkeys(table for job in settings.glue.jobs.values() for table in job.writes):
        try:
            compared += lake.has_published_files(table)
        except UnverifiedError as error:
            files = "; ".join(f"{kind}: {error.facts[kind]}" for kind in error.facts if kind != "table")
            yield fail(table, f"{error.message} ({files})", error.next_step, error.exit_code)
    yield ok("published files", f"of {compared} tables are those that were published")
