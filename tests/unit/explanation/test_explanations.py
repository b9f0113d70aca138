"""`why` reads whole, old, damaged and unfinished records, and gives a sentence for each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import UsageError
from etltctl.explanation import Explanation, document, explain, text_of
from etltctl.ledger import DiskStore, Ledger
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

EVIDENCE = [{"source": "executor-4", "at": "2026-11-23T03:01:44+00:00", "text": "java.lang.OutOfMemoryError"}]
RECORDED: dict[str, Any] = {
    "cause": "G117",
    "confidence": "high",
    "explanation": "An executor of the job ran out of memory.",
    "evidence": EVIDENCE,
}
STEP = "glue:bronze_to_silver"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def begin(store: DiskStore, run_id: str, env: str = "prod", pipeline: str = "mongodb") -> Ledger:
    """Return the ledger of a run of two steps that has started."""
    return started_run(store, run_id, env=env, pipeline=pipeline, steps=["sync:mongodb", STEP])


def fail(ledger: Ledger, **facts: Any) -> None:
    """Let the step of a run fail."""
    ledger.append("step.planned", STEP)
    ledger.append("step.finished", STEP, outcome="failed", **{"seconds": 1320.0, **facts})
    ledger.append("run.finished", outcome="failed", seconds=1400.0)


def succeed(store: DiskStore, run_id: str, seconds: float, usd: float, rows: int) -> None:
    """Record a run that published both tables of the step."""
    ledger = begin(store, run_id)
    ledger.append(
        "step.finished", "sync:mongodb", outcome="succeeded", seconds=5.0, rows=rows, verb="started"
    )
    ledger.append("cost.actual", STEP, usd=usd, remote_id=f"jr_{run_id}")
    ledger.append("publish.switched", STEP, rows=9, tables={"silver.weather_observation": {"rows": 9}})
    ledger.append("step.finished", STEP, outcome="succeeded", seconds=seconds, verb="started")
    ledger.append("run.finished", outcome="succeeded", seconds=seconds)


def words(explanation: Explanation) -> str:
    """Return the explanation as it is printed."""
    return text_of(explanation, str, datetime(2030, 1, 1, tzinfo=UTC))


def test_a_whole_record_gives_cause_proof_data_cost_comparison_and_next_command(
    settings: Settings, store: DiskStore
) -> None:
    for number in range(3):
        succeed(store, f"r{number}", 450.0, 0.15, 1_000)
    ledger = begin(store, "r9")
    ledger.append(
        "step.finished", "sync:mongodb", outcome="succeeded", seconds=5.0, rows=9_400, verb="started"
    )
    ledger.append("cost.actual", STEP, usd=0.37, remote_id="jr_9")
    fail(ledger, error="Glue run jr_9 of bronze_to_silver ended FAILED: Job aborted", **RECORDED)
    explanation = explain(settings, "r9")
    text = words(explanation)
    for part in (
        "Run r9  prod  FAILED at glue:bronze_to_silver",
        "22 min in)",
        "Cause   G117  Executor out of memory     confidence: high",
        "executor-4  java.lang.OutOfMemoryError",
        "Ended by  Glue itself (not a person, not etltctl)",
        "Your data is safe: nothing of this run was published",
        "readers see the version of r2 (since",
        "Spent 0.37 USD. A plain retry would very likely fail the same way, and cost about 0.15 USD (est.).",
        "failed after 22 min; in the last 3 runs it took 7 min 30 s",
        "brought 9,400 rows, 9.4x the 1,000 of the last 3 runs",
        "glue.jobs.bronze_to_silver.worker_type",
        "etltctl retry r9  # after the fix",
        "etltctl runs logs r9 bronze_to_silver --errors",
    ):
        assert part in text, part
    assert document(explanation)["cause"]["settings"][0] == "glue.jobs.bronze_to_silver.worker_type"


def test_an_earlier_failure_for_the_same_cause_is_counted(settings: Settings, store: DiskStore) -> None:
    fail(begin(store, "first"), error="x", **RECORDED)
    fail(begin(store, "second"), error="x", **RECORDED)
    assert "The run before failed for the same cause, G117" in words(explain(settings, "second"))


def test_without_a_run_the_newest_that_failed_is_explained(settings: Settings, store: DiskStore) -> None:
    fail(begin(store, "old"), error="x", **RECORDED)
    fail(begin(store, "new"), error="x", **RECORDED)
    succeed(store, "good", 1.0, 0.0, 1)
    assert explain(settings).run_id == "new"


def test_if_no_run_has_failed_it_says_so(settings: Settings, store: DiskStore) -> None:
    succeed(store, "good", 1.0, 0.0, 1)
    with pytest.raises(UsageError, match="no run has failed"):
        explain(settings)
    assert "succeeded: there is nothing to explain" in words(explain(settings, "good"))


def test_a_run_without_an_end_is_still_running_or_its_process_died(
    settings: Settings, store: DiskStore
) -> None:
    begin(store, "live").append("step.planned", STEP)
    text = words(explain(settings, "live"))
    assert "has no end on record" in text
    assert "etltctl runs watch live" in text


def test_a_record_of_an_older_etltctl_is_explained_by_its_error(settings: Settings, store: DiskStore) -> None:
    fail(begin(store, "older"), error="Glue run jr_1 of job ended TIMEOUT")
    explanation = explain(settings, "older")
    assert explanation.diagnosis is not None
    assert explanation.diagnosis.cause.code == "G101"
    assert "an older etltctl wrote this record" in words(explanation)


def test_a_cause_of_a_later_etltctl_keeps_its_sentence(settings: Settings, store: DiskStore) -> None:
    fail(
        begin(store, "later"), error="x", **{**RECORDED, "cause": "G999", "explanation": "The moon is full."}
    )
    text = words(explain(settings, "later"))
    assert "U000" in text
    assert "The moon is full." in text


def test_a_record_with_gaps_names_what_is_lost(settings: Settings, store: DiskStore, tmp_path: Path) -> None:
    ledger = begin(store, "gaps")
    ledger.append("step.planned", STEP)
    fail(ledger, error="query FAILED: HIVE_BAD_DATA: x")
    file = tmp_path / "runs" / "gaps.ndjson"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "{half a li", *lines[3:]]) + "\n")
    text = words(explain(settings, "gaps"))
    assert "Q104" in text
    assert "the first event of the run is lost" in text
    assert "events of the run are lost or damaged" in text


@pytest.mark.parametrize(
    "evidence", [None, "text", ["a line"], [{"at": "no time", "text": 5}], {"source": "x"}, [None]]
)
def test_evidence_of_the_wrong_kind_is_shown_as_far_as_it_goes(
    settings: Settings, store: DiskStore, evidence: object
) -> None:
    fail(begin(store, "odd"), error="x", **{**RECORDED, "evidence": evidence, "confidence": "sure"})
    explanation = explain(settings, "odd")
    assert "Proof" in words(explanation)
    assert json.dumps(document(explanation))


def test_a_run_that_failed_before_its_first_step_is_explained(settings: Settings, store: DiskStore) -> None:
    ledger = begin(store, "early")
    error = "sources.mongodb.uri is env:MONGODB_URI, but MONGODB_URI is not set"
    ledger.append("run.finished", outcome="failed", seconds=0.1, error=error)
    text = words(explain(settings, "early"))
    assert "FAILED before its first step" in text
    assert "M102" in text


def test_an_interrupt_is_the_cause_of_an_interrupted_run(settings: Settings, store: DiskStore) -> None:
    ledger = begin(store, "stopped", env="local")
    ledger.append("step.planned", STEP)
    facts = {"remote_id": "jr_1", "stopped_by": "Ctrl-C", "who": "ana@laptop", "reason": "lunch"}
    ledger.append("remote.stopping", STEP, **facts)
    ledger.append("step.finished", STEP, outcome="interrupted", seconds=3.0, error="Ctrl-C", cause="M107")
    ledger.append("run.finished", outcome="interrupted", seconds=3.0)
    text = words(explain(settings, "stopped"))
    assert "INTERRUPTED at glue:bronze_to_silver" in text
    assert "stopped by Ctrl-C (ana@laptop): lunch" in text
    assert "Spent 0.00 USD on this machine" in text


def test_an_interrupt_without_a_remote_run_is_named(settings: Settings, store: DiskStore) -> None:
    ledger = begin(store, "cut")
    ledger.append("step.finished", "sync:mongodb", outcome="interrupted", seconds=3.0, error="SIGTERM")
    ledger.append("run.finished", outcome="interrupted", seconds=3.0)
    assert "stopped by an interrupt of the command (SIGTERM)" in words(explain(settings, "cut"))


def test_a_later_try_that_goes_on_is_not_judged_by_the_one_before(
    settings: Settings, store: DiskStore
) -> None:
    ledger = begin(store, "again")
    fail(ledger, error="x", **RECORDED)
    ledger.append("run.started", pipeline="mongodb", steps=["sync:mongodb", STEP])
    ledger.append("step.planned", STEP)
    assert explain(settings, "again").diagnosis is None


def test_a_rollback_names_the_version_that_readers_see(settings: Settings, store: DiskStore) -> None:
    succeed(store, "r1", 10.0, 0.0, 5)
    rollback = Ledger(store, "back", "prod")
    rollback.append("run.started", pipeline="rollback", steps=[])
    tables = {"silver.weather_observation": {"rows": 7}}
    rollback.append("publish.switched", rows=7, tables=tables, version="r0")
    fail(begin(store, "r2"), error="x", **RECORDED)
    (state, *_) = explain(settings, "r2").tables
    assert (state.table, state.run_id, state.rows) == ("silver.weather_observation", "r0", 7)


def test_a_step_that_was_cut_off_while_it_published_is_not_called_whole(
    settings: Settings, store: DiskStore
) -> None:
    ledger = begin(store, "cut-off")
    ledger.append("step.planned", STEP)
    ledger.append("step.progress", STEP, state="SUCCEEDED", remote_id="jr_1")
    error = "glue did not answer: Connection reset by peer"
    ledger.append("step.finished", STEP, outcome="failed", seconds=9.0, error=error)
    ledger.append("run.finished", outcome="failed", seconds=9.0)
    text = words(explain(settings, "cut-off"))
    assert "may have been cut off while it published" in text
    assert "nothing was half published" not in text


def test_tables_that_this_run_published_before_it_failed_are_named(
    settings: Settings, store: DiskStore
) -> None:
    ledger = begin(store, "half")
    ledger.append("publish.switched", STEP, rows=1, tables={"silver.weather_observation": {"rows": 1}})
    ledger.append(
        "step.finished", "glue:silver_to_gold", outcome="failed", seconds=1.0, error="x", **RECORDED
    )
    ledger.append("run.finished", outcome="failed", seconds=2.0)
    assert "this run had published silver.weather_observation" in words(explain(settings, "half"))


@pytest.mark.parametrize(
    ("source", "cause", "names"),
    [
        ('kind = "airbyte"\nstreams = ["s"]', "S104", ("sources.x.config",)),
        (
            'kind = "mongodb"\nuri = "env:U"\ndatabase = "d"\ncollections = ["c"]',
            "S114",
            ("sources.x.uri", "sources.x.database"),
        ),
        ('kind = "http"\nbase_url = "sample:"\nseasons = [2024]', "S105", ("sources.x.rate",)),
        ('kind = "airbyte"\nstreams = ["s"]', "S116", ("sources.x.streams",)),
    ],
)
def test_only_settings_that_the_kind_of_the_source_has_are_named(
    tmp_path: Path, store: DiskStore, source: str, cause: str, names: tuple[str, ...]
) -> None:
    (tmp_path / "etltctl.toml").write_text(f'state = "{tmp_path}"\n[sources.x]\n{source}\n')
    ledger = started_run(store, "r1", env="local", pipeline="x", steps=["sync:x"])
    ledger.append("step.finished", "sync:x", outcome="failed", error="e", cause=cause, confidence="high")
    ledger.append("run.finished", outcome="failed", seconds=1.0)
    loaded = load_settings(directory=tmp_path, environ={}, env="local")
    assert explain(loaded, "r1").settings == names
