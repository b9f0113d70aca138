"""What `why` says of the data is true also for a cause between two publishes and for a record with gaps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from etltctl.causes import catalogue
from etltctl.explanation import explain, text_of
from etltctl.ledger import DiskStore, Ledger
from etltctl.settings import Settings, load_settings

STEP = "glue:bronze_to_silver"
HALF_PUBLISHED = "may have been cut off while it published its tables"
BEFORE_PUBLISH = {"C103", "C104", "C106", "C107", "C118", "C119"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def record(settings_folder: Path, cause: str) -> Ledger:
    """Record a run whose job ended well and whose step failed for this cause."""
    ledger = Ledger(DiskStore(settings_folder / "runs"), "r1", "prod")
    ledger.append("run.started", pipeline="p", steps=[STEP])
    ledger.append("step.planned", STEP)
    ledger.append("step.progress", STEP, remote_id="jr_1", state="SUCCEEDED")
    ledger.append("step.finished", STEP, outcome="failed", error="x", cause=cause, confidence="high")
    ledger.append("run.finished", outcome="failed", seconds=1.0)
    return ledger


def words(settings: Settings) -> str:
    return text_of(explain(settings, "r1"), str, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("cause", [code for code in catalogue() if code.startswith("C") and code != "C115"])
def test_only_a_cause_that_refuses_the_whole_set_excludes_a_half_publish(
    settings: Settings, tmp_path: Path, cause: str
) -> None:
    record(tmp_path, cause)
    assert (HALF_PUBLISHED in words(settings)) is (cause not in BEFORE_PUBLISH)


def test_a_record_with_lost_events_does_not_say_that_nothing_was_published(
    settings: Settings, tmp_path: Path
) -> None:
    record(tmp_path, "G117")
    file = tmp_path / "runs" / "r1.ndjson"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if '"step.planned"' not in line))
    text = words(settings)
    assert "The record is incomplete: the run may have published more tables" in text
    assert "etltctl athena tables" in text
    assert "nothing of this run was published" not in text


@pytest.mark.parametrize("code", catalogue())
def test_every_cause_says_what_it_means_for_the_data(code: str) -> None:
    assert catalogue()[code].data.endswith(".")


def test_after_a_full_sync_bronze_is_not_called_safe(settings: Settings, tmp_path: Path) -> None:
    ledger = Ledger(DiskStore(tmp_path / "runs"), "r1", "local")
    ledger.append("run.started", pipeline="ships", steps=["sync:ships"], options={"cleared": "ships"})
    ledger.append("step.finished", "sync:ships", outcome="failed", error="x", cause="S106", confidence="high")
    ledger.append("run.finished", outcome="failed", seconds=1.0)
    text = words(settings)
    assert "Bronze of ships was cleared for this full sync" in text
    assert "Silver and gold are as they were." in text
    assert "Your data is safe" not in text
