"""Versions of a table: a job writes the next one, checks look at it, one catalog call makes it current.

A job writes `LAYER/TABLE/v=RUN_ID/` and nothing published is touched. Whoever wants other table formats begins here:
`Switch` is what makes a version current, and all that knows that a version is a folder of Parquet files.
"""

from etltctl.publishing.auditing import Finding, Staged
from etltctl.publishing.history import ROWS, VERSION, VERSIONS, History
from etltctl.publishing.lake import Lake, Published
from etltctl.publishing.places import Places, version_of
from etltctl.publishing.refreshing import GONE, NOT_PUBLISHED, combined

__all__ = [
    "GONE",
    "NOT_PUBLISHED",
    "ROWS",
    "VERSION",
    "VERSIONS",
    "Finding",
    "History",
    "Lake",
    "Places",
    "Published",
    "Staged",
    "combined",
    "version_of",
]
