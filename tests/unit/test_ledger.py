"""The ledger is append-only, readable after a crash, and versioned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from etltctl.errors import AlreadyRunningError, ConfigurationError, UsageError
from etltctl.ledger import DiskStore, Event, Ledger, read_events


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def test_the_first_line_has_the_schema_and_every_event_its_run(store: DiskStore) -> None:
    Ledger(store, "r1", "local").append("run.started", pipeline="mongodb")
    lines = [json.loads(line) for line in store.read("r1").splitlines()]
    assert lines[0] == {"type": "version", "schema": "etltctl.events/1.0"}
    assert lines[1]["run_id"] == "r1"
    assert lines[1]["env"] == "local"
    assert lines[1]["ts"].endswith("+00:00")


def test_a_later_try_continues_the_numbering(store: DiskStore) -> None:
    Ledger(store, "r1", "local").append("run.started")
    Ledger(store, "r1", "local").append("run.started")
    assert [event["seq"] for event in read_events(store, "r1")] == [1, 2]
    assert store.read("r1").count('"version"') == 1


def test_a_line_cut_off_by_a_crash_is_skipped(store: DiskStore) -> None:
    Ledger(store, "r1", "local").append("run.started")
    store.add("r1", lambda _: '{"seq": 2, "type": "step.pl')
    assert [event["type"] for event in read_events(store, "r1")] == ["run.started"]


@pytest.mark.parametrize("line", ["[1, 2]", "5", "{}", '{"type": "x"}', '"word"', "\ufffd\ufffd"])
def test_a_line_that_is_not_an_event_is_skipped(store: DiskStore, line: str) -> None:
    Ledger(store, "r1", "local").append("run.started")
    store.add("r1", lambda _: f"{line}\n")
    Ledger(store, "r1", "local").append("run.started")
    assert [event["seq"] for event in read_events(store, "r1")] == [1, 2]


def test_invalid_bytes_and_folders_in_place_of_files_hide_no_run(store: DiskStore) -> None:
    Ledger(store, "r1", "local").append("run.started")
    with (store.folder / "r1.ndjson").open("ab") as file:
        file.write(b"\xff\xfe\n")
    (store.folder / "folder.ndjson").mkdir()
    (store.folder / "nowhere.ndjson").symlink_to("gone")
    assert store.run_ids() == ["r1"]
    Ledger(store, "r1", "local").append("run.started")
    assert [event["seq"] for event in read_events(store, "r1")] == [1, 2]


def test_an_event_after_a_cut_off_line_is_not_lost(store: DiskStore) -> None:
    Ledger(store, "r1", "local").append("run.started")
    store.add("r1", lambda _: '{"seq": 2, "type": "step.pl')
    Ledger(store, "r1", "local").append("run.started", pipeline="again")
    assert read_events(store, "r1")[-1].get("pipeline") == "again"


def test_a_stream_of_a_later_major_version_is_refused(store: DiskStore) -> None:
    store.add("r1", lambda _: '{"type": "version", "schema": "etltctl.events/2.0"}\n')
    with pytest.raises(UsageError, match=r"etltctl\.events/2\.0"):
        read_events(store, "r1")


def test_the_newest_event_of_a_step_is_found_by_its_type(store: DiskStore) -> None:
    ledger = Ledger(store, "r1", "local")
    ledger.append("remote.started", "sync:api", remote_id="1")
    ledger.append("remote.started", "sync:api", remote_id="2")
    ledger.append("remote.started", "glue:job", remote_id="3")
    event = ledger.last("sync:api", "remote.started")
    assert event is not None
    assert event["remote_id"] == "2"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot write the run's events"):
        Ledger(DiskStore(tmp_path / "file"), "r1", "local").append("run.started")


def test_a_restarted_step_ignores_its_earlier_events(store: DiskStore) -> None:
    ledger = Ledger(store, "r1", "local")
    ledger.append("step.planned", "glue:job")
    ledger.append("remote.started", "glue:job", remote_id="1")
    ledger.append("step.planned", "glue:job", fresh=True)
    assert ledger.last("glue:job", "remote.started") is None
    assert ledger.generation("glue:job") == 1
    ledger.append("remote.started", "glue:job", remote_id="2")
    assert (ledger.last("glue:job", "remote.started") or {})["remote_id"] == "2"


def test_a_listener_that_fails_is_not_called_again_and_fails_no_run(store: DiskStore) -> None:
    event_types: list[str] = []

    def listen(event: Event) -> None:
        event_types.append(event["type"])
        raise BrokenPipeError

    ledger = Ledger(store, "r1", "local", listen)
    ledger.append("run.started")
    ledger.append("run.finished")
    assert event_types == ["run.started"]
    assert len(read_events(store, "r1")) == 2


def test_a_note_that_cannot_be_written_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Ledger(DiskStore(tmp_path / "file"), "r1", "local").note("step.progress")


def test_a_run_has_one_driver(store: DiskStore) -> None:
    taken = pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}")
    with store.lease("r1"), store.lease("r2"), taken, store.lease("r1"):
        pass
    with store.lease("r1"):
        pass
