"""Random histories of inserts, ties, late documents and killed syncs: bronze holds every document of the source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pymongo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etltctl.local.services.airbyte.connections import parse_connection
from etltctl.local.services.airbyte.extraction import Extraction
from etltctl.local.services.airbyte.jobs import Jobs, Status
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.records import Pause, States
from etltctl.local.services.airbyte.source_mongodb import MongoSource
from etltctl.local.services.airbyte.states import StreamStates
from etltctl.local.services.s3.directory import S3Directory
from support.airbyte_server import mongo

AIRBYTE = "etltctl.local.services.airbyte"
INSERT, SYNC, KILL, KILL_BEFORE_STATE = "insert", "sync", "kill", "kill before the state is kept"
# The value of the cursor of each new document, so that most histories have ties and late ones.
INSERTS = st.tuples(st.just(INSERT), st.lists(st.integers(0, 12), min_size=1, max_size=6))
STEPS = st.one_of(
    INSERTS,
    INSERTS,
    st.tuples(st.just(SYNC), st.just([])),
    st.tuples(st.just(KILL), st.lists(st.integers(0, 12), min_size=1, max_size=1)),
    st.tuples(st.just(KILL_BEFORE_STATE), st.lists(st.integers(0, 4), min_size=1, max_size=1)),
)


class KilledError(BaseException):
    """The process was killed: no handler of an error runs."""


class History:
    """A collection, and a lake that syncs it."""

    def __init__(self, folder: Path, uri: str, collection: Any, cursor: str) -> None:
        clock = itertools.count(1_767_323_045)
        self.collection = collection
        self.cursor = cursor
        self.folder = folder
        self.lake = S3Directory(folder / "s3", folder / "s3-meta")
        self.lake.create_bucket("bronze")
        self.jobs = Jobs(folder / "jobs.json", lambda: float(next(clock)))
        described = {**mongo("mongodb", uri), "sync_mode": "incremental_append"}
        self.connection = parse_connection(described, 0.0)
        self.ids = itertools.count()

    def insert(self, values: list[int]) -> None:
        for value in values:
            identifier = next(self.ids)
            # An id that grows for a cursor `dt`, and one in no order for the cursor `_id`.
            identity = identifier if self.cursor == "dt" else value * 1000 + identifier
            self.collection.insert_one({"_id": identity, "dt": value})

    def sync(self, *, kill_at: int | None = None, kill_at_state: int | None = None) -> None:
        """Sync; a killed sync leaves what it left. States are read from the disk each time, as after a kill."""
        states = DyingStates(self.folder, kill_at_state)
        job = self.jobs.create(self.connection.id)

        def make(connection: Any, pause: Pause, kept: States) -> Any:
            cursors = {"observations": self.cursor}
            source = connection.source
            reader = MongoSource(
                source["uri"], "weather", ["observations"], pause, states=kept, cursors=cursors
            )
            if kill_at is not None:
                reader.read = dying(reader.read, kill_at)  # type: ignore[method-assign]
            return reader

        try:
            Extraction(job, self.connection, self.jobs, states, self.lake).sync(make, lambda seconds: None)
        except KilledError:
            pass
        finally:
            self.jobs.end(job.id, Status.SUCCEEDED)

    def bronze(self) -> set[tuple[int, int]]:
        """Return the documents of the newest generation, which is what the jobs read."""
        rows = [
            row
            for each in self.lake.list_objects("bronze")
            for row in pq.ParquetFile(self.lake.path("bronze", each.key)).read().to_pylist()
        ]
        newest = max((row["_airbyte_generation_id"] for row in rows), default=0)
        kept = [row for row in rows if row["_airbyte_generation_id"] == newest]
        return {(int(row["_id"]), int(row["dt"])) for row in kept}

    def documents(self) -> set[tuple[int, int]]:
        return {(each["_id"], each["dt"]) for each in self.collection.find()}


class DyingStates(StreamStates):
    """States whose process is killed when it is about to keep one."""

    def __init__(self, folder: Path, kill_at: int | None) -> None:
        super().__init__(folder)
        self._left = kill_at

    def keep(self, *args: Any) -> None:
        if self._left == 0:
            raise KilledError
        if self._left is not None:
            self._left -= 1
        super().keep(*args)


def dying(read: Any, kill_at: int) -> Any:
    def cut_off(stream: Any) -> Iterator[Any]:
        for count, each in enumerate(read(stream)):
            if count == kill_at:
                raise KilledError
            yield each

    return cut_off


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process = MongoProcess(tmp_path_factory.mktemp("mongo") / "data")
    yield process.uri()
    process.stop()


@pytest.mark.parametrize("cursor", ["dt", "_id"])
@given(steps=st.lists(STEPS, min_size=2, max_size=12))
@settings(max_examples=20, deadline=None)
def test_whatever_happened_the_next_good_sync_leaves_every_document_in_bronze(
    uri: str, cursor: str, steps: list[tuple[str, list[int]]]
) -> None:
    with (
        pymongo.MongoClient[dict[str, Any]](uri) as client,
        TemporaryDirectory() as folder,
        patch(f"{AIRBYTE}.mongodb_cursor.CHECKPOINT_ROWS", 2),
        patch(f"{AIRBYTE}.destination.COMMIT_S", 0.0),
    ):
        client.drop_database("weather")
        client["weather"].create_collection("observations")
        history = History(Path(folder), uri, client["weather"]["observations"], cursor)
        for step, values in [*steps, (SYNC, [])]:
            if step == INSERT:
                history.insert(values)
            elif step == KILL:
                history.sync(kill_at=values[0])
            elif step == KILL_BEFORE_STATE:
                history.sync(kill_at_state=values[0])
            else:
                history.sync()
                assert history.bronze() == history.documents()
