"""What a run of the pipeline usually takes and costs, from which the chunks of a backfill are estimated."""

from __future__ import annotations

from dataclasses import replace

from etltctl.errors import EtltctlError
from etltctl.ledger import Ledger, newest_event, read_events
from etltctl.pipeline.backfill.model import BackfillPlan
from etltctl.pipeline.services import Services

LEARNS_FROM_RUNS = 20  # the newest: each of them is a read, which takes time where they are kept in S3


def with_usual_costs(plan: BackfillPlan, services: Services) -> BackfillPlan:
    """Return the plan with what the newest successful run of its pipeline took and cost, if one is on record.

    Args:
        plan: The plan.
        services: The services, whose store has the runs.
    """
    store, env = services.store, services.settings.env
    for run_id in reversed(store.run_ids()[-LEARNS_FROM_RUNS:]):
        try:
            ended = newest_event(read_events(store, run_id), "", "run.finished")
            ledger = Ledger(store, run_id, env)
        except EtltctlError:
            continue  # a run that a later etltctl wrote; only an estimate depends on it
        if ended is None or ended.get("outcome") != "succeeded" or ended.get("env") != env:
            continue
        if ledger.pipeline == plan.pipeline:
            return replace(plan, usual_seconds=float(ended.get("seconds") or 0.0), usual_usd=ledger.usd())
    return plan
