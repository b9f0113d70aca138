"""The listing of runs: which a process drives, which runs a filter keeps, and how few streams are read for it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etltctl.errors import UsageError
from etltctl.history import RunFilter, summaries
from etltctl.ledger import DiskStore, Ledger, StoredRun
from etltctl.ledger.leases import is_alive
from etltctl.runs import Outcome
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def start(store: DiskStore, run_id: str, pipeline: str = "mongodb", days_ago: float = 0) -> Ledger:
    began = (NOW - timedelta(days=days_ago)).isoformat(timespec="milliseconds")
    return started_run(store, run_id, pipeline=pipeline, ts=began)


def outcomes(settings: Settings, run_filter: RunFilter | None = None, limit: int = 99) -> dict[str, str]:
    return {run.run_id: run.outcome for run in summaries(settings, limit, run_filter)}


def test_a_run_is_running_while_a_process_drives_it_and_not_after_that(
    settings: Settings, store: DiskStore
) -> None:
    start(store, "r1")
    with store.lease("r1"):
        assert outcomes(settings) == {"r1": Outcome.RUNNING}
    assert outcomes(settings) == {"r1": Outcome.UNFINISHED}


def test_a_run_whose_process_was_killed_is_not_running(settings: Settings, store: DiskStore) -> None:
    ledger = start(store, "r1")
    code = (
        "import os, sys; from pathlib import Path; from etltctl.ledger import DiskStore\n"
        "with DiskStore(Path(sys.argv[1])).lease('r1'): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.folder)], check=False)
    assert (store.folder / "r1.lock").read_text(), "the killed process could not clear it"
    assert outcomes(settings) == {"r1": Outcome.UNFINISHED}
    ledger.append("remote.started", "glue:job", remote_id="jr_1", state="STARTING")
    assert outcomes(settings) == {"r1": Outcome.UNATTENDED}
    ledger.append("step.progress", "glue:job", remote_id="jr_1", state="RUNNING")
    assert outcomes(settings) == {"r1": Outcome.UNATTENDED}
    ledger.append("step.progress", "glue:job", remote_id="jr_1", state="FAILED")
    assert outcomes(settings) == {"r1": Outcome.UNFINISHED}


def test_an_owner_is_known_by_its_birth_and_an_unseen_one_counts_for_a_day(store: DiskStore) -> None:
    with store.lease("r1"):
        mine = json.loads((store.folder / "r1.lock").read_text())
    assert is_alive(json.dumps(mine), NOW)
    assert not is_alive(json.dumps(mine | {"began": "1"}), NOW), "another process has the number now"
    elsewhere = json.dumps(mine | {"host": "another"})
    assert is_alive(elsewhere, NOW)
    assert not is_alive(elsewhere, NOW + timedelta(days=2))
    assert not is_alive("", NOW)
    assert not is_alive("[]", NOW)


def test_runs_are_chosen_by_outcome_pipeline_and_time(settings: Settings, store: DiskStore) -> None:
    start(store, "old", days_ago=9).append("run.finished", outcome="failed", seconds=1.0)
    start(store, "mid", "api", days_ago=3).append("run.finished", outcome="failed", seconds=1.0)
    start(store, "new").append("run.finished", outcome="succeeded", seconds=1.0)
    chosen = {
        "failed": RunFilter(outcomes=[Outcome.FAILED]),
        "api": RunFilter(pipeline="api"),
        "since": RunFilter(since="4d"),
        "between": RunFilter(since="4d", until="1d"),
        "both": RunFilter(outcomes=["failed", "succeeded"], pipeline="mongodb"),
        "until": RunFilter(until=(NOW - timedelta(days=4)).date().isoformat()),
    }
    assert {name: sorted(outcomes(settings, run_filter)) for name, run_filter in chosen.items()} == {
        "failed": ["mid", "old"],
        "api": ["mid"],
        "since": ["mid", "new"],
        "between": ["mid"],
        "both": ["new", "old"],
        "until": ["old"],
    }
    assert list(outcomes(settings, RunFilter(outcomes=["failed"]), limit=1)) == ["mid"]
    with pytest.raises(UsageError, match="'soon' is not a valid time") as refused:
        outcomes(settings, RunFilter(until="soon"))
    assert refused.value.hint.startswith("until takes 12h")


def test_a_second_listing_reads_only_the_streams_that_changed(
    settings: Settings, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        start(store, f"r{number:02}").append("run.finished", outcome="succeeded", seconds=1.0)
    first = list(summaries(settings, 99))
    start(store, "r30")
    read: list[str] = []
    whole = DiskStore.read
    monkeypatch.setattr(DiskStore, "read", lambda self, run_id: (read.append(run_id), whole(self, run_id))[1])
    second = list(summaries(settings, 99))
    assert [run for run in second if run.run_id != "r30"] == first
    assert read == ["r30"]


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"format": 1}', '{"format": 1, "runs": {"r00": [1]}}', '{"format": 2, "runs": {}}']
)
def test_damaged_summaries_are_made_again(settings: Settings, store: DiskStore, damage: str) -> None:
    for number in range(25):
        start(store, f"r{number:02}").append("run.finished", outcome="succeeded", seconds=1.0)
    before = list(summaries(settings, 99))
    (store.folder / "summaries.json").write_text(damage)
    assert list(summaries(settings, 99)) == before
    assert len(json.loads((store.folder / "summaries.json").read_text())["runs"]) == 25


def test_a_store_without_kept_summaries_is_read_to_a_limit(
    settings: Settings, store: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        start(store, f"r{number}").append("run.finished", outcome="succeeded", seconds=1.0)
    monkeypatch.setattr(DiskStore, "index", None)
    monkeypatch.setattr("etltctl.history.run_list.MOST_READ", 5)
    run_list = summaries(settings, 99, RunFilter(outcomes=["failed"]))
    assert (run_list.runs, run_list.unread) == ((), 2)
    assert summaries(settings, 3).unread == 0


def test_a_listing_of_a_folder_that_is_not_there_is_empty(store: DiskStore) -> None:
    assert store.stored_runs() == []
    assert not store.is_driven(StoredRun("r1", 0.0, ""))


def test_a_listing_needs_no_place_for_its_summaries(settings: Settings, store: DiskStore) -> None:
    for number in range(25):
        start(store, f"r{number:02}")
    (store.folder / "summaries.json").mkdir()
    assert len(outcomes(settings)) == 25


def test_a_query_that_was_cancelled_is_not_unattended(settings: Settings, store: DiskStore) -> None:
    ledger = start(store, "r1")
    ledger.append("remote.started", "sql:windiest", remote_id="q", state="QUEUED")
    assert outcomes(settings) == {"r1": Outcome.UNATTENDED}
    ledger.append("step.progress", "sql:windiest", remote_id="q", state="CANCELLED")
    assert outcomes(settings) == {"r1": Outcome.UNFINISHED}
