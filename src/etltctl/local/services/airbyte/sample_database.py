"""The weather sample in a MongoDB of this machine: started when a sync first wants it, loaded once per sample."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from etltctl.local.samples import weather_documents, weather_fingerprint
from etltctl.local.services.airbyte.mongodb import MongoProcess, MongoStartError
from etltctl.local.services.airbyte.records import (
    Checkpoint,
    DiscoverableSource,
    FailureKind,
    Pause,
    Record,
    Stream,
    SyncError,
    describe,
)

DATABASE, COLLECTION = "weather", "observations"
MARKERS = "etltctl_samples"  # the database that says which sample is loaded
LOAD_ROWS = 1_000
SOCKET_TIMEOUT_MS = 60_000  # one batch takes a second; a server that hangs must not hold the sync for ever

# One for the process: two syncs that start together must not load one collection at once.
_loading = threading.Lock()


class SampleSource:
    """The source that reads the sample; `read_from` makes the source of an address.

    The server starts while a sync does its first work. For a new one the documents are made meanwhile.
    """

    def __init__(
        self,
        mongo: MongoProcess,
        data_pack: Path | None,
        pause: Pause,
        read_from: Callable[[str], DiscoverableSource],
        *,
        is_new: bool,
    ) -> None:
        self._mongo = mongo
        self._data_pack = data_pack
        self._pause = pause
        self._read_from = read_from
        self._is_new = is_new
        self._source: DiscoverableSource | None = None

    def streams(self) -> Sequence[Stream]:
        """Return the sample's streams; loads it before. Raises SyncError if that fails."""
        return self._ready().streams()

    def discover(self) -> Sequence[Stream]:
        """Return a stream for each collection of the sample; loads it before. Raises SyncError if that fails."""
        return self._ready().discover()

    def read(self, stream: Stream) -> Iterator[Record | Checkpoint]:
        """Yield the sample's records and checkpoints."""
        return self._ready().read(stream)

    def close(self) -> None:
        """Close the connections; the server goes on."""
        if self._source is not None:
            self._source.close()

    def _ready(self) -> DiscoverableSource:
        if self._source is None:
            try:
                with _loading:
                    self._source = self._read_from(self._prepare())
            except (MongoStartError, PyMongoError, OSError) as error:
                message = (
                    f"the sample database cannot be used: {_without_details(error)}; {self._mongo.trouble()}"
                )
                raise SyncError(message, FailureKind.SYSTEM) from error
        return self._source

    def _prepare(self) -> str:
        documents: Iterable[dict[str, Any]] = weather_documents(self._data_pack)
        if self._is_new:
            # Made while the new server starts. With data there, the marker may say that none is needed.
            documents = list(documents)
        uri = self._mongo.uri()
        load(uri, documents, weather_fingerprint(self._data_pack), self._pause)
        return uri


def load(uri: str, documents: Iterable[dict[str, Any]], fingerprint: str, pause: Pause) -> None:
    """Load the documents unless just these are loaded; a load that was cut off starts again."""
    with pymongo.MongoClient[dict[str, Any]](
        uri, serverSelectionTimeoutMS=5_000, socketTimeoutMS=SOCKET_TIMEOUT_MS
    ) as client:
        markers = client[MARKERS]["loaded"]
        name = f"{DATABASE}.{COLLECTION}"
        if markers.find_one({"_id": name, "fingerprint": fingerprint}):
            return
        # Before the collection goes: a load that is cut off must not leave the marker of a whole one.
        markers.delete_one({"_id": name})
        collection = client[DATABASE][COLLECTION]
        collection.drop()
        for chunk in _chunks(iter(documents)):
            pause(0)
            collection.insert_many(chunk, ordered=False)
        markers.insert_one({"_id": name, "fingerprint": fingerprint})


def _chunks(documents: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(documents, LOAD_ROWS)):
        yield chunk


def _without_details(error: BaseException) -> str:
    """Return the error without the whole answer, which the driver appends."""
    return describe(error).partition(", full error:")[0]
