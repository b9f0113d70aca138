"""Makes the source a connection describes; `sample:` means the samples that come with the package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from etltctl.local.airbyte.http_pages import HttpPages, is_loopback
from etltctl.local.airbyte.pacing import Pace, parse_rate
from etltctl.local.airbyte.records import FailureKind, Pause, Source, SyncError
from etltctl.local.airbyte.source_http import HttpSource
from etltctl.local.airbyte.source_mongodb import MongoSource
from etltctl.local.mongodb import MongoProcess, MongoStartError
from etltctl.local.samples import weather_documents, weather_fingerprint

SAMPLE = "sample:"
SAMPLE_API = "/sample/ergast/f1"
SAMPLE_DATABASE, SAMPLE_COLLECTION = "weather", "observations"
MARKERS = "etltctl_samples"  # the database that says which sample is loaded
LOAD_ROWS = 1_000
REQUESTS_PER_HOUR = 450  # the API allows 500


class Sources:
    """Makes sources, and keeps what they share: the sample database and the request budget of each host."""

    def __init__(self, storage: Path, base_url: Callable[[], str]) -> None:
        self._mongo = MongoProcess(storage)
        self._base_url = base_url
        self._paces: dict[tuple[str, str], Pace] = {}
        self._loading = threading.Lock()
        self.data_pack: Path | None = None

    def make(self, configuration: Mapping[str, Any], pause: Pause) -> Source:
        """The source of one sync. Raises SyncError if it cannot be set up."""
        if configuration["kind"] == "mongodb":
            return self._mongo_source(configuration, pause)
        return self._http_source(configuration, pause)

    def close(self) -> None:
        """Ends the sample database."""
        self._mongo.stop()

    def _http_source(self, configuration: Mapping[str, Any], pause: Pause) -> Source:
        is_sample = configuration["base_url"].startswith(SAMPLE)
        base_url = self._base_url() + SAMPLE_API if is_sample else configuration["base_url"]
        pages = HttpPages(f"{base_url.rstrip('/')}/", self._pace(configuration, base_url, is_sample), pause)
        return HttpSource(pages, configuration["seasons"], configuration.get("streams") or (), pause)

    def _pace(self, configuration: Mapping[str, Any], base_url: str, is_sample: bool) -> Pace:
        if is_sample:
            return Pace(None)
        rate = str(configuration.get("rate") or "")
        try:
            per_second = parse_rate(rate)
        except ValueError as error:
            raise SyncError(str(error), FailureKind.CONFIG) from error
        budget = None if is_loopback(base_url) else REQUESTS_PER_HOUR
        return self._paces.setdefault((base_url, rate), Pace(per_second, budget))

    def _mongo_source(self, configuration: Mapping[str, Any], pause: Pause) -> Source:
        uri = configuration["uri"]
        if uri.startswith(SAMPLE):
            uri = self._sample_uri(pause)
        return MongoSource(uri, configuration["database"], configuration["collections"], pause)

    def _sample_uri(self, pause: Pause) -> str:
        with self._loading:
            try:
                uri = self._mongo.uri()
                load_weather(uri, self.data_pack, pause)
            except (MongoStartError, PyMongoError, OSError) as error:
                raise SyncError(f"the sample database cannot be used: {error}", FailureKind.SYSTEM) from error
        return uri


def load_weather(uri: str, data_pack: Path | None, pause: Pause) -> None:
    """Loads the weather sample unless just this one is loaded; a load cut off half-way begins anew."""
    fingerprint = weather_fingerprint(data_pack)
    with pymongo.MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5_000) as client:
        markers = client[MARKERS]["loaded"]
        name = f"{SAMPLE_DATABASE}.{SAMPLE_COLLECTION}"
        if markers.find_one({"_id": name, "fingerprint": fingerprint}):
            return
        markers.delete_one({"_id": name})
        collection = client[SAMPLE_DATABASE][SAMPLE_COLLECTION]
        collection.drop()
        for documents in _chunks(weather_documents(data_pack)):
            pause(0)
            collection.insert_many(documents, ordered=False)
        markers.insert_one({"_id": name, "fingerprint": fingerprint})


def _chunks(documents: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(documents, LOAD_ROWS)):
        yield chunk
