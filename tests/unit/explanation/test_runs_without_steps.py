"""The failure of a rollback or a refresh names its own command, and hides no failed run of steps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etltctl.explanation import explain, text_of
from etltctl.ledger import DiskStore
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

WORDS = ["rollback", "gold.day", "--to", "v1"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="aws", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def fail(settings: Settings, run_id: str, pipeline: str, *steps: str, **facts: object) -> None:
    ledger = started_run(
        DiskStore(Path(settings.state) / "runs"), run_id, env="aws", pipeline=pipeline, steps=steps, **facts
    )
    if steps:
        ledger.append("step.finished", steps[0], outcome="failed", error="x", cause="G143")
    error = {} if steps else {"error": "gold.day has no version v1", "cause": "C105"}
    ledger.append("run.finished", outcome="failed", seconds=1.0, **error)


def test_a_failed_rollback_names_the_rollback_and_no_retry(settings: Settings) -> None:
    fail(settings, "back", "rollback", command=WORDS)
    explanation = explain(settings, "back")
    shown = text_of(explanation, str, datetime(2030, 1, 1, tzinfo=UTC))
    assert "Run back  aws  FAILED (rollback gold.day --to v1)  (" in shown
    assert "etltctl rollback gold.day --to v1" in shown
    assert "retry" not in shown.partition("Next (safe):")[2]
    assert "no publish of a table of this run" not in shown


def test_a_failed_rollback_of_an_older_record_names_the_command_without_its_table(settings: Settings) -> None:
    fail(settings, "back", "rollback")
    steps = [str(step) for step in explain(settings, "back").next_steps]
    assert "run the same etltctl rollback again" in "".join(steps)
    assert "retry" not in "".join(steps)


def test_the_newest_failed_run_of_steps_is_explained_and_a_newer_command_is_named(settings: Settings) -> None:
    fail(settings, "old", "mongodb", "glue:job")
    fail(settings, "run", "mongodb", "glue:job")
    fail(settings, "again", "refresh", command=["athena", "refresh"])
    fail(settings, "back", "rollback", command=WORDS)
    explanation = explain(settings)
    assert explanation.run_id == "run"
    assert str(explanation.next_steps[-1]) == "etltctl why back  # a command that failed later"
    assert explain(settings, "back").run_id == "back"
    assert not any("why" in str(step) for step in explain(settings, "back").next_steps)


def test_without_a_failed_run_of_steps_the_newest_failed_command_is_explained(settings: Settings) -> None:
    fail(settings, "again", "refresh", command=["athena", "refresh"])
    fail(settings, "back", "rollback", command=WORDS)
    explanation = explain(settings)
    assert explanation.run_id == "back"
    assert not any("etltctl why" in str(step) for step in explanation.next_steps)


def test_a_failed_run_of_steps_that_is_newer_is_explained_without_the_rollback(settings: Settings) -> None:
    fail(settings, "back", "rollback", command=WORDS)
    fail(settings, "run", "mongodb", "glue:job")
    explanation = explain(settings)
    assert explanation.run_id == "run"
    assert not any("etltctl why" in str(step) for step in explanation.next_steps)
