"""What a run of the pipeline usually takes and costs, from which the chunks of a backfill are estimated."""

from __future__ import annotations

from dataclasses import replace

from etltctl.ledger import driven_seconds, events_of_one, newest_event, spent_usd_of
from etltctl.pipeline.backfill.model import BackfillPlan
from etltctl.pipeline.services import Services

NEWEST_RUNS = 20  # are read: each read takes time where the runs are kept in S3


def with_usual_costs(plan: BackfillPlan, services: Services) -> BackfillPlan:
    """Return the plan with what the newest successful run of its pipeline took and cost, if one is on record.

    Args:
        plan: The plan.
        services: The services, whose store has the runs.
    """
    store, env = services.store, services.settings.env
    for run_id in reversed(store.run_ids()[-NEWEST_RUNS:]):
        events = events_of_one(store, run_id)
        ended = newest_event(events, "", "run.finished")
        if ended is None or ended.get("outcome") != "succeeded" or ended.get("env") != env:
            continue
        if any(e["type"] == "run.started" and e.get("pipeline") == plan.pipeline for e in events):
            return replace(plan, usual_seconds=driven_seconds(events), usual_usd=spent_usd_of(events))
    return plan
