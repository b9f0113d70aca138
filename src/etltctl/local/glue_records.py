"""The records of Glue job runs, one JSON file each, in the shape of Glue's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from threading import Lock
from typing import Any

from etltctl.local.control_plane import write_atomically

LIVE = frozenset({"STARTING", "RUNNING", "STOPPING"})

log = getLogger(__name__)


class RunRecords:
    """Records in memory and on disk; a run that was live when the last server ended has failed."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._lock = Lock()
        self._records: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for record in sorted(_read_all(folder), key=lambda record: record["StartedOn"]):
            if record["JobRunState"] in LIVE:
                now = clock()
                ended = "the embedded server that ran it ended before the run did"
                record |= {
                    "JobRunState": "FAILED",
                    "ErrorMessage": ended,
                    "CompletedOn": now,
                    "LastModifiedOn": now,
                }
                self.save(record)
            self._records[record["Id"]] = record

    def save(self, record: dict[str, Any]) -> None:
        """Keeps the record as it is now."""
        with self._lock:
            self._records[record["Id"]] = dict(record)
            write_atomically(self._folder / f"{record['Id']}.json", json.dumps(record).encode())

    def get(self, run_id: str) -> dict[str, Any] | None:
        """The run's record, or None."""
        return self._records.get(run_id)

    def of(self, job: str | None) -> list[dict[str, Any]]:
        """The runs of the job, or of every job; newest first."""
        with self._lock:
            records = list(self._records.values())
        return [record for record in reversed(records) if job is None or record["JobName"] == job]

    def live(self, job: str) -> list[dict[str, Any]]:
        """The job's runs that are not over."""
        return [record for record in self.of(job) if record["JobRunState"] in LIVE]


def _read_all(folder: Path) -> list[dict[str, Any]]:
    records = []
    for path in folder.glob("*.json"):
        try:
            records.append(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            log.warning("the record %s cannot be read: %s", path, error)
    return records
