"""The states of incremental streams: what the next sync resumes from, one file a connection, replaced as a whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import MISSHAPEN, write_atomically
from etltctl.local.services.airbyte.records import FailureKind, SyncError
from etltctl.runs import STATE_UNUSABLE

VERSION = 1
WITH_GLOBAL = 2  # the version of a file that also has a state of all streams together
# The last sentence of every failure of a state. etltctl prints the whole command, by the failure's code.
CLEAR_HELPS = "A clear resets the state: `sync --full` clears the source and reads everything again"


@dataclass(frozen=True)
class KeptState:
    """The state of one stream, and what it is a state of.

    Attributes:
        namespace: The namespace that was read; a state says nothing of another one.
        generation: The generation whose files hold the records up to the state.
        rows: How many rows the syncs of this generation have written.
        state: The state in the source's own words; empty where one state is kept for all streams together.
    """

    namespace: str
    generation: int
    rows: int
    state: Mapping[str, Any]


class StreamStates:
    """The kept states of every connection.

    A file that cannot be read stays where it is and fails every sync of its connection. To begin again without a word
    would read a large source from the start, and no one would know why.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def read(self, connection_id: str) -> dict[str, KeptState]:
        """Return the kept states of a connection by stream; none before its first incremental sync.

        Args:
            connection_id: The connection.

        Raises:
            SyncError: The file is damaged, or another version of etltctl wrote it. It stays as it is.
        """
        with self._lock:
            return self._read(connection_id)[0]

    def read_global(self, connection_id: str) -> Mapping[str, Any]:
        """Return the state of all streams together; empty if the connection has none. Raises SyncError as `read`."""
        with self._lock:
            return self._read(connection_id)[1]

    def keep_global(
        self, connection_id: str, streams: Mapping[str, KeptState], state: Mapping[str, Any]
    ) -> None:
        """Keep one state for all streams in place of every state before. It survives a loss of power.

        Args:
            connection_id: The connection.
            streams: What the state covers of each incremental stream. These records must be in bronze already.
            state: The state, as the connector gave it.

        Raises:
            OSError: The state cannot be written. The one before is still kept.
        """
        with self._lock:
            self._write(connection_id, streams, state)

    def keep(self, connection_id: str, stream: str, kept: KeptState) -> None:
        """Keep the state of a stream in place of the one before. It survives a loss of power.

        Args:
            connection_id: The connection.
            stream: The stream.
            kept: The state. Its records must be in bronze already.

        Raises:
            OSError: The state cannot be written. The one before is still kept.
        """
        with self._lock:
            self._write(connection_id, {**self._read(connection_id)[0], stream: kept})

    def forget(self, connection_id: str, streams: Collection[str]) -> None:
        """Forget the states of some streams, which are no longer incremental.

        Args:
            connection_id: The connection.
            streams: The streams. One without a state is left out.

        Raises:
            SyncError: The file cannot be read.
            OSError: The file cannot be written. Every state is still kept.
        """
        with self._lock:
            kept, of_all = self._read(connection_id)
            if left := {name: each for name, each in kept.items() if name not in streams}:
                if len(left) < len(kept):
                    self._write(connection_id, left, _without(of_all, streams))
            else:
                self._file(connection_id).unlink(missing_ok=True)

    def reset(self, connection_id: str) -> None:
        """Forget every state of a connection, also in a file that cannot be read."""
        with self._lock:
            self._file(connection_id).unlink(missing_ok=True)

    def _read(self, connection_id: str) -> tuple[dict[str, KeptState], Mapping[str, Any]]:
        file = self._file(connection_id)
        try:
            content = json.loads(file.read_bytes())
            version = content["version"]
            if version in (VERSION, WITH_GLOBAL):
                of_all = content["global"] if version == WITH_GLOBAL else {}
                if not isinstance(of_all, dict):
                    raise TypeError("the state of all streams is not an object")
                return {name: _parse(kept) for name, kept in content["streams"].items()}, of_all
        except FileNotFoundError:
            return {}, {}
        except MISSHAPEN as error:
            raise _unusable(file, f"is damaged ({type(error).__name__}: {error})") from error
        raise _unusable(file, f"is of version {version}, and this version of etltctl reads 1 and 2")

    def _write(
        self, connection_id: str, kept: Mapping[str, KeptState], of_all: Mapping[str, Any] | None = None
    ) -> None:
        streams = {name: asdict(each) for name, each in kept.items()}
        # An older version of etltctl must refuse a state that it would leave out.
        shared = {"version": WITH_GLOBAL, "global": dict(of_all)} if of_all else {"version": VERSION}
        content = json.dumps({**shared, "streams": streams}, sort_keys=True)
        write_atomically(self._file(connection_id), content.encode())

    def _file(self, connection_id: str) -> Path:
        return self._folder / f"states-{connection_id}.json"


def _parse(kept: Any) -> KeptState:
    if not isinstance(kept["state"], dict):
        raise TypeError("a state is not an object")
    return KeptState(str(kept["namespace"]), int(kept["generation"]), int(kept["rows"]), kept["state"])


def _without(of_all: Mapping[str, Any], streams: Collection[str]) -> Mapping[str, Any]:
    """Return a state of all streams without the parts of some: what they wrote is about to be replaced."""
    parts = of_all.get("stream_states")
    if not isinstance(parts, list):
        return of_all
    left = [part for part in parts if part.get("stream_descriptor", {}).get("name") not in streams]
    return {**of_all, "stream_states": left}


def _unusable(file: Path, trouble: str) -> SyncError:
    return unusable_state(
        f"the state of the connection, {file}, {trouble}; nothing was read, and bronze is as it was"
    )


def unusable_state(trouble: str) -> SyncError:
    """Return the error of a sync that cannot use a state: only a clear helps.

    Args:
        trouble: What is wrong with the state, without a full stop.
    """
    return SyncError(f"{trouble}. {CLEAR_HELPS}", FailureKind.CONFIG, STATE_UNUSABLE)
