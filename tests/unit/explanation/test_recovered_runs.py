"""`why` of a run that failed and then succeeded: the cause of the failed try, and that nothing is left to do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etltctl.explanation import explain, text_of
from etltctl.ledger import DiskStore, Ledger
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

SYNC, JOB = "sync:api", "glue:job"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def failed(tmp_path: Path) -> Ledger:
    """A run of two steps whose second step failed in its first try."""
    ledger = started_run(DiskStore(tmp_path / "runs"), "r1", env="aws", pipeline="api", steps=[SYNC, JOB])
    ledger.append("step.finished", SYNC, outcome="succeeded", seconds=5.0, rows=9)
    ledger.append("cost.actual", JOB, usd=0.5, remote_id="jr_1")
    ledger.append("step.planned", JOB)
    ledger.append(
        "step.finished", JOB, outcome="failed", seconds=60.0, error="x", cause="G117", confidence="high",
        explanation="An executor of the job ran out of memory.",
        evidence=[{"source": "executor-4", "text": "java.lang.OutOfMemoryError"}],
    )  # fmt: skip
    ledger.append("run.finished", outcome="failed", seconds=70.0)
    return ledger


def shown(settings: Settings) -> str:
    return text_of(explain(settings, "r1"), str, datetime(2030, 1, 1, tzinfo=UTC))


def test_the_cause_of_the_failed_try_is_named_and_that_the_run_succeeded_since(
    settings: Settings, failed: Ledger
) -> None:
    failed.append("run.started", pipeline="api", steps=[SYNC, JOB])
    failed.append("step.planned", JOB)
    failed.append("cost.actual", JOB, usd=0.25, remote_id="jr_2")
    failed.append("publish.switched", JOB, rows=9, tables={"silver.race": {"rows": 9}})
    failed.append("step.finished", JOB, outcome="succeeded", seconds=60.0)
    failed.append("run.finished", outcome="succeeded", seconds=65.0)
    text = shown(settings)
    assert text.startswith("Run r1  aws  SUCCEEDED at ")
    for part in (
        "An earlier try FAILED at glue:job",
        "Cause   G117  Executor out of memory     confidence: high",
        "executor-4  java.lang.OutOfMemoryError",
        "Your data is up to date: the run has published silver.race since.",
        "Spent 0.75 USD. The run needs no retry.",
        "etltctl runs show r1",
    ):
        assert part in text, part
    assert "retry r1" not in text


def test_a_later_try_of_another_step_alone_does_not_hide_the_step_that_failed(
    settings: Settings, failed: Ledger
) -> None:
    failed.append("run.started", pipeline="api", steps=[SYNC])
    failed.append("step.finished", SYNC, outcome="succeeded", seconds=5.0, rows=9)
    failed.append("run.finished", outcome="succeeded", seconds=5.0)
    text = shown(settings)
    assert "Run r1  aws  FAILED at glue:job" in text
    assert "etltctl retry r1" in text


def test_a_run_that_never_failed_has_nothing_to_explain(settings: Settings, tmp_path: Path) -> None:
    ledger = started_run(DiskStore(tmp_path / "runs"), "r1", steps=[JOB])
    ledger.append("step.finished", JOB, outcome="succeeded", seconds=1.0)
    ledger.append("run.finished", outcome="succeeded", seconds=1.0)
    assert "succeeded: there is nothing to explain" in shown(settings)
