"""A new project's files: settings, DAGs, a contract and tests that pass at once, written together or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from etltctl.scaffold.new_files import write_together
from etltctl.settings.files import project_file

TEMPLATES = Path(__file__).parent / "files"
CONTRACT = "bronze.api_circuits.toml"
PROJECT_NAME = "my-lake"  # as the template calls it
# The deployer's policy holds the project's name often, and IAM takes 10,240 characters.
LONGEST_NAME = 20


def lay_out(folder: Path) -> list[Path]:
    """Write a project's files into a folder, which is made if it does not exist.

    Args:
        folder: The project's folder. Its name becomes the project's, and begins the names of everything in the account.

    Returns:
        The files, in the order in which they were written.

    Raises:
        UsageError: A file exists already. Nothing was written.
        ConfigurationError: The folder cannot be written. Nothing stays of it.
    """
    return write_together(folder, _files(project_name(folder.resolve().name)))


def project_name(folder: str) -> str:
    """Return a project's name made from its folder's: buckets, roles and the stack can be named after it."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower())[:LONGEST_NAME].strip("-")
    if not name:
        return PROJECT_NAME
    return name if name[0].isalpha() else f"lake-{name}"[:LONGEST_NAME].strip("-")


def _files(project: str) -> Mapping[str, str]:
    """Return the text of each file by its place in the folder."""
    settings = (TEMPLATES / "etltctl.toml").read_text("utf-8")
    return {
        "etltctl.toml": settings.replace(PROJECT_NAME, project),
        # The DAGs that are shipped and tested, so that a new project starts with the same ones.
        "dags/dag_mongodb.py": project_file("dags/dag_mongodb.py").read_text("utf-8"),
        "dags/dag_api.py": project_file("dags/dag_api.py").read_text("utf-8"),
        f"contracts/{CONTRACT}": (TEMPLATES / CONTRACT).read_text("utf-8"),
        "tests/test_lake.py": (TEMPLATES / "test_lake.py").read_text("utf-8"),
        ".gitignore": (TEMPLATES / "gitignore").read_text("utf-8"),
    }
