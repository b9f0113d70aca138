"""Which tests share a process when the suite runs in several: those that share a lake, a server or a Spark session.

And how long they may go on: of `ETLTCTL_TEST_MINUTES`, if it is set, three fifths are for tests that start Spark,
whole lakes and pipelines; what has not begun by then is skipped and says so. Without it everything runs.
"""

from __future__ import annotations

import os
import time
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

LONG = ("spark", "e2e", "faults")
LONG_SHARE = 0.6
NEVER_TOO_LATE = ("tests/unit/", "tests/docs/")
MINUTES = float(os.environ.get("ETLTCTL_TEST_MINUTES") or "inf")
BEGAN = time.monotonic()


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """On a machine too slow for all of it within the minutes that there are, the long tests give way."""
    is_long = any(item.get_closest_marker(name) for name in LONG)
    if item.nodeid.startswith(NEVER_TOO_LATE) and not is_long:
        return
    minutes = MINUTES * (LONG_SHARE if is_long else 1)
    if time.monotonic() - BEGAN > minutes * 60:
        pytest.skip(f"not begun within {minutes:g} minutes (ETLTCTL_TEST_MINUTES); `make test` waits for it")
