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

Record = dict[str, Any]
KINDS = ("definitions", "sources", "destinations", "connections")


class MadeResources:
    """Records by kind and id; every change is on disk before it is answered."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        if file.is_file():
            self._records |= json.loads(file.read_text())

    def all(self, kind: str) -> dict[str, Record]:
        """The records of one kind, oldest first, by id."""
        with self._lock:
            return dict(self._records[kind])

    def find(self, kind: str, identifier: str) -> Record | None:
        """The record, or None."""
        return self.all(kind).get(identifier)

    def create(self, kind: str, record: Mapping[str, Any]) -> Record:
        """A new record with an id and the time it was made."""
        return self.put(kind, {**record, "id": str(uuid.uuid4()), "created": int(self._clock())})

    def put(self, kind: str, record: Record) -> Record:
        """The record as it is from now on."""
        with self._lock:
            self._records[kind][record["id"]] = record
            self._save()
        return record

    def delete(self, kind: str, identifier: str) -> None:
        """Takes the record away, and with a source or destination the connections that use it."""
        with self._lock:
            del self._records[kind][identifier]
            users = self._records["connections"]
            for user in [
                user for user in users.values() if identifier in (user["sourceId"], user["destinationId"])
            ]:
                del users[user["id"]]
            self._save()

    def _save(self) -> None:
        """Readers and a crash see the old file or the new one, never half of one."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(json.dumps(self._records))
        new.replace(self._file)
