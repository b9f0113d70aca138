"""Incremental reads of MongoDB by a cursor field: what is new, nothing lost, and every trouble named with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pymongo
import pytest
from bson import Int64, ObjectId

from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.records import Checkpoint, FailureKind, SyncError
from etltctl.local.services.airbyte.source_mongodb import MongoSource

State = dict[str, Any]


def no_pause(seconds: float) -> None:
    """Do not pause and do not cancel."""


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoProcess]:
    process = MongoProcess(tmp_path_factory.mktemp("mongo") / "data")
    yield process
    process.stop()


@pytest.fixture
def place(mongo: MongoProcess) -> Iterator[Place]:
    with pymongo.MongoClient[dict[str, Any]](mongo.uri()) as client:
        client.drop_database("weather")
        yield Place(mongo.uri(), client["weather"]["observations"])


class Place:
    """A collection, and incremental reads of it."""

    def __init__(self, uri: str, collection: Any) -> None:
        self.uri = uri
        self.collection = collection

    def read(
        self, state: State, cursor: str = "dt", stop_after: int | None = None
    ) -> tuple[list[Any], State]:
        """Return the `_id`s that are read and the newest state, which went through JSON as a kept one does."""
        source = MongoSource(
            self.uri, "weather", ["observations"], no_pause,
            states={"observations": state}, cursors={"observations": cursor},
        )  # fmt: skip
        ids: list[Any] = []
        try:
            for each in source.read(source.streams()[0]):
                if isinstance(each, Checkpoint):
                    state = json.loads(json.dumps(each.state))
                elif stop_after is not None and len(ids) == stop_after:
                    break
                else:
                    ids.append(each["_id"])
        finally:
            source.close()
        return ids, state

    def refused(self, state: State, cursor: str = "dt") -> str:
        with pytest.raises(SyncError) as raised:
            self.read(state, cursor)
        assert raised.value.kind is FailureKind.CONFIG
        assert raised.value.message.startswith("weather.observations: ")
        return raised.value.message


def test_the_first_sync_reads_all_and_the_next_only_what_is_new(place: Place) -> None:
    place.collection.insert_many([{"_id": number, "dt": number * 10} for number in range(5)])
    ids, state = place.read({})
    assert ids == [0, 1, 2, 3, 4]
    place.collection.insert_many([{"_id": 5, "dt": 50}, {"_id": 6, "dt": 60}])
    ids, state = place.read(state)
    assert ids == [4, 5, 6], "those with the last value come again: more of them may have arrived"
    assert place.read(state)[0] == [6]


def test_by_id_a_sync_without_new_documents_reads_none(place: Place) -> None:
    place.collection.insert_many([{"_id": number} for number in range(5)])
    ids, state = place.read({}, "_id")
    assert ids == [0, 1, 2, 3, 4]
    assert place.read(state, "_id") == ([], state)
    place.collection.insert_one({"_id": 9})
    assert place.read(state, "_id")[0] == [9]


def test_a_document_with_the_same_value_that_arrives_later_is_read(place: Place) -> None:
    place.collection.insert_many([{"_id": 1, "dt": 10}, {"_id": 2, "dt": 20}])
    _, state = place.read({})
    place.collection.insert_one({"_id": 0, "dt": 20})
    assert sorted(place.read(state)[0]) == [0, 2]


@pytest.mark.parametrize("cursor", ["dt", "_id"])
def test_a_document_that_arrives_behind_the_cursor_makes_the_sync_read_all(place: Place, cursor: str) -> None:
    place.collection.insert_many([{"_id": number, "dt": number} for number in (1, 3, 5)])
    _, state = place.read({}, cursor)
    place.collection.insert_one({"_id": 2, "dt": 2})
    ids, state = place.read(state, cursor)
    assert ids == [1, 2, 3, 5]
    assert place.read(state, cursor)[0] == ([5] if cursor == "dt" else [])


def test_a_document_that_arrives_late_during_a_sync_is_read_by_the_next(place: Place) -> None:
    place.collection.insert_many([{"_id": number, "dt": number} for number in range(1, 9)])
    source = MongoSource(
        place.uri, "weather", ["observations"], no_pause,
        states={"observations": {}}, cursors={"observations": "dt"},
    )  # fmt: skip
    state: State = {}
    for count, each in enumerate(source.read(source.streams()[0])):
        if count == 4:
            place.collection.insert_one({"_id": 0, "dt": 0})
        if isinstance(each, Checkpoint):
            state = dict(each.state)
    source.close()
    assert 0 in place.read(state)[0]


def test_deleted_documents_hide_no_late_one_of_a_later_sync(place: Place) -> None:
    place.collection.insert_many([{"_id": number, "dt": number} for number in range(1, 9)])
    _, state = place.read({})
    place.collection.delete_many({"_id": {"$in": [1, 2]}})
    ids, state = place.read(state)
    assert ids == [8]
    place.collection.insert_one({"_id": 0, "dt": 0})
    assert 0 in place.read(state)[0]


def test_a_cursor_that_goes_backwards_loses_nothing(place: Place) -> None:
    place.collection.insert_many([{"_id": number, "dt": number} for number in (1, 2, 90)])
    _, state = place.read({})
    place.collection.delete_one({"_id": 90})
    ids, state = place.read(state)
    assert ids == []
    place.collection.insert_one({"_id": 3, "dt": 3})
    assert 3 in place.read(state)[0]


def test_a_collection_that_was_made_again_is_read_from_its_beginning(place: Place) -> None:
    place.collection.insert_many([{"_id": number, "dt": number} for number in range(5)])
    _, state = place.read({})
    place.collection.drop()
    place.collection.insert_many([{"_id": number, "dt": number} for number in (1, 2)])
    assert place.read(state)[0] == [1, 2]


def test_a_read_that_is_cut_off_resumes_from_its_last_checkpoint(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.mongodb_cursor.CHECKPOINT_ROWS", 3)
    place.collection.insert_many([{"_id": number, "dt": number // 2} for number in range(10)])
    first, state = place.read({}, stop_after=7)
    assert first == [0, 1, 2, 3, 4, 5, 6]
    rest, _ = place.read(state)
    assert rest == [4, 5, 6, 7, 8, 9], "from the value of the last checkpoint on, after its 6th document"


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ([1, 2.5, Int64(2**40)], 2**41),
        (["a", "b"], "c"),
        (
            [datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)],
            datetime(2020, 1, 3, tzinfo=UTC),
        ),
        ([ObjectId("6774858065746c7463000000")], ObjectId("6774858065746c7463000001")),
    ],
)
def test_a_cursor_keeps_its_type_in_the_state(place: Place, values: list[Any], more: Any) -> None:
    place.collection.insert_many([{"_id": number, "at": value} for number, value in enumerate(values)])
    ids, state = place.read({}, "at")
    assert len(ids) == len(values)
    place.collection.insert_one({"_id": 99, "at": more})
    assert place.read(state, "at")[0] == [len(values) - 1, 99]


def test_an_empty_collection_has_no_state_and_a_later_document_is_read(place: Place) -> None:
    place.collection.database.create_collection("observations")
    assert place.read({}) == ([], {})
    place.collection.insert_one({"_id": 1, "dt": 1})
    assert place.read({})[0] == [1]


@pytest.mark.parametrize("odd", [{}, {"dt": None}])
def test_documents_without_a_value_of_the_cursor_are_counted_and_one_is_named(
    place: Place, odd: State
) -> None:
    place.collection.insert_many([{"_id": 1, "dt": 1}, {"_id": 7, **odd}, {"_id": 8, **odd}])
    message = place.refused({})
    assert "documents without a value in the cursor field dt: 2, such as the one with _id 7" in message
    assert "choose a cursor that all have, such as _id" in message


def test_a_document_without_a_value_that_arrives_later_is_named_too(place: Place) -> None:
    place.collection.insert_one({"_id": 1, "dt": 1})
    _, state = place.read({})
    place.collection.insert_one({"_id": 7})
    assert "documents without a value in the cursor field dt: 1, such as the one with _id 7" in place.refused(
        state
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, "two"], "holds numbers, and str in the document with _id 1"),
        ([1, datetime(2020, 1, 1, tzinfo=UTC)], "holds numbers, and datetime in the document with _id 1"),
        ([1, [2], 3], "holds numbers, and list in the document with _id 1"),
        ([True], "of the document with _id 0 holds bool True; only numbers, texts, dates and ObjectIds"),
        ([float("nan"), 1], "of the document with _id 0 holds float nan"),
        ([{"a": 1}], "holds dict {'a': 1}"),
    ],
)
def test_values_that_cannot_be_compared_are_named(place: Place, values: list[Any], words: str) -> None:
    place.collection.insert_many([{"_id": number, "dt": value} for number, value in enumerate(values)])
    assert words in place.refused({})


def test_a_type_that_changed_since_the_last_sync_is_named(place: Place) -> None:
    place.collection.insert_one({"_id": 1, "dt": 1})
    _, state = place.read({})
    place.collection.update_one({"_id": 1}, {"$set": {"dt": "one"}})
    assert "the cursor field dt held numbers and holds texts now. A clear" in place.refused(state)


def test_a_state_of_another_cursor_is_refused(place: Place) -> None:
    place.collection.insert_one({"_id": 1, "dt": 1})
    _, state = place.read({})
    assert "its state is of the cursor dt, not of _id. A clear" in place.refused(state, "_id")


@pytest.mark.parametrize("state", [{"cursor": "{"}, {"cursor_field": "dt"}, {"seasons": {}}])
def test_a_state_that_is_not_one_of_mongodb_is_refused(place: Place, state: State) -> None:
    place.collection.insert_one({"_id": 1, "dt": 1})
    assert "its state cannot be read" in place.refused(state)
