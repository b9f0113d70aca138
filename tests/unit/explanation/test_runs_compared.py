"""The runs before a failed one are those with its step, and only what publishes a version counts as published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import UnverifiedError
from etltctl.explanation import explain, text_of
from etltctl.ledger import DiskStore, Ledger
from etltctl.pipeline.failure_cause import name_cause
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

SYNC, SILVER, REFRESH = "sync:mongodb", "glue:bronze_to_silver", "athena:refresh"
OUT_OF_MEMORY = {"cause": "G117", "confidence": "high", "explanation": "An executor ran out of memory."}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="aws", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def begin(store: DiskStore, run_id: str, steps: tuple[str, ...] = (SYNC, SILVER, REFRESH)) -> Ledger:
    return started_run(store, run_id, env="aws", pipeline="mongodb", steps=steps)


def fail(ledger: Ledger, step: str = SILVER, **facts: Any) -> None:
    ledger.append("step.planned", step)
    ledger.append(
        "step.finished",
        step,
        **{"outcome": "failed", "error": "x", "seconds": 90.0, **OUT_OF_MEMORY, **facts},
    )
    ledger.append("run.finished", outcome="failed", seconds=99.0)


def end_well(ledger: Ledger, *steps: str, usd: float = 0.0) -> None:
    for step in steps:
        ledger.append("step.planned", step)
        if usd:
            ledger.append("cost.actual", step, usd=usd, remote_id=f"{ledger.run_id}-{step}")
        ledger.append("step.finished", step, outcome="succeeded", seconds=30.0, verb="started", rows=100)
    ledger.append("run.finished", outcome="succeeded", seconds=99.0)


def words(settings: Settings, run_id: str = "") -> str:
    return text_of(explain(settings, run_id), str, datetime(2030, 1, 1, tzinfo=UTC))


def test_only_runs_that_have_the_step_are_counted(settings: Settings, store: DiskStore) -> None:
    end_well(begin(store, "whole1"), SYNC, SILVER, usd=0.5)
    fail(begin(store, "same"))
    for number in range(12):
        end_well(begin(store, f"sync{number}", (SYNC,)), SYNC)
    end_well(begin(store, "whole2"), SYNC, SILVER, usd=0.5)
    failed = begin(store, "failed")
    failed.append("step.finished", SYNC, outcome="succeeded", seconds=1.0, verb="started", rows=1000)
    fail(failed)
    shown = words(settings, "failed")
    assert f"{SILVER} failed after 1 min 30 s; in the last 2 runs it took 30 s" in shown
    assert "1 of the last 3 runs failed for the same cause, G117" in shown
    assert "sync:mongodb brought 1,000 rows, 10.0x the 100 of the last 10 runs" in shown


def test_a_step_that_no_earlier_run_has_is_compared_with_none(settings: Settings, store: DiskStore) -> None:
    end_well(begin(store, "before", (SYNC,)), SYNC)
    fail(begin(store, "failed"))
    assert f"No earlier run with {SILVER} is on record to compare with" in words(settings, "failed")


def test_a_refresh_publishes_no_version_and_names_no_table_of_other_runs(
    settings: Settings, store: DiskStore
) -> None:
    published = begin(store, "published")
    published.append(
        "publish.switched", SILVER, rows=1, tables={"silver.a": {"rows": 1, "version": "published"}}
    )
    every = {"silver.a": {"rows": 1, "change": "updated"}, "gold.f1": {"rows": 1}, "bronze.b": {"rows": 1}}
    published.append("publish.switched", REFRESH, rows=3, tables=every)
    end_well(published, SILVER)
    refreshed = started_run(store, "refresh", env="aws", pipeline="refresh", steps=[])
    refreshed.append("publish.switched", REFRESH, rows=3, tables=every)
    failed = begin(store, "failed")
    failed.append("publish.switched", REFRESH, rows=3, tables=every)
    fail(failed)
    explanation = explain(settings, "failed")
    assert [(table.table, table.run_id) for table in explanation.tables] == [("silver.a", "published")]
    assert explanation.published == ()


def test_a_check_shows_rows_that_break_it_of_the_last_try_alone(settings: Settings, store: DiskStore) -> None:
    ledger = begin(store, "r")
    check = {"table": "silver.a", "name": "n", "reaction": "freeze"}
    ledger.append("step.planned", SILVER)
    ledger.append("check.result", SILVER, **check, rule="old rule", count=1, rows=[{"a": 0}])
    ledger.append("step.planned", SILVER)
    rows = [{"station": f"s{number}", "note": "x" * 300} for number in range(5)]
    ledger.append("check.result", SILVER, **check, rule="wind_speed in 0..75", count=1204, rows=rows)
    ledger.append(
        "check.result", SILVER, **{**check, "reaction": "evolve"}, rule="a new column", count=0, rows=[]
    )
    ledger.append("step.finished", SILVER, outcome="failed", error="fails its checks", cause="C103")
    ledger.append("run.finished", outcome="failed", seconds=1.0)
    shown = words(settings, "r")
    assert "Check   silver.a  wind_speed in 0..75: 1,204 rows\n          station=s0, note=xxx" in shown
    assert shown.count("station=") == 3
    assert "old rule" not in shown
    assert "a new column" not in shown
    assert max(map(len, shown.splitlines())) < 200


def test_the_name_of_a_step_keeps_its_small_letter(settings: Settings, store: DiskStore) -> None:
    end_well(begin(store, "before", ("sql:daily",)), "sql:daily")
    fail(begin(store, "r", ("sql:daily",)), "sql:daily", cause="Q104")
    shown = words(settings, "r")
    assert "\nsql:daily failed after 1 min 30 s; in the run before it took 30 s.\n" in shown


def test_out_of_memory_suggests_the_next_larger_workers_with_their_price(
    settings: Settings, store: DiskStore
) -> None:
    end_well(begin(store, "before"), SYNC, SILVER, usd=0.37)
    fail(begin(store, "r"))
    (first, *others) = explain(settings, "r").next_steps
    assert str(first) == (
        "etltctl retry r --worker-type G.2X  "
        "# est. 0.74 USD, runs glue:bronze_to_silver onward again, sync:mongodb is reused"
    )
    assert not any("--worker-type" in str(step) for step in others)


@pytest.mark.parametrize(("used", "next_type"), [("G.2X", "G.4X"), ("R.1X", "R.2X"), ("G.8X", None)])
def test_larger_workers_are_larger_than_those_of_the_try_that_failed(
    settings: Settings, store: DiskStore, used: str, next_type: str | None
) -> None:
    options = {"worker_type": used, "workers_of": SILVER}
    fail(started_run(store, "r", env="aws", pipeline="mongodb", steps=[SILVER], options=options))
    suggested = [str(step) for step in explain(settings, "r").next_steps if "--worker-type" in str(step)]
    assert [text.split()[4] for text in suggested] == ([next_type] if next_type else [])


def test_a_cause_that_more_memory_does_not_cure_suggests_none(settings: Settings, store: DiskStore) -> None:
    fail(begin(store, "r"), cause="G143")
    assert not any("--worker-type" in str(step) for step in explain(settings, "r").next_steps)


def test_a_changed_version_is_not_called_safe_and_the_table_is_named(
    settings: Settings, store: DiskStore
) -> None:
    changed = UnverifiedError("the files are others", table="silver.a")
    name_cause(changed, step=REFRESH, run_id="r")
    fail(begin(store, "r"), REFRESH, error=changed.message, **{**changed.record, "cause": "C115"})
    shown = words(settings, "r")
    assert "Your data may not be as it was published." in shown
    assert "readers see rows that no run published" in shown
    assert "data is safe" not in shown
    assert "etltctl rollback silver.a" in shown


def test_a_record_of_an_older_etltctl_names_the_table_in_the_error_alone(
    settings: Settings, store: DiskStore
) -> None:
    error = "the files of version v1 of silver.a are not those that were published: something wrote to s3://x since"
    fail(begin(store, "r"), REFRESH, error=error, cause="C115")
    assert "etltctl rollback silver.a" in words(settings, "r")
