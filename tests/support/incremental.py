"""A connection of the embedded Airbyte that reads MongoDB incrementally, and what its syncs have left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from support.airbyte_server import Server, mongo

PREFIX = "mongodb/weather/observations/"


class IncrementalLake:
    """A server with one connection, which is incremental unless a test says otherwise."""

    def __init__(self, server: Server, uri: str) -> None:
        self.server = server
        self.uri = uri

    def configure(self, mode: str = "incremental_append", cursor: str = "_id", **source: Any) -> None:
        described = mongo("mongodb", self.uri)
        described["source"] |= {"cursors": {"observations": cursor}, **source}
        self.server.configure({**described, "sync_mode": mode})

    def sync(self) -> dict[str, Any]:
        return self.server.sync("mongodb")

    def synced(self) -> int:
        job = self.sync()
        assert job["status"] == "succeeded", job
        return int(job["rowsSynced"])

    def run(self, job_type: str) -> dict[str, Any]:
        body = {"connectionId": self.server.ids["mongodb"], "jobType": job_type}
        answer = self.server.http.post("/jobs", json=body)
        assert answer.status_code == 200, answer.text
        return self.server.wait(answer.json()["jobId"])

    def rows(self) -> list[tuple[int, int]]:
        """Return the `_id` and generation of every row in bronze, in order."""
        keys = [key for key in self.server.files() if key.startswith(PREFIX)]
        tables = [pq.ParquetFile(self.server.lake.path("bronze", key)).read() for key in keys]
        return sorted(
            (int(row["_id"]), row["_airbyte_generation_id"]) for each in tables for row in each.to_pylist()
        )

    def ids(self) -> list[int]:
        return [identifier for identifier, _ in self.rows()]

    @property
    def file(self) -> Path:
        return self.server.state / "airbyte" / f"states-{self.server.ids['mongodb']}.json"

    def kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads(self.file.read_text())
        return kept["streams"]["observations"]
