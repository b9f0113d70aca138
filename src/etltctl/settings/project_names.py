"""The names of layers and tables, and the names in the account that follow from the project.

Two projects share no name there. Importing this loads no pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LAYERS = ("bronze", "silver", "silver_rejects", "gold")
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
    """Fill in the databases, the workgroup and the jobs' roles that the settings do not name.

    Args:
        data: The settings as read. What is not a table is left for the types to complain about.

    Returns:
        A copy with the names, for example `pi_m3_gold` and `pi-m3-glue` in the project `pi-m3`.
    """
    if not isinstance(data, Mapping) or not isinstance(project := data.get("project"), str):
        return data
    # A copy of each level that changes: the same tables are read again for the next environment.
    filled = dict(data)
    athena = filled.get("athena", {})
    if isinstance(athena, Mapping):
        # What the settings name wins; only the rest follows from the project.
        named = athena.get("databases", {})
        databases = {layer: database_name(project, layer) for layer in LAYERS}
        filled["athena"] = {
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


def _or(value: Any, default: str) -> Any:
    # Only the empty text stands for the default. The types complain about `false`, `[]` and the like.
    return default if value is None or value == "" else value


def _with_role(job: Any, project: str) -> Any:
    return {**job, "role": _or(job.get("role"), f"{project}-glue")} if isinstance(job, Mapping) else job
