"""The files the project ships: its default settings and its Glue scripts."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def project_file(relative: str) -> Path:
    """The shipped file: inside an installed package, or in the checkout that an editable install points at."""
    installed = PACKAGE / "_project" / relative
    return installed if installed.exists() else PACKAGE.parents[1] / relative
