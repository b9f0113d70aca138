"""The embedded Airbyte as one service: configured by a stack's description, reached through the public API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.local.services.airbyte.api import PublicApi
from etltctl.local.services.airbyte.connections import Connection, parse_connection
from etltctl.local.services.airbyte.jobs import Job, Jobs, JobType
from etltctl.local.services.airbyte.records import Pause, Source, States
from etltctl.local.services.airbyte.resource_calls import ResourceCalls
from etltctl.local.services.airbyte.resources import MadeResources
from etltctl.local.services.airbyte.source_streams import SourceStream
from etltctl.local.services.airbyte.sources import Sources
from etltctl.local.services.airbyte.states import StreamStates
from etltctl.local.services.airbyte.syncing import Cancellation, Syncs
from etltctl.local.services.airbyte.tokens import Tokens, keep_credentials

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from etltctl.local.services.s3.directory import S3Directory


class AirbyteService:
    """Airbyte's public API over syncs that really extract and really write to the directory lake.

    `base_url` gives the server's own address, where the samples are replayed.
    """

    def __init__(
        self,
        state: Path,
        directory: S3Directory,
        base_url: Callable[[], str],
        clock: Callable[[], float] = time.time,
        sample_headers: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock
        self._connections: dict[str, Connection] = {}
        self._credentials = keep_credentials(state / "airbyte" / "credentials.json")
        self._jobs = Jobs(state / "airbyte" / "jobs.json", clock)
        self._sources = Sources(state, base_url, sample_headers)
        self._notes: dict[str, str] = {}
        self._syncs = Syncs(self._jobs, StreamStates(state / "airbyte"), directory, self._make_source)
        made_resources = MadeResources(state / "airbyte" / "resources.json", clock)
        self._ending = Cancellation()
        resources = ResourceCalls(made_resources, self._connections, self._discover)
        self._api = PublicApi(Tokens(self._credentials, clock), self._jobs, self, resources, clock)

    @property
    def client_id(self) -> str:
        """The application's id, the same for the life of the state folder."""
        return self._credentials.client_id

    @property
    def client_secret(self) -> str:
        """The application's secret."""
        return self._credentials.client_secret

    @property
    def data_pack(self) -> Path | None:
        """The data pack the samples come from, if one was configured."""
        return self._sources.data_pack

    def configure(self, connections: Sequence[Mapping[str, Any]], data_pack: str | None) -> dict[str, str]:
        """Make exactly these connections exist, next to those made over the API; return name → id. Jobs stay listed.

        Raises ValueError if a description is incomplete.
        """
        parsed = [parse_connection(described, self._clock()) for described in connections]
        self._sources.data_pack = Path(data_pack) if data_pack else None
        # Changed in place, because the calls of the API hold this very mapping.
        self._connections.update({connection.id: connection for connection in parsed})
        for stale in self._connections.keys() - {connection.id for connection in parsed}:
            del self._connections[stale]
        return {connection.name: connection.id for connection in parsed}

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Return the public API; PATH_INFO comes without the API's base."""
        return self._api(environ, start_response)

    def start(self, connection: Connection, job_type: JobType = JobType.SYNC) -> Job:
        """Start a job; raise AlreadyRunningError."""
        return self._syncs.start(connection, job_type)

    def cancel(self, connection_id: str) -> None:
        """Stop the connection's sync and return when it has stopped."""
        self._syncs.cancel(connection_id)

    def note_of(self, connection_id: str) -> str:
        """Return what the connection's sync says of its progress."""
        return self._notes.get(connection_id, "")

    def close(self) -> None:
        """Cancel what runs and end the sample database."""
        self._ending.cancel()
        # First: the threads of syncs read from the database and write their end into the jobs.
        self._syncs.close()
        self._sources.close()
        self._jobs.flush()

    def _discover(self, configuration: Mapping[str, Any], name: str) -> Sequence[SourceStream]:
        return self._sources.discover(configuration, self._ending.pause, name)

    def _make_source(self, connection: Connection, pause: Pause, states: States) -> Source:
        def note(text: str) -> None:
            self._notes[connection.id] = text

        self._notes.pop(connection.id, None)
        return self._sources.make(connection.source, pause, states, connection.name, note)
