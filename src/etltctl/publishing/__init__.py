"""Versions of a table: a job writes the next one, checks look at it, one catalog call makes it current.

A job writes `LAYER/TABLE/v=RUN_ID/` and nothing published is touched. Another table format would begin at `Switch`: it
makes a version current, and only it knows that a version is a folder of Parquet files.
"""

from etltctl.places import Places, version_of
from etltctl.publishing.audit import Staged, Violation
from etltctl.publishing.audit_queries import declared_rules
from etltctl.publishing.catalog_refresh import GONE, NOT_PUBLISHED, combined
from etltctl.publishing.context import command_writing
from etltctl.publishing.lake import Lake
from etltctl.publishing.publish import Published
from etltctl.publishing.version_history import ROWS, VERSION, VERSIONS, History
from etltctl.publishing.version_inputs import VersionInputs
from etltctl.publishing.version_records import EVERYTHING

__all__ = [
    "EVERYTHING",
    "GONE",
    "NOT_PUBLISHED",
    "ROWS",
    "VERSION",
    "VERSIONS",
    "History",
    "Lake",
    "Places",
    "Published",
    "Staged",
    "VersionInputs",
    "Violation",
    "combined",
    "command_writing",
    "declared_rules",
    "version_of",
]
