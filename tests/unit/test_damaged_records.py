"""A fact of a wrong type and a file that cannot be read are named once, and stop no command that reads many runs."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etltctl.cli.run_state import RunState, facts_line
from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.explanation import document, explain, text_of
from etltctl.history import costs, find_run, run_to_retry, step_seconds, summaries
from etltctl.ledger import DiskStore, read_events
from etltctl.reports.facts import facts_of
from etltctl.reports.page import page
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run

STEP = "glue:job"
WRONG: tuple[Any, ...] = (
    [],
    {},
    [5],
    {"a": 5},
    "12 minutes",
    5,
    float("nan"),
    float("inf"),
    True,
    None,
    "",
    -1,
    10**400,
)
EVENTS: dict[str, dict[str, Any]] = {
    "run.options": {"options": {"max_usd": 1.0}},
    "step.planned": {"fresh": True, "fresh_for": "x"},
    "cost.estimate": {"usd": 0.1},
    "remote.intended": {"run_key": "k"},
    "remote.started": {"service": "Glue", "remote_id": "jr_1", "state": "RUNNING", "ours": True},
    "step.progress": {"remote_id": "jr_1", "state": "SUCCEEDED"},
    "remote.stopping": {"remote_id": "jr_1", "stopped_by": "max_usd", "who": "ana", "reason": "dear"},
    "cost.actual": {"usd": 0.2, "remote_id": "jr_1", "dpu_seconds": 90.0},
    "verify.result": {"job": "1", "proven": True, "landed": 5, "reported": 5},
    "check.result": {"table": "silver.t", "name": "n", "rule": "r", "count": 1, "rows": [{}], "reaction": "freeze"},
    "publish.switched": {"rows": 5, "tables": {"silver.t": {"change": "published", "rows": 5, "version": "v"}}},
    "warning.degraded": {"message": "m"},
    "step.finished": {
        "outcome": "failed", "seconds": 3.0, "rows": 5, "verb": "started", "error": "e", "cause": "G117",
        "confidence": "high", "explanation": "x", "evidence": [{"text": "t", "source": "s", "at": ""}],
        "excerpt": ["l"], "stopped": "by ana", "tables": {"silver.t": {"rows": 5}},
    },
    "run.finished": {"outcome": "failed", "seconds": 4.0, "error": "e"},
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def record(store: DiskStore, run_id: str) -> list[str]:
    """Record a run with an event of each type that a reader uses, and return its lines."""
    ledger = started_run(store, run_id, env="aws", steps=[STEP], options={})
    for type_, facts in EVENTS.items():
        ledger.append(type_, "" if type_.startswith("run.") else STEP, **facts)
    return store.read(run_id).splitlines()


def read_all(settings: Settings) -> None:
    """Do what the commands do that read the record."""
    assert "good" in {run.run_id for run in summaries(settings, 9)}
    for by in ("pipeline", "step", "day"):
        assert costs(settings, by)
    assert run_to_retry(settings, "")
    step_seconds(settings)
    explain(settings)
    for run_id in ("good", "bad"):
        try:
            events = find_run(settings, run_id)
        except EtltctlError:
            assert run_id == "bad"
            continue
        explanation = explain(settings, run_id)
        assert text_of(explanation)
        assert json.dumps(document(explanation))
        assert page(facts_of(events), [], settings, {}, "")
        RunState("p").replay(events)
        assert [facts_line(event) for event in events]


@pytest.mark.parametrize("type_", ["run.started", *EVENTS])
def test_no_fact_of_a_wrong_type_stops_a_reader(
    settings: Settings, store: DiskStore, tmp_path: Path, type_: str
) -> None:
    record(store, "good")
    lines = record(store, "bad")
    (place,) = [number for number, line in enumerate(lines) if json.loads(line)["type"] == type_]
    event = json.loads(lines[place])
    is_left_out_read = False
    for name, value in ((name, value) for name in event for value in WRONG):
        lines[place] = json.dumps(event | {name: value})
        (tmp_path / "runs" / "bad.ndjson").write_text("\n".join(lines) + "\n")
        # To a reader, one event that was left out is as good as another: that case is read once.
        is_left_out = len(read_events(store, "bad")) < len(lines) - 1
        if not (is_left_out and is_left_out_read):
            read_all(settings)
        is_left_out_read = is_left_out_read or is_left_out
    assert is_left_out_read


def test_a_fact_that_readers_need_and_that_is_missing_leaves_the_event_out(store: DiskStore) -> None:
    ledger = started_run(store, "r", steps=[STEP])
    ledger.append("cost.actual", STEP)
    ledger.append("remote.started", STEP)
    assert [event["type"] for event in read_events(store, "r")] == ["run.started"]


def wrong_bytes(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00" * 50)


def deep_nesting(file: Path) -> None:
    file.write_text("[" * 200_000)


def no_permission(file: Path) -> None:
    if os.geteuid() == 0:
        file.unlink()
        file.symlink_to("/proc/self/mem")  # a file that not even root can read from its beginning
    else:
        file.chmod(0)


@pytest.mark.parametrize("damage", [wrong_bytes, deep_nesting, no_permission])
def test_a_file_that_cannot_be_read_is_named_once_and_hides_no_other_run(
    settings: Settings,
    store: DiskStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
) -> None:
    record(store, "bad")
    record(store, "good")
    file = tmp_path / "runs" / "bad.ndjson"
    damage(file)
    with caplog.at_level(logging.WARNING):
        read_all(settings)
    assert len([one for one in caplog.records if str(file) in one.getMessage()]) == 1


def test_a_run_that_is_named_and_cannot_be_read_is_an_error_with_its_file(
    settings: Settings, store: DiskStore, tmp_path: Path
) -> None:
    record(store, "bad")
    file = tmp_path / "runs" / "bad.ndjson"
    no_permission(file)
    with pytest.raises(ConfigurationError, match=f"the events of run bad cannot be read: {file}: "):
        find_run(settings, "bad")
    assert [(run.run_id, run.outcome) for run in summaries(settings, 9)] == [("bad", "unreadable")]


def test_a_number_of_an_event_beyond_all_memory_is_counted(store: DiskStore) -> None:
    started_run(store, "r").append("step.planned", STEP, seq=10**15)
    from etltctl.ledger import lost_events

    assert lost_events(read_events(store, "r")) == 10**15 - 2


def test_a_damaged_file_of_summaries_is_made_again(
    settings: Settings, store: DiskStore, tmp_path: Path
) -> None:
    for number in range(25):
        started_run(store, f"r{number}")
    assert len(summaries(settings, 99).runs) == 25
    index = tmp_path / "runs" / "summaries.json"
    kept = json.loads(index.read_text())
    for fields in kept["runs"].values():
        fields[3] = "soon"
    index.write_text(json.dumps(kept))
    assert {run.started[:2] for run in summaries(settings, 99)} == {"20"}
