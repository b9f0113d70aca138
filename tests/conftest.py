"""Which tests share a process when the suite runs in several: those that share a lake, a server or a Spark session."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TOGETHER = (
    "e2e",
    "faults",
    "glue_jobs/f1",
    "glue_jobs",
)  # folders with one costly fixture for all their files


APART = ("faults/test_boundaries.py",)  # with a lake of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps a folder with a shared fixture in one process, and every other file in one."""
    for item in items:
        file = item.path.relative_to(TESTS).as_posix()
        group = next(
            (folder for folder in TOGETHER if file.startswith(f"{folder}/") and file not in APART), file
        )
        item.add_marker(pytest.mark.xdist_group(group))
