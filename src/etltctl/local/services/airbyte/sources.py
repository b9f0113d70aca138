"""Makes the source a connection describes; `sample:` means the samples that come with the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from etltctl.local.services.airbyte.connectors.connector import Connector, Workshop
from etltctl.local.services.airbyte.connectors.kept_configs import KeptConfigs
from etltctl.local.services.airbyte.connectors.logs import ConnectorLog
from etltctl.local.services.airbyte.connectors.masks import Mask
from etltctl.local.services.airbyte.connectors.recipe import recipe_of
from etltctl.local.services.airbyte.connectors.source import ConnectorSource
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.pacing import Pace, parse_rate
from etltctl.local.services.airbyte.records import (
    ALL_STREAMS,
    DiscoverableSource,
    FailureKind,
    Pause,
    Source,
    States,
    SyncError,
)
from etltctl.local.services.airbyte.source_streams import SourceStream
from etltctl.local.services.airbyte.streams import Discovered, mongodb_stream
from etltctl.proxies import is_loopback
from etltctl.settings.files import project_file

SAMPLE = "sample:"
SAMPLE_API = "/sample/ergast/f1"
REQUESTS_PER_HOUR = 450  # the API allows 500
CDK = "requirements/cdk.txt"  # the environment of low-code connectors
QUIET_MINUTES = 30.0
LONGEST_WAIT_S = 30.0  # of a discovery: a person waits for it
Note = Callable[[str], None]  # takes what a person who waits for a sync should see


def _ignore(_: str) -> None:
    """Do nothing."""


class Sources:
    """Makes sources, and keeps what they share: the sample database and the request budget of each API.

    The drivers are imported by the sync that needs them, not by the server's start.
    """

    def __init__(
        self, state: Path, base_url: Callable[[], str], sample_headers: Mapping[str, str] | None = None
    ) -> None:
        self._mongo = MongoProcess(state / "mongodb")
        self._workshop = Workshop(state / "airbyte" / "connectors", os.environ)
        self._workshop.clear()
        self._configs = KeptConfigs(state / "airbyte" / "connectors" / "configs")
        self._base_url = base_url
        self._sample_headers = sample_headers or {}
        self._paces: dict[tuple[str, str], Pace] = {}
        self.data_pack: Path | None = None

    def make(
        self,
        configuration: Mapping[str, Any],
        pause: Pause,
        states: States = MappingProxyType({}),
        name: str = "source",
        note: Note = _ignore,
    ) -> Source:
        """Return the source of one sync.

        Args:
            configuration: What is read.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            states: The states that the sync resumes from, by incremental stream.
            name: The name of the connection.
            note: Gets what a person who waits for the sync should see.

        Raises:
            SyncError: It cannot be set up.
        """
        _require_whole(configuration)
        if configuration["kind"] == "mongodb":
            return self._mongo_source(configuration, pause, states)
        if configuration["kind"] == "airbyte":
            return self._connector_source(configuration, pause, states, name, note)
        return self._http_source(configuration, pause, states)

    def discover(self, configuration: Mapping[str, Any], pause: Pause, name: str) -> list[SourceStream]:
        """Return every stream that a source has now, after its credentials have been tried.

        Args:
            configuration: What is read.
            pause: Sleeps, and raises SyncCancelledError as soon as the server ends.
            name: The name of the source.

        Raises:
            SyncError: The source cannot be reached, or its connector failed.
        """
        _require_whole(configuration)
        if configuration["kind"] == "airbyte":
            # The log of the last sync stays as it is.
            log = f"{name}-discover"
            connector = self._connector(configuration, pause, name, _ignore, log=log)
            with closing(connector):
                connector.prepare()
                connector.check()
                return [SourceStream.of_connector(each) for each in connector.discover()]
        if configuration["kind"] == "mongodb":
            of_database = mongodb_stream(configuration["database"])
            with closing(self._mongo_source(configuration, pause, {})) as mongodb:
                return [SourceStream.of_extractor(each, of_database) for each in mongodb.discover()]
        # The extractor reads every stream on from a season; the field of it is in some of them only.
        of_api = Discovered(is_incremental=True)
        with closing(self._http_source(configuration, _impatient(pause), {})) as api:
            return [SourceStream.of_extractor(each, of_api) for each in api.discover()]

    def close(self) -> None:
        """End the sample database."""
        self._mongo.stop()

    def _mongo_source(
        self, configuration: Mapping[str, Any], pause: Pause, states: States
    ) -> DiscoverableSource:
        is_sample = configuration["uri"].startswith(SAMPLE)
        # Before the imports, which take as long as the server's start.
        is_new = is_sample and self._mongo.begin()

        from etltctl.local.services.airbyte.sample_database import SampleSource
        from etltctl.local.services.airbyte.source_mongodb import MongoSource

        def read_from(uri: str) -> DiscoverableSource:
            return MongoSource(
                uri,
                configuration["database"],
                configuration["collections"],
                pause,
                states=states,
                cursors=configuration.get("cursors") or {},
            )

        if is_sample:
            return SampleSource(self._mongo, self.data_pack, pause, read_from, is_new=is_new)
        return read_from(configuration["uri"])

    def _connector_source(
        self, configuration: Mapping[str, Any], pause: Pause, states: States, name: str, note: Note
    ) -> Source:
        connector = self._connector(configuration, pause, name, note)
        return ConnectorSource(
            connector,
            configuration["streams"],
            pause,
            namespace=str(configuration.get("namespace") or ""),
            incremental=frozenset(states) - {ALL_STREAMS},
            states=states,
        )

    def _connector(
        self, configuration: Mapping[str, Any], pause: Pause, name: str, note: Note, *, log: str = ""
    ) -> Connector:
        mask = Mask(configuration.get("secrets", ()))
        of_manifest = {} if configuration.get("package") else {"requirements": project_file(CDK)}
        quiet_s = float(configuration.get("quiet_minutes") or QUIET_MINUTES) * 60
        return Connector(
            recipe_of({**of_manifest, **configuration}),
            self._configs.current(name, configuration),
            self._workshop,
            mask,
            ConnectorLog(self._workshop.log_file(log or name), log or name, mask, note),
            pause,
            quiet_s,
            partial(self._configs.keep, name, configuration),
        )

    def _http_source(
        self, configuration: Mapping[str, Any], pause: Pause, states: States
    ) -> DiscoverableSource:
        from etltctl.local.services.airbyte.http_pages import HttpPages, check_address
        from etltctl.local.services.airbyte.source_http import HttpSource

        base_url = configuration["base_url"]
        headers: Mapping[str, str] = {}
        if base_url.startswith(SAMPLE):
            base_url, pace, headers = self._base_url() + SAMPLE_API, Pace(None), self._sample_headers
        else:
            check_address(base_url)
            # An address of this machine is a mirror or a test, not the public API with its limit.
            budget = None if is_loopback(base_url) else REQUESTS_PER_HOUR
            pace = self._pace(base_url, str(configuration.get("rate") or ""), budget)
        pages = HttpPages(f"{base_url.rstrip('/')}/", pace, pause, headers)
        streams = configuration.get("streams") or ()
        return HttpSource(pages, configuration["seasons"], streams, pause, states)

    def _pace(self, base_url: str, rate: str, budget: int | None) -> Pace:
        """Return the same for every sync of the API: what one has used of the hour, the next cannot use again."""
        try:
            return self._paces.setdefault((base_url, rate), Pace(parse_rate(rate), budget))
        except ValueError as error:
            raise SyncError(str(error), FailureKind.CONFIG) from error


def _require_whole(configuration: Mapping[str, Any]) -> None:
    """Raise SyncError if the description lacks a secret or another part; it says which."""
    if missing := configuration.get("missing"):
        raise SyncError(missing, FailureKind.CONFIG)


def _impatient(pause: Pause) -> Pause:
    """Return a pause that ends in an error where a sync would wait for long."""

    def wait(seconds: float) -> None:
        if seconds > LONGEST_WAIT_S:
            raise SyncError(
                f"the API takes no request for another {seconds:.0f} s: its limit of requests is used up",
                FailureKind.TRANSIENT,
            )
        pause(seconds)

    return wait
