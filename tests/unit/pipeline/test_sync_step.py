"""What to do after a failed sync: the code of the failure decides, not its text."""

from __future__ import annotations

import pytest

from etltctl.pipeline.sync_step import _way_on
from etltctl.runs import STATE_UNUSABLE, SyncJob


@pytest.mark.parametrize(
    ("code", "reason", "is_clear"),
    [
        (STATE_UNUSABLE, "the kept state is of another database", True),
        ("", "the connector's documentation recommends `sync --full`", False),
    ],
)
def test_only_a_state_that_cannot_be_used_asks_for_a_full_sync(
    code: str, reason: str, is_clear: bool
) -> None:
    job = SyncJob("7", "mongodb", "failed", reason, failure_code=code)
    assert ("sync mongodb --full" in str(_way_on(job).render())) is is_clear
