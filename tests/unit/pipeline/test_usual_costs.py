"""What a run of a pipeline usually takes and costs, by which a backfill is estimated."""

from __future__ import annotations

from pathlib import Path

from etltctl.ledger import DiskStore, Ledger
from etltctl.pipeline.backfill import BackfillPlan, Chunk
from etltctl.pipeline.backfill.estimate import with_usual_costs
from etltctl.pipeline.services import Services
from etltctl.settings import load_settings


def test_what_a_run_usually_takes_and_costs_is_that_of_all_its_tries(tmp_path: Path) -> None:
    settings = load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})
    store = DiskStore(tmp_path / "runs")
    ledger = Ledger(store, "r1", "local")
    for outcome, ts in (("failed", "2026-01-01T00:00:10+00:00"), ("succeeded", "2026-01-01T00:01:00+00:00")):
        ledger.append("run.started", pipeline="api", ts="2026-01-01T00:00:00+00:00")
        ledger.append("cost.actual", "glue:api", usd=0.25, ts=ts)
        ledger.append("run.finished", outcome=outcome, seconds=10.0, ts=ts)
    # Newer, and no reason to give up the estimate.
    store.add("r2", lambda _: '{"type": "version", "schema": "etltctl.events/2.0"}\n')
    plan = BackfillPlan("b", "api", "api", 2019, 2019, 1, (2019,), (Chunk((2019,)),))
    usual = with_usual_costs(plan, Services(settings))
    assert (usual.usual_seconds, usual.usual_usd) == (20.0, 0.5)
