"""The rows of an incremental sync on the screen: new ones, and 0 as such."""

from __future__ import annotations

import io
from typing import Any

import pytest

from etltctl.cli.progress import RunProgress
from etltctl.cli.run_state import RunState
from etltctl.console import Console

SYNCED = {
    "run_id": "r-1", "env": "aws", "ts": "2026-01-01T03:05:00+00:00", "type": "step.finished", "step": "sync:mongodb",
    "outcome": "succeeded", "verb": "started", "layer": "bronze", "seconds": 8.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"rows": 0, "reported_rows": 0, "incremental": True}, "0 new rows"),
        ({"rows": 1200, "reported_rows": 1200, "incremental": True}, "1,200 new rows"),
        ({"rows": 1200, "reported_rows": 1200}, "1,200 rows"),
    ],
)
def test_a_sync_of_what_is_new_says_so(facts: dict[str, Any], words: str) -> None:
    console, state = Console(plain=True, stderr=io.StringIO()), RunState("mongodb")
    progress = RunProgress(console, state)
    progress.draw({**SYNCED, "type": "run.started", "step": "", "steps": ["sync:mongodb"]})
    progress.draw({**SYNCED, **facts})
    progress.settle()
    assert f" {words} " in console.stderr.getvalue()  # type: ignore[attr-defined]
    assert state.steps["sync:mongodb"].amount == words
