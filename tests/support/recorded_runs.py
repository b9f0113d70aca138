"""Runs that a test writes into a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etltctl.ledger import DiskStore, Ledger


def started_run(
    store: DiskStore,
    run_id: str,
    *,
    env: str = "local",
    pipeline: str = "mongodb",
    steps: Sequence[str] = ("glue:job",),
    **facts: Any,
) -> Ledger:
    """Return the ledger of a run that has started.

    Args:
        store: Where the events are kept.
        run_id: The run's id.
        env: The environment.
        pipeline: The pipeline.
        steps: The steps, each `kind:name`.
        facts: Other facts of the first event.
    """
    ledger = Ledger(store, run_id, env)
    ledger.append("run.started", pipeline=pipeline, steps=[*steps], **facts)
    return ledger
