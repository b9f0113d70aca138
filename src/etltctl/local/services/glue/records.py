"""The records of Glue job runs, one JSON file each, in the shape of Glue's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from etltctl.local.kernel.state_files import LateWrites, read_json, write_atomically

LIVE = frozenset({"STARTING", "RUNNING", "STOPPING"})


class RunRecords:
    """Records in memory and on disk; a run that was live when the last server ended has failed."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._lock = Lock()
        self._records: dict[str, dict[str, Any]] = {}
        self._late = LateWrites()
        folder.mkdir(parents=True, exist_ok=True)
        # A dictionary keeps this order, and listings go through it backwards: the newest run first.
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

    def add(self, record: dict[str, Any]) -> None:
        """Keep a new record.

        Raises:
            OSError: the disk does not take it; there is no such run then.
        """
        with self._lock:
            # On the disk before the caller learns the id: a start that was answered must be found after a crash.
            write_atomically(self._path(record), json.dumps(record).encode())
            self._records[record["Id"]] = dict(record)

    def save(self, record: dict[str, Any]) -> None:
        """Keep the record as it is now: on the disk as soon as that takes it, then where callers see it."""
        with self._lock:
            self._late.write(self._path(record), json.dumps(record).encode())
            self._records[record["Id"]] = dict(record)

    def flush(self) -> None:
        """Write what the disk did not take before."""
        self._late.flush()

    def _path(self, record: dict[str, Any]) -> Path:
        return self._folder / f"{record['Id']}.json"

    def get(self, run_id: str) -> dict[str, Any] | None:
        """Return the run's record, or None."""
        return self._records.get(run_id)

    def of(self, job: str | None) -> list[dict[str, Any]]:
        """Return the runs of the job, or of every job; newest first."""
        with self._lock:
            records = list(self._records.values())
        return [record for record in reversed(records) if job is None or record["JobName"] == job]

    def live(self, job: str) -> list[dict[str, Any]]:
        """Return the job's runs that are not over."""
        return [record for record in self.of(job) if record["JobRunState"] in LIVE]


def _read_all(folder: Path) -> list[dict[str, Any]]:
    kept = (read_json(path, _parse) for path in folder.glob("*.json"))
    return [record for record in kept if record is not None]


def _parse(content: Any) -> dict[str, Any]:
    """Return the record; raise KeyError or ValueError for one that could not be listed."""
    needed: dict[str, Any] = {
        "Id": str,
        "JobName": str,
        "JobRunState": str,
        "StartedOn": (int, float),
        "Arguments": dict,
    }
    for name, kind in needed.items():
        if not isinstance(content[name], kind):
            raise ValueError(f"{name} is {content[name]!r}")
    return dict(content)
