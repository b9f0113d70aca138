"""Incremental syncs of the embedded Airbyte: what is new is added, and a sync that dies loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from etltctl.local.services.airbyte.source_mongodb import MongoSource
from etltctl.local.services.airbyte.states import StreamStates
from etltctl.local.services.s3.directory import S3Directory
from support.airbyte_server import Server, api
from support.incremental import IncrementalLake


def test_a_second_sync_adds_only_what_is_new_in_the_same_generation(
    lake: IncrementalLake, observations: Any
) -> None:
    assert lake.synced() == 5
    observations.insert_one({"_id": 5, "dt": 5})
    assert lake.synced() == 1
    assert lake.rows() == [(number, 1) for number in range(6)]
    assert len(lake.server.files()) == 2


def test_a_sync_without_new_documents_writes_no_file_and_succeeds(lake: IncrementalLake) -> None:
    lake.sync()
    before = lake.server.files()
    assert lake.synced() == 0
    assert lake.server.files() == before


def test_a_kept_state_outlives_the_server(lake: IncrementalLake, observations: Any) -> None:
    lake.sync()
    server = lake.server
    server.stop()
    server.start()
    server.sign_in()
    lake.configure()
    observations.insert_one({"_id": 5})
    assert lake.synced() == 1


def test_a_state_is_kept_only_after_its_file_is_there(
    lake: IncrementalLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    put, keep = S3Directory.put_object, StreamStates.keep

    def put_object(self: Any, *args: Any, **options: Any) -> Any:
        answer = put(self, *args, **options)
        order.append("file")
        return answer

    def keep_state(self: Any, *args: Any) -> None:
        order.append("state")
        keep(self, *args)

    monkeypatch.setattr(S3Directory, "put_object", put_object)
    monkeypatch.setattr(StreamStates, "keep", keep_state)
    lake.sync()
    assert order == ["file", "state"]


def test_a_sync_that_dies_before_its_state_is_kept_repeats_its_records_and_loses_none(
    lake: IncrementalLake, observations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.sync()
    observations.insert_one({"_id": 5})

    def die(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(StreamStates, "keep", die)
        assert lake.sync()["etltctl_failure"]["kind"] == "system_error"
    assert lake.synced() == 1
    assert lake.ids() == [0, 1, 2, 3, 4, 5, 5]


def test_a_sync_that_is_cut_off_resumes_from_its_last_checkpoint(
    lake: IncrementalLake, observations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.mongodb_cursor.CHECKPOINT_ROWS", 2)
    monkeypatch.setattr("etltctl.local.services.airbyte.destination.COMMIT_S", 0.0)
    read = MongoSource.read

    def cut_off(self: Any, stream: Any) -> Iterator[Any]:
        for count, each in enumerate(read(self, stream)):
            if count == 5:
                raise OSError(5, "the process was killed")
            yield each

    with monkeypatch.context() as patched:
        patched.setattr(MongoSource, "read", cut_off)
        assert lake.sync()["status"] == "failed"
    assert lake.ids() == [0, 1]
    assert lake.synced() == 3
    assert lake.rows() == [(number, 1) for number in range(5)]


def test_files_of_full_syncs_are_replaced_when_the_first_incremental_sync_has_succeeded(
    lake: IncrementalLake, observations: Any
) -> None:
    lake.configure("full_refresh_overwrite")
    lake.sync()
    observations.delete_one({"_id": 0})
    lake.configure()
    assert lake.synced() == 4
    assert lake.rows() == [(number, 2) for number in range(1, 5)]


def test_a_full_sync_forgets_the_state_so_that_no_row_hides_behind_an_older_generation(
    lake: IncrementalLake, observations: Any
) -> None:
    lake.sync()
    lake.configure("full_refresh_overwrite")
    lake.sync()
    assert not lake.file.exists()
    lake.configure()
    observations.insert_one({"_id": 5})
    lake.sync()
    generations = {generation for _, generation in lake.rows()}
    assert (lake.ids(), len(generations)) == ([0, 1, 2, 3, 4, 5], 1)


def test_appended_full_syncs_add_all_of_it_each_time(lake: IncrementalLake) -> None:
    lake.configure("full_refresh_append")
    lake.sync()
    lake.sync()
    assert lake.ids() == sorted([0, 1, 2, 3, 4] * 2)


def test_the_seasons_that_are_over_are_not_read_again(server: Server) -> None:
    server.configure(
        {**api("api", "sample:", "races", "driver_standings"), "sync_mode": "incremental_append"}
    )
    assert server.sync("api")["rowsSynced"] == 9 + 9
    again = server.sync("api")
    assert (again["status"], again["rowsSynced"]) == ("succeeded", 9 + 1), (
        "all races, and the last round's standings"
    )
    kept = json.loads((server.state / "airbyte" / f"states-{server.ids['api']}.json").read_text())
    assert kept["streams"]["driver_standings"]["state"] == {
        "seasons": {"2099": {"is_over": False, "round": 9}}
    }
