"""Syncs that cannot succeed: each ends with a message that names the fields, the dates or the cause."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pymongo
import pytest
from bson import DatetimeMS

from etltctl.local.services.airbyte.jobs import Jobs
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.mongodb_values import to_json_value
from etltctl.local.services.airbyte.records import SyncError
from etltctl.local.services.airbyte.sample_database import SampleSource
from etltctl.local.services.s3.directory import S3Directory
from support.airbyte_server import Server, api, mongo

COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    process = MongoProcess(tmp_path_factory.mktemp("mongo") / "data")
    with pymongo.MongoClient[dict[str, Any]](process.uri()) as client:
        yield process.uri(), client["weather"]
    process.stop()


@pytest.fixture
def server(tmp_path: Path, database: tuple[str, Any]) -> Iterator[Server]:
    uri, weather = database
    weather.observations.drop()
    running = Server(tmp_path)
    running.start()
    running.configure(mongo("mongodb", uri), api("api", "sample:", "races"))
    running.sign_in()
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("document", "fields", "column"),
    [
        ({"a-b": 1, "a_b": 2}, ("'a-b'", "'a_b'"), "a_b"),
        ({"1h": 1, "_1h": 2}, ("'1h'", "'_1h'"), "_1h"),
        ({COMPOSED: 1, DECOMPOSED: 2}, (r"'\xe9'", r"'e\u0301'"), "e_"),
    ],
)
def test_two_fields_that_become_one_column_stop_the_sync_and_are_both_named(
    server: Server, database: tuple[str, Any], document: dict[str, int], fields: tuple[str, str], column: str
) -> None:
    database[1].observations.insert_one(document)
    failure = server.sync("mongodb")["etltctl_failure"]
    assert failure["kind"] == "config_error"
    assert failure["message"].startswith("weather.observations: the fields ")
    assert f"would both become the column {column};" in failure["message"]
    assert all(field in failure["message"] for field in fields)
    assert server.files() == []


def test_a_field_with_the_name_of_airbytes_own_column_stops_the_sync(
    server: Server, database: tuple[str, Any]
) -> None:
    database[1].observations.insert_one({"_airbyte_raw_id": "mine"})
    message = server.sync("mongodb")["etltctl_failure"]["message"]
    assert message.startswith("weather.observations: the field '_airbyte_raw_id' has the name")


def test_dates_of_any_year_stay_dates_with_at_least_four_digits(
    server: Server, database: tuple[str, Any]
) -> None:
    first, late = datetime(1, 1, 1, tzinfo=UTC), datetime(999, 5, 5, 1, 2, 3, 4000, tzinfo=UTC)
    database[1].observations.insert_many([{"_id": 1, "at": first}, {"_id": 2, "at": late}])
    assert server.sync("mongodb")["status"] == "succeeded"
    (file,) = server.files()
    table = pq.read_table(server.lake.path("bronze", file))
    assert table["at"].to_pylist() == ["0001-01-01T00:00:00.000Z", "0999-05-05T01:02:03.004Z"]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-62_135_596_800_001, "0000-12-31T23:59:59.999Z"),
        (-62_167_219_200_001, "-0001-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+10000-01-01T00:00:00.000Z"),
        (2**63 - 1, "+292278994-08-17T07:12:55.807Z"),
        (-(2**63), "-292275055-05-16T16:47:04.192Z"),
    ],
)
def test_dates_beyond_the_calendar_of_python_are_written_as_java_writes_them(
    milliseconds: int, text: str
) -> None:
    assert to_json_value({"at": DatetimeMS(milliseconds)}) == {"at": text}


def test_an_unforeseen_error_is_named_and_its_trace_is_logged_without_the_password(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a bug at mongodb://me:s3cret@host/")

    monkeypatch.setattr(S3Directory, "put_object", broken)
    message = server.sync("api")["etltctl_failure"]["message"]
    assert "unforeseen error, RuntimeError: a bug at mongodb://***@host/" in message
    assert "Traceback" in caplog.text
    assert "in broken" in caplog.text
    assert "s3cret" not in caplog.text


def test_an_unforeseen_error_of_a_call_is_named_and_its_trace_is_logged(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Jobs, "all", broken)
    response = server.http.get("/jobs")
    assert (response.status_code, response.json()["data"]["message"]) == (500, "RuntimeError: a bug")
    assert "in broken" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB, too small for the sample."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("this user cannot mount a file system of 6 MB")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_sample_database_on_a_full_disk_says_so(small_disk: Path) -> None:
    process = MongoProcess(small_disk / "mongodb")
    is_new = process.begin()

    def unreachable(uri: str) -> Any:
        raise AssertionError(f"the sample cannot be in {uri}")

    source = SampleSource(process, None, lambda _: None, unreachable, is_new=is_new)
    try:
        with pytest.raises(SyncError, match=rf"the disk of {small_disk}/mongodb is full \(\d\.\d MB free\)"):
            source.streams()
    finally:
        process.stop()
