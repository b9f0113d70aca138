"""A real connector as a source of syncs: one `read` for all streams, handed to the destination stream by stream."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from etltctl.local.services.airbyte.connectors.column_types import columns_of
from etltctl.local.services.airbyte.connectors.connector import Connector, ended
from etltctl.local.services.airbyte.connectors.process import ConnectorProcess
from etltctl.local.services.airbyte.connectors.protocol import (
    COMPLETE,
    INCOMPLETE,
    NEVER,
    READS_INCREMENTALLY,
    ErrorTrace,
    Message,
    RecordMessage,
    StateMessage,
    StreamKey,
    StreamStatus,
    configured_catalog,
    key_of,
    state_file,
)
from etltctl.local.services.airbyte.connectors.spool import Spool
from etltctl.local.services.airbyte.records import (
    ALL_STREAMS,
    Checkpoint,
    FailureKind,
    Pause,
    Stream,
    SyncError,
)

EVERY: StreamKey = ("", "")  # in place of a stream: a message about all of them


class ConnectorSource:
    """Some streams of a connector."""

    def __init__(
        self,
        connector: Connector,
        names: Sequence[str],
        pause: Pause,
        *,
        namespace: str = "",
        incremental: frozenset[str] = frozenset(),
        states: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Make the source; nothing is started yet.

        Args:
            connector: The connector with its configuration.
            names: The names of the streams to read. Those that are incremental are read last.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            namespace: The namespace that the settings name for the streams. Bronze is read from its folder.
            incremental: The streams that are read from their state on. Only these yield checkpoints.
            states: The state that each stream is read from, by the stream's name; or that of all of them.
        """
        self._connector = connector
        # A state of all streams is passed on with the last of those that it covers.
        self._names = sorted(names, key=incremental.__contains__)
        self._pause = pause
        self._namespace = namespace
        self._incremental = incremental
        self._states = {
            name: state
            for name, state in (states or {}).items()
            if name in {*incremental, ALL_STREAMS} and state
        }
        self._has_global = ALL_STREAMS in self._states
        self._failure: SyncError | None = None
        self._catalog: list[Mapping[str, Any]] = []
        self._spool = Spool(connector.folder)
        self._open = ExitStack()
        self._process: ConnectorProcess | None = None
        self._lines: Iterator[bytes] = iter(())
        self._left: list[StreamKey] = []
        self._read: set[StreamKey] = set()
        self._statuses: dict[StreamKey, str] = {}
        self._error: ErrorTrace | None = None
        self._reading = ""

    def streams(self) -> Sequence[Stream]:
        """Return the streams with the columns that the connector describes.

        Raises:
            SyncError: The connector cannot be installed or does not accept its configuration, or has no such stream.
        """
        self._connector.prepare()
        self._connector.check()
        described = {stream["name"]: stream for stream in self._connector.discover()}
        self._catalog = [self._described(name, described) for name in self._names]
        self._left = [key_of(stream) for stream in self._catalog]
        return [
            Stream(name, columns_of(stream.get("json_schema") or {}), namespace)
            for stream, (name, namespace) in zip(self._catalog, self._left, strict=True)
        ]

    def read(self, stream: Stream) -> Iterator[Any]:
        """Yield the stream's records, and a Checkpoint for each of its states if it is incremental.

        A state of all streams comes with the last incremental one: by then the records of the others are written. If
        the connector fails before, its error waits until the records that its last state covers are written, too.

        Raises:
            SyncError: The connector failed, hangs, or ended before the stream was whole. The message names the stream.
        """
        try:
            yield from self._records(stream)
        except SyncError as error:
            is_before_state = stream.name in self._incremental and stream.name != self._names[-1]
            if not (self._has_global and is_before_state):
                raise
            self._failure = error

    def _records(self, stream: Stream) -> Iterator[Any]:
        if self._failure is not None and stream.name not in self._incremental:
            raise self._failure
        if self._process is None:
            self._start()
        key, count = (stream.name, stream.namespace), 0
        self._reading = stream.name
        self._connector.log.report(f"reading {stream.name}")
        self._left.remove(key)
        self._read.add(key)
        for line in self._spool.take(key):
            message = self._connector.understood(line)
            count += isinstance(message, RecordMessage)
            yield from self._yielded(message)
        if self._failure is not None:
            raise self._failure
        if not self._is_done(key):
            yield from self._coming(key, count)

    def _coming(self, key: StreamKey, count: int) -> Iterator[Any]:
        """Yield what the running connector says of the stream from now on; `count` records came before."""
        try:
            for line in self._lines:
                message = self._connector.understood(line)
                if _stream_of(message) in (key, EVERY):
                    count += isinstance(message, RecordMessage)
                    yield from self._yielded(message)
                self._note(message, key, line)
                if self._is_done(key):
                    return
                # The reason of an incomplete stream may come before or after the word that it is incomplete.
                if self._error is not None and INCOMPLETE in self._statuses.values():
                    self._require_whole(key, count)
        except SyncError as error:
            raise self._named(error, count) from error
        self._require_whole(key, count)

    def close(self) -> None:
        """End the process and delete what belongs to this sync."""
        self._open.close()
        self._spool.close()
        self._connector.close()

    def _is_done(self, key: StreamKey) -> bool:
        """Return whether the next stream can be read. The last one goes on to the process's end, which may be bad."""
        return self._statuses.get(key) == COMPLETE and bool(self._left)

    def _start(self) -> None:
        for name in self._incremental:
            modes = (
                next(each for each in self._catalog if each["name"] == name).get("supported_sync_modes") or ()
            )
            if READS_INCREMENTALLY not in modes:
                raise SyncError(
                    f"stream {name}: the connector cannot read it incrementally; it offers {', '.join(modes)}",
                    FailureKind.CONFIG,
                )
        catalog = configured_catalog(self._catalog, self._incremental)
        states = state_file(self._states, dict(self._left))
        self._process = self._open.enter_context(self._connector.reading(catalog, states))
        self._lines = self._process.lines()

    def _described(self, name: str, described: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        if name not in described:
            near = difflib.get_close_matches(name, described, n=1)
            known = ", ".join(sorted(described)) or "none at all"
            guess = f"did you mean {near[0]}?" if near else f"it has: {known}"
            raise SyncError(f"the connector has no stream {name}; {guess}", FailureKind.CONFIG)
        stream = described[name]
        namespace = str(stream.get("namespace") or "")
        # The files lie in a folder of the namespace, and bronze is read from where the settings say.
        if namespace != self._namespace:
            raise SyncError(
                f'stream {name} has the namespace "{namespace}", and the settings name "{self._namespace}"; '
                f'set namespace = "{namespace}" for the source',
                FailureKind.CONFIG,
            )
        return stream

    def _yielded(self, message: Message) -> Iterator[Any]:
        if isinstance(message, RecordMessage):
            if message.record.emitted_at == NEVER:
                message.record.emitted_at = int(time.time() * 1000)
            yield message.record
        elif isinstance(message, StateMessage) and self._reading in self._incremental:
            if message.is_global and self._reading == self._names[-1]:
                yield Checkpoint(message.state, is_global=True)
            elif message.stream is not None:
                yield Checkpoint(message.state)

    def _note(self, message: Message, reading: StreamKey, line: bytes) -> None:
        """Remember what the message says of the sync as a whole, or of a stream whose turn has not come."""
        if isinstance(message, StreamStatus):
            self._statuses[message.stream] = message.status
        elif isinstance(message, ErrorTrace):
            self._error = self._error or message
        elif isinstance(message, StateMessage) and message.is_global:
            self._wait_for_last(line)
        elif isinstance(message, StateMessage) and message.stream is None and self._incremental:
            raise self._connector.failure(
                "the connector keeps its state in the protocol's old form, which the embedded Airbyte does not model",
                FailureKind.CONFIG,
            )
        else:
            self._keep(message, reading, line)

    def _wait_for_last(self, line: bytes) -> None:
        """Keep the line of a state of all streams at its place among the records of the last incremental stream."""
        if not self._incremental:
            return
        self._has_global = True
        last = self._left[-1] if self._left else None
        if last is not None:
            self._spool.add(last, line)

    def _keep(self, message: Message, reading: StreamKey, line: bytes) -> None:
        of = _stream_of(message)
        if of is None or of == reading:
            return
        if of in self._left:
            self._spool.add(of, line)
        elif of in self._read and isinstance(message, RecordMessage):
            raise self._connector.failure(
                f"stream {of[0]}: a record came after the connector had said that it was complete",
                FailureKind.SYSTEM,
            )

    def _require_whole(self, key: StreamKey, count: int) -> None:
        """Raise SyncError unless the process ended well, and each stream that it spoke of is whole."""
        assert self._process is not None
        broken = next((each for each, status in self._statuses.items() if status == INCOMPLETE), None)
        code = 0 if broken else self._process.wait()
        if self._error is None and code == 0 and self._statuses.get(key, COMPLETE) == COMPLETE and not broken:
            return
        name = ((self._error and self._error.stream) or broken or key)[0]
        place = f"stream {name}" + (f", after {count:,} records" if name == key[0] else "")
        if self._error is not None:
            raise self._connector.failure(f"{place}: {self._error.text}", self._error.kind)
        if code != 0:
            raise self._connector.failure(
                f"{place}: the connector {ended(code, self._process)}", FailureKind.SYSTEM
            )
        raise self._connector.failure(
            f"{place}: the connector ended without having read it to its end", FailureKind.SYSTEM
        )

    def _named(self, error: SyncError, count: int) -> SyncError:
        if error.message.startswith("stream "):
            return error
        return SyncError(f"stream {self._reading}, after {count:,} records: {error.message}", error.kind)


def _stream_of(message: Message) -> StreamKey | None:
    if isinstance(message, StateMessage) and message.is_global:
        return EVERY
    if isinstance(message, RecordMessage | StateMessage):
        return message.stream
    return None
