"""The names of layers and tables, and the names in the account that follow from the project.

Two projects share no name there. Importing this loads no pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LAYERS = ("bronze", "silver", "silver_rejects", "gold")
DEFAULT_PROJECT = "my-lake"  # enough for the embedded server; an account needs a separate name
BUCKETS = ("bronze", "silver", "gold", "scripts")  # each a setting of `lake`
# A bucket's name has at most 63 characters, and the longest end is `-athena-results`.
LONGEST_BUCKET_START = 48
# A table in a query of the settings or of a .sql file: `{this}` or `{layer.table}`. A number in braces is SQL's: a
# regular expression may have it.
NAMED_TABLE = re.compile(r"\{([A-Za-z_][\w.]*)\}")


@dataclass(frozen=True)
class JobNames:
    """The names of the Glue jobs: Glue knows a job with the prefix, the settings and every command without it."""

    prefix: str = ""

    def at_glue(self, job: str) -> str:
        """Return the name by which Glue knows the job."""
        return f"{self.prefix}{job}"

    def in_settings(self, name: str) -> str:
        """Return the name in `glue.jobs` of Glue's job."""
        return name.removeprefix(self.prefix)


def with_project_names(data: Any) -> Any:
    """Fill in the buckets, the databases, the workgroup and the jobs' roles that the settings do not name.

    Args:
        data: The settings as read. What is not a table is left for the types to complain about.

    Returns:
        A copy with the names, for example `my_lake_gold` and `my-lake-glue` in the project `my-lake`.
    """
    if not isinstance(data, Mapping):
        return data
    project = data.get("project", DEFAULT_PROJECT)
    if not isinstance(project, str):
        return data
    # A copy of each level that changes: the same tables are read again for the next environment.
    filled = dict(data)
    lake = filled.get("lake", {})
    if isinstance(lake, Mapping):
        filled["lake"] = {**{name: bucket_url(project, name) for name in BUCKETS}, **lake}
    athena = filled.get("athena", {})
    if isinstance(athena, Mapping):
        # What the settings name wins; only the rest follows from the project.
        named = athena.get("databases", {})
        databases = {layer: database_name(project, layer) for layer in LAYERS}
        filled["athena"] = {
            "output_location": bucket_url(project, "athena-results") + "/",
            **athena,
            "workgroup": _or(athena.get("workgroup"), project),
            "databases": {**databases, **named} if isinstance(named, Mapping) else named,
        }
    glue = filled.get("glue", {})
    jobs = glue.get("jobs", {}) if isinstance(glue, Mapping) else None
    if isinstance(jobs, Mapping):
        filled["glue"] = {**glue, "jobs": {name: _with_role(job, project) for name, job in jobs.items()}}
    return filled


def database_name(project: str, layer: str) -> str:
    """Return the catalog's database of a layer. Athena takes small letters, digits and `_`."""
    return f"{re.sub(r'[^a-z0-9_]', '_', project.lower())}_{layer}"


def bucket_url(project: str, purpose: str) -> str:
    """Return the bucket of a project for one purpose, as a URL. S3 takes small letters, digits, `-` and `.`."""
    start = re.sub(r"[^a-z0-9.-]+", "-", project.lower())[:LONGEST_BUCKET_START].strip("-.")
    return f"s3://{f'{start}-{purpose}'.lstrip('-')}"


def _or(value: Any, default: str) -> Any:
    # Only the empty text stands for the default. The types complain about `false`, `[]` and the like.
    return default if value is None or value == "" else value


def _with_role(job: Any, project: str) -> Any:
    return {**job, "role": _or(job.get("role"), f"{project}-glue")} if isinstance(job, Mapping) else job
