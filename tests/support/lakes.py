"""A lake of small hand-written tables on the embedded server, with no job and no Spark."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.publishing import Lake, Published
from etltctl.s3 import S3
from etltctl.settings import Settings, load_settings
from etltctl.values import S3Location
from support.sample_settings import on_sample
from support.served import Served

BUCKETS = ["pi-m3-bronze", "pi-m3-silver", "pi-m3-gold", "pi-m3-athena-results"]
SETTINGS = """
[glue.jobs.pair]
script = "none.py"
writes = ["gold.one", "gold.two"]
"""


def publish_with_kills(
    place: tuple[int, str, str, str], publishes: int, kills: int, seed: int, done: Any
) -> None:
    """Publish versions 1 to `publishes` of a small lake in children that are killed at random and started again.

    Run it in a separate process: it forks, so that a child has its modules loaded already. `done` is the last version.
    It ends with the process that started it; otherwise it would start children for ever.
    """
    starter = os.getppid()
    port, state, folder, more = place
    server = Served(None, Path(state), port)  # type: ignore[arg-type]
    os.environ.update(server.environ)
    small = SmallLake(server, Aws(region="us-east-1"), Path(folder), more)
    small.publish(f"{0:06}", rows=4)
    for client in small.aws._clients.values():
        client.close()  # two processes must not share a connection
    chance = random.Random(seed)
    while done.value < publishes and os.getppid() == starter:
        if (child := os.fork()) == 0:
            for number in range(done.value + 1, publishes + 1):
                small.publish(f"{number:06}", rows=4)
                done.value = number
            os._exit(0)
        until = done.value + chance.randint(1, 2 * publishes // kills)
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if done.value >= until:
                time.sleep(chance.random() * 0.1)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                break
            time.sleep(0.002)


@dataclass(frozen=True)
class SmallLake:
    """A lake with the project's settings, the job `pair`, which writes gold.one and gold.two, and `more` settings."""

    server: Served
    aws: Aws
    folder: Path
    more: str = ""

    def __post_init__(self) -> None:
        """Create the buckets, the databases and the workgroup."""
        (self.folder / "etltctl.toml").write_text(on_sample(SETTINGS + self.more))
        stack = {
            "buckets": BUCKETS,
            "databases": ["pi_m3_bronze", "pi_m3_silver", "pi_m3_silver_rejects", "pi_m3_gold"],
            "workgroup": {"name": "pi-m3", "output_location": "s3://pi-m3-athena-results/"},
        }
        assert self.server.request("POST", "stack", stack)[0] == 200
        self.server.request("POST", "faults", [])

    @cached_property
    def settings(self) -> Settings:
        """Return the settings in force."""
        environ = {"ETLTCTL_STATE_DIR": str(self.folder / "state")}
        return load_settings(config=self.folder / "etltctl.toml", env="local", environ=environ)

    @cached_property
    def lake(self) -> Lake:
        """Return the lake of these settings."""
        return self.another()

    def another(self) -> Lake:
        """Return the lake as another process sees it."""
        return Lake(self.settings, S3(self.aws), Catalog(self.aws))

    def write(
        self, table: str, version: str, rows: Sequence[Mapping[str, Any]] | pa.Table, **audit: Any
    ) -> str:
        """Write a version as a job would, and return its location."""
        location = self.lake.version_location(table, version)
        self.put(f"{location}part-0.parquet", rows)
        if audit:
            place = S3Location.parse(f"{self.lake.places.job_report(table, version)}part-0.txt")
            self.aws.client("s3").put_object(
                Bucket=place.bucket, Key=place.key, Body=json.dumps(audit).encode()
            )
        return location

    def put(self, location: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Write one Parquet file."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows))
        file = io.BytesIO()
        pq.write_table(table, file)
        place = S3Location.parse(location)
        self.aws.client("s3").put_object(Bucket=place.bucket, Key=place.key, Body=file.getvalue())

    def publish(
        self, version: str, tables: Sequence[str] = ("gold.one", "gold.two"), rows: int = 3
    ) -> list[Published]:
        """Write and publish a version whose every row names it."""
        locations = {
            table: self.write(table, version, [{"version": version, "n": n} for n in range(rows)])
            for table in tables
        }
        return self.lake.publish(locations, version)

    def current(self, table: str) -> str:
        """Return the version that readers see."""
        return self.lake.current_location(table).rstrip("/").rpartition("v=")[2]

    def described(self, table: str) -> dict[str, Any]:
        """Return the table as Glue describes it."""
        return self.lake.catalog.table(*self.lake.places.in_catalog(table)) or {}

    def spoil(self, *rules: dict[str, Any]) -> None:
        """Set these faults."""
        assert self.server.request("POST", "faults", list(rules))[0] == 200

    def met(self) -> int:
        """Return how often the faults in force were met."""
        return sum(rule["met"] for rule in self.server.request("GET", "faults")[1])
