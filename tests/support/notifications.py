"""Messages about the end of a run, for tests of their forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from etltctl.observers.notifications import Notification
from etltctl.observers.notifications.notification import FailureText

FAILURE = FailureText(
    "glue:silver_to_gold",
    "G117",
    "G117 an executor ran out of memory",
    "executor-4: java.lang.OutOfMemoryError: Java heap space",
    "etltctl --env aws retry 20261129-1242-mongodb-nfnv",
)
BASE = Notification(
    id="20261129-1242-mongodb-nfnv-41",
    outcome="failed",
    pipeline="mongodb",
    run_id="20261129-1242-mongodb-nfnv",
    env="aws",
    project="pi-m3",
    started="2026-11-29T12:42:43.743+00:00",
    finished="2026-11-29T12:50:13.743+00:00",
    seconds=450.0,
    usd=1.25,
    failure=FAILURE,
)


def notification(**changes: Any) -> Notification:
    """Return a message about a run that failed, with these changes."""
    return replace(BASE, **changes)
