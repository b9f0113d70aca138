"""Makes the source a connection describes; `sample:` means the samples that come with the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from etltctl.local.services.airbyte.connectors.connector import Connector, Workshop
from etltctl.local.services.airbyte.connectors.logs import ConnectorLog
from etltctl.local.services.airbyte.connectors.masks import Mask
from etltctl.local.services.airbyte.connectors.recipe import recipe_of
from etltctl.local.services.airbyte.connectors.source import ConnectorSource
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.pacing import Pace, parse_rate
from etltctl.local.services.airbyte.records import FailureKind, Pause, Source, States, SyncError
from etltctl.proxies import is_loopback
from etltctl.settings.files import project_file

SAMPLE = "sample:"
SAMPLE_API = "/sample/ergast/f1"
REQUESTS_PER_HOUR = 450  # the API allows 500
CDK = "requirements/cdk.txt"  # the environment of low-code connectors
QUIET_MINUTES = 30.0
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
        if missing := configuration.get("missing"):
            raise SyncError(missing, FailureKind.CONFIG)
        if configuration["kind"] == "mongodb":
            return self._mongo_source(configuration, pause, states)
        if configuration["kind"] == "airbyte":
            return self._connector_source(configuration, pause, states, name, note)
        return self._http_source(configuration, pause, states)

    def close(self) -> None:
        """End the sample database."""
        self._mongo.stop()

    def _mongo_source(self, configuration: Mapping[str, Any], pause: Pause, states: States) -> Source:
        is_sample = configuration["uri"].startswith(SAMPLE)
        # Before the imports, which take as long as the server's start.
        is_new = is_sample and self._mongo.begin()

        from etltctl.local.services.airbyte.sample_database import SampleSource
        from etltctl.local.services.airbyte.source_mongodb import MongoSource

        def read_from(uri: str) -> Source:
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
        mask = Mask(configuration.get("secrets", ()))
        log = ConnectorLog(self._workshop.log_file(name), name, mask, note)
        of_manifest = {} if configuration.get("package") else {"requirements": project_file(CDK)}
        recipe = recipe_of({**of_manifest, **configuration})
        quiet_s = float(configuration.get("quiet_minutes") or QUIET_MINUTES) * 60
        connector = Connector(recipe, configuration["config"], self._workshop, mask, log, pause, quiet_s)
        return ConnectorSource(
            connector,
            configuration["streams"],
            pause,
            namespace=str(configuration.get("namespace") or ""),
            incremental=frozenset(states),
            states=states,
        )

    def _http_source(self, configuration: Mapping[str, Any], pause: Pause, states: States) -> Source:
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
