"""What was made over the API: definitions, sources, destinations and connections, kept beyond the server's life.

The file holds configurations with their secrets, as Airbyte's database does; only its owner can read it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import read_json, write_atomically

Record = dict[str, Any]
KINDS = ("definitions", "sources", "destinations", "connections")


class MadeResources:
    """Records by kind and id; every change is on disk before it is answered."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        self._records |= read_json(file, _parse) or {}

    def all(self, kind: str) -> dict[str, Record]:
        """Return the records of one kind, oldest first, by id."""
        with self._lock:
            return dict(self._records[kind])

    def find(self, kind: str, identifier: str) -> Record | None:
        """Return the record, or None."""
        return self.all(kind).get(identifier)

    def create(self, kind: str, record: Mapping[str, Any]) -> Record:
        """Return a new record with an id and the time it was made."""
        return self.put(kind, {**record, "id": str(uuid.uuid4()), "created": int(self._clock())})

    def put(self, kind: str, record: Record) -> Record:
        """Keep the record as it is from now on; raises OSError if it cannot be kept, and then nothing changes."""
        with self._lock:
            self._save({**self._records, kind: {**self._records[kind], record["id"]: record}})
        return record

    def delete(self, kind: str, identifier: str) -> None:
        """Take the record away, and with a source or destination the connections that use it."""
        with self._lock:
            left = {kind: dict(records) for kind, records in self._records.items()}
            del left[kind][identifier]
            users = left["connections"].values()
            left["connections"] = {
                user["id"]: user
                for user in users
                if identifier not in (user["sourceId"], user["destinationId"])
            }
            self._save(left)

    def _save(self, records: dict[str, dict[str, Record]]) -> None:
        # The disk first: if it refuses, memory still holds what the file holds.
        write_atomically(self._file, json.dumps(records).encode())
        self._records = records


def _parse(content: Any) -> dict[str, dict[str, Record]]:
    if not isinstance(content, dict):
        raise TypeError("it is not an object")
    records = {kind: dict(content[kind]) for kind in KINDS if kind in content}
    for kept in records.values():
        for identifier, record in kept.items():
            if record["id"] != identifier:
                raise ValueError(f"the record {identifier} says that it is {record['id']}")
    # Read once, so that a connection without its ends is found now and not when a source is deleted.
    for connection in records.get("connections", {}).values():
        connection["sourceId"], connection["destinationId"]
    return records
