"""`runs logs --errors`: it reports a failure of Airbyte as an error."""

from __future__ import annotations

import pytest

from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults
FAILED = {"status": "failed"}


def test_the_reason_of_a_failed_sync_is_an_error(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": FAILED, "times": 0})
    lake.run("run", "small", "--run-id", "sync-failed", code=1)
    shown = lake.run("runs", "logs", "sync-failed", "--errors")
    lake.spoil()
    assert "state failed" in shown.stdout
    assert "rows" not in shown.stdout
    assert "wrote no error" not in shown.stderr
