"""Which tests share a process when the suite runs in several: those that share a lake, a server or a Spark session."""

from __future__ import annotations

from typing import Any

import pytest

# In the order in which they begin, the longest first. A file or folder of `TOGETHER` is one share with all beneath it
# that is not a share of its own; every other file is a share by itself.
TOGETHER = (
    "tests/faults/",
    "tests/e2e/",
    "tests/glue_jobs/f1/",
    "tests/glue_jobs/",
    "tests/infra/",
)
APART = (
    "tests/faults/test_answers.py",
    "tests/faults/test_boundaries.py",
    "tests/e2e/test_interrupts.py",
    "tests/e2e/test_governance.py",
    "tests/e2e/test_connections.py",
)


def share(nodeid: str) -> str:
    """The share that a test belongs to."""
    file = nodeid.partition("::")[0]
    if file in APART:
        return file
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands whole shares to the processes, in the order named above."""
    from xdist.scheduler import LoadScopeScheduling

    class Shares(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share(nodeid)

    return Shares(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest shares come first, so that no process is left with one at the end."""
    order = [*TOGETHER, *APART]
    places = {name: place for place, name in enumerate(order)}
    items.sort(key=lambda item: places.get(share(item.nodeid), len(order)))
