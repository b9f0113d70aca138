"""Bronze files that a later sync replaced before etltctl counted the rows of the earlier sync."""

from __future__ import annotations

import pytest

from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults


def test_a_sync_whose_rows_were_replaced_names_the_later_sync_and_the_next_command(lake: SpoiltLake) -> None:
    lake.spoil({"call": "GET /jobs/*", "change": {"rowsSynced": 98}, "times": 0})
    # Its rows are in doubt, and it is the newest sync.
    lake.run("sync", "api", "--run-id", "first-of-two", code=6)
    lake.spoil()
    lake.run("sync", "api", "--run-id", "second-of-two")
    lake.spoil({"call": "GET /jobs/*", "change": {"rowsSynced": 98}, "times": 0})
    done = lake.run("retry", "first-of-two", code=7)
    assert "a later sync of api replaces what sync" in done.stderr
    assert "etltctl retry first-of-two --fresh" in done.stderr
    lake.spoil()
    assert "proven 97 of 97" in lake.run("retry", "first-of-two", "--fresh").stderr
