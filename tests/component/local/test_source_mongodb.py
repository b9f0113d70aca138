"""MongoDB as a source: records and failures as Airbyte's own connector has them, over a real wire server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex

from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.mongodb_values import field_kinds, to_json_value
from etltctl.local.services.airbyte.records import FailureKind, SyncCancelledError, SyncError
from etltctl.local.services.airbyte.sample_database import load
from etltctl.local.services.airbyte.source_mongodb import MongoSource

NOON = datetime(2026, 1, 2, 12, 0, 0, 250_000, tzinfo=UTC)


def no_pause(seconds: float) -> None:
    """Do not pause and do not cancel."""


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoProcess]:
    process = MongoProcess(tmp_path_factory.mktemp("mongo") / "data")
    yield process
    process.stop()


@pytest.fixture
def database(mongo: MongoProcess) -> Iterator[Any]:
    with pymongo.MongoClient(mongo.uri()) as client:
        client.drop_database("weather")
        yield client["weather"]


def source(uri: str, *collections: str) -> MongoSource:
    return MongoSource(
        uri, "weather", collections or ("observations",), no_pause, clock=lambda: 1_767_323_045.0
    )


def read_all(uri: str) -> tuple[dict[str, str], list[Any]]:
    mongo_source = source(uri)
    try:
        (stream,) = mongo_source.streams()
        return {name: str(kind) for name, kind in stream.columns.items()}, list(mongo_source.read(stream))
    finally:
        mongo_source.close()


def test_columns_follow_the_top_level_types_and_every_numeric_type_is_a_number(
    mongo: MongoProcess, database: Any
) -> None:
    document = {
        "_id": ObjectId("6774858065746c7463000000"),
        "dt": 1,
        "big": Int64(2**40),
        "temp": 3.9,
        "price": Decimal128("1.25"),
        "at": NOON,
        "flag": True,
        "tags": [1, "a"],
        "main": {"temp": 3, "at": NOON},
        "gone": None,
    }
    database.observations.insert_one(document)
    columns, (record,) = read_all(mongo.uri())
    assert columns == {
        "_id": "string", "at": "string", "big": "number", "dt": "number", "flag": "string", "gone": "string",
        "main": "json", "price": "number", "tags": "json", "temp": "number",
        "_ab_cdc_updated_at": "string", "_ab_cdc_deleted_at": "string", "_ab_cdc_cursor": "integer",
    }  # fmt: skip
    assert record == {
        "_id": "6774858065746c7463000000", "at": "2026-01-02T12:00:00.250Z", "big": 2**40, "dt": 1, "flag": "true",
        "gone": None, "main": {"temp": 3, "at": "2026-01-02T12:00:00.250Z"}, "price": 1.25, "tags": [1, "a"],
        "temp": 3.9, "_ab_cdc_updated_at": "2026-01-02T03:04:05Z", "_ab_cdc_cursor": 176732304500000000,
    }  # fmt: skip


def test_the_stream_is_named_after_collection_and_database(mongo: MongoProcess, database: Any) -> None:
    database.observations.insert_one({})
    (stream,) = source(mongo.uri()).streams()
    assert (stream.namespace, stream.name) == ("weather", "observations")


def test_documents_are_read_in_the_order_of_their_ids(mongo: MongoProcess, database: Any) -> None:
    database.observations.insert_many([{"_id": number} for number in (5, 3, 9, 1)])
    _, documents = read_all(mongo.uri())
    assert [record["_id"] for record in documents] == [1, 3, 5, 9]


def test_key_order_inside_nested_documents_is_kept(mongo: MongoProcess, database: Any) -> None:
    database.observations.insert_one({"main": {"z": 1, "a": 2}})
    _, (record,) = read_all(mongo.uri())
    assert json.dumps(record["main"]) == '{"z": 1, "a": 2}'


def test_a_field_of_several_types_is_an_array_if_one_of_them_is_and_else_text() -> None:
    documents = [{"a": 1, "b": [1], "c": {"x": 1}}, {"a": "one", "b": 2, "c": "y"}]
    assert {name: str(kind) for name, kind in field_kinds(documents).items()} == {
        "a": "string",
        "b": "json",
        "c": "string",
    }


def test_a_value_among_arrays_is_wrapped(mongo: MongoProcess, database: Any) -> None:
    database.observations.insert_many([{"_id": 1, "tags": ["a"]}, {"_id": 2, "tags": "b"}])
    _, documents = read_all(mongo.uri())
    assert [record["tags"] for record in documents] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (Binary(b"\x00\xff"), "AP8="),
        (Regex("^a", "im"), "(im)^a"),
        ([ObjectId("6774858065746c7463000000")], ["6774858065746c7463000000"]),
        ({"d": Decimal128("0.5")}, {"d": 0.5}),
        (float("nan"), "nan"),
    ],
)
def test_bson_values_have_a_json_form(value: Any, seen: Any) -> None:
    assert to_json_value(value) == seen


def test_an_empty_collection_is_a_stream_without_records(mongo: MongoProcess, database: Any) -> None:
    database.create_collection("observations")
    columns, documents = read_all(mongo.uri())
    assert documents == []
    assert next(iter(columns)) == "_id"


def test_a_missing_collection_is_named_with_the_existing_ones(mongo: MongoProcess, database: Any) -> None:
    database.create_collection("observation")
    with pytest.raises(
        SyncError, match=r"weather has no collection observations; it has: observation$"
    ) as raised:
        source(mongo.uri()).streams()
    assert raised.value.kind is FailureKind.CONFIG


def test_a_missing_database_is_named_as_a_possible_cause(mongo: MongoProcess, database: Any) -> None:
    with pytest.raises(SyncError, match="is the name of the database right"):
        source(mongo.uri()).streams()


def test_ids_of_several_types_are_refused(mongo: MongoProcess, database: Any) -> None:
    database.observations.insert_many([{"_id": 1}, {"_id": "one"}])
    with pytest.raises(SyncError, match="_id values are of several types"):
        read_all(mongo.uri())


def test_an_unreachable_server_is_named_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.source_mongodb.SERVER_TIMEOUT_S", 0.2)
    with pytest.raises(SyncError, match=r"MongoDB at 127\.0\.0\.1:1 cannot be reached") as raised:
        source("mongodb://me:s3cret@127.0.0.1:1/").streams()
    assert raised.value.kind is FailureKind.TRANSIENT
    assert "s3cret" not in raised.value.message


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        (
            "127.0.0.1:1",
            "MongoDB at 127.0.0.1:1 cannot be reached: connection refused: nothing listens on this port",
        ),
        ("no.invalid:27017", "MongoDB at no.invalid:27017 cannot be reached: the name does not resolve"),
        ("no.invalid:1,127.0.0.1:1", "the name does not resolve (no.invalid:1)"),
    ],
)
def test_the_reason_for_an_unreachable_server_is_named(
    servers: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.source_mongodb.SERVER_TIMEOUT_S", 0.2)
    with pytest.raises(SyncError, match=re.escape(message)) as raised:
        source(f"mongodb://me:s3cret@{servers}/").streams()
    assert raised.value.kind is FailureKind.TRANSIENT
    assert "s3cret" not in raised.value.message


def test_a_silent_server_is_reported_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etltctl.local.services.airbyte.source_mongodb.SERVER_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SyncError, match="no answer within"):
            source(f"mongodb://{address}/").streams()


@pytest.mark.parametrize(
    "uri", ["mongodb://me:s3cret@host:port/", "http://me:s3cret@host/", "mongodb://a:s3:cret@h/"]
)
def test_an_invalid_address_is_refused_without_repeating_it(uri: str) -> None:
    with pytest.raises(SyncError, match="not usable") as raised:
        source(uri)
    assert "cret" not in raised.value.message


def test_wrong_credentials_are_a_configuration_error(mongo: MongoProcess) -> None:
    uri = re.sub("//.*@", "//me:s3cret@", mongo.uri())
    with pytest.raises(SyncError, match="refused the user name and password") as raised:
        source(uri).streams()
    assert raised.value.kind is FailureKind.CONFIG
    assert "s3cret" not in raised.value.message


def test_cancelling_stops_the_read(mongo: MongoProcess, database: Any) -> None:
    def cancelled(seconds: float) -> None:
        raise SyncCancelledError

    database.observations.insert_one({})
    mongo_source = MongoSource(mongo.uri(), "weather", ["observations"], cancelled)
    (stream,) = mongo_source.streams()
    with pytest.raises(SyncCancelledError):
        list(mongo_source.read(stream))


def test_a_sample_is_loaded_again_only_when_it_changed_or_was_cut_off(
    mongo: MongoProcess, database: Any
) -> None:
    uri = mongo.uri()
    load(uri, [{"_id": 1}, {"_id": 2}], "first", no_pause)
    load(uri, [{"_id": 9}], "first", no_pause)
    assert database.observations.count_documents({}) == 2
    load(uri, [{"_id": 3}], "second", no_pause)
    assert [each["_id"] for each in database.observations.find()] == [3]

    def cut_off() -> Iterator[dict[str, Any]]:
        yield from ({"_id": number} for number in range(1500))
        raise SyncCancelledError

    with pytest.raises(SyncCancelledError):
        load(uri, cut_off(), "third", no_pause)
    load(uri, [{"_id": 4}], "third", no_pause)
    assert [each["_id"] for each in database.observations.find()] == [4]


def test_the_data_outlive_the_process(tmp_path: Path) -> None:
    process = MongoProcess(tmp_path / "data")
    assert process.begin() is True
    with pymongo.MongoClient(process.uri()) as client:
        client["weather"]["observations"].insert_one({"_id": 1})
    process.stop()
    assert process.begin() is False
    with pymongo.MongoClient(process.uri()) as client:
        assert client["weather"]["observations"].find_one() == {"_id": 1}
    process.stop()
    assert process.pid() is None


def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from etltctl.local.services.airbyte.mongodb import MongoProcess;"
        "process = MongoProcess(Path(sys.argv[1])); process.uri(); print(process.pid(), flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and is_alive(child):
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_mongodb_server_is_never_imported_by_the_server_process() -> None:
    code = "import sys, etltctl.local.services.airbyte.sample_database; sys.exit('secantus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
